"""Intents, events, customers, mails, deals and tokens: each promise that retries and two processes rest on."""

import asyncio
from datetime import timedelta

import pytest

from billing.assessment import Segment
from billing.errors import Conflict, KeyTaken, UnknownCustomer
from billing.intent import Motion
from billing.money import Money
from billing.ownership import Carry
from billing.record import Fate, Status
from records import customers, deals, events, intents, invoices, known, mails, tokens
from records.session import Database
from tests.records.make import AT, KEY, a_record, an_event, an_intent, with_customer, with_intent


async def test_of_fifty_registrations_at_once_by_two_processes_one_creates(db: Database, database_url: str) -> None:
    await with_customer(db)
    other = Database(database_url)

    async def once(database: Database) -> bool:
        async with database.transaction() as s:
            return await intents.register(s, an_intent())

    try:
        created = await asyncio.gather(*(once(database) for database in (db, other) for _ in range(25)))
    finally:
        await other.close()
    assert sum(created) == 1


async def test_the_same_key_with_another_payload_or_motion_is_refused(db: Database) -> None:
    await with_intent(db)
    async with db.transaction() as s:
        assert not await intents.register(s, an_intent())
        with pytest.raises(KeyTaken, match="another payload"):
            await intents.register(s, an_intent(price="1.00"))
        with pytest.raises(KeyTaken, match="milestone"):
            await intents.register(s, an_intent(motion=Motion.QUOTE))


async def test_an_intent_for_nobody_is_refused_by_name(db: Database) -> None:
    async with db.transaction() as s:
        with pytest.raises(UnknownCustomer, match="acme"):
            await intents.register(s, an_intent())


async def test_an_intent_is_unstarted_until_its_workflow_runs_and_comes_back_whole(db: Database) -> None:
    await with_intent(db)
    async with db.transaction() as s:
        assert await intents.unstarted(s, 10) == [an_intent()]
        await intents.mark_started(s, KEY)
        assert await intents.unstarted(s, 10) == []
        assert await intents.get_intent(s, KEY) == an_intent()


async def test_an_event_is_accepted_once_per_source(db: Database) -> None:
    async with db.transaction() as s:
        assert await events.accept(s, "jupiter", an_event(), b"raw")
        assert not await events.accept(s, "jupiter", an_event(), b"raw")
        assert await events.accept(s, "other", an_event(), b"raw")
        assert [row.raw for row in await events.pending(s, 10, AT)] == [b"raw", b"raw"]


async def test_a_postponed_event_is_pending_only_when_its_time_has_come(db: Database) -> None:
    later = AT + timedelta(minutes=5)
    async with db.transaction() as s:
        await events.accept(s, "jupiter", an_event(), b"raw")
        await events.mark(s, [events.Mark("evt_1", Fate.PENDING, "nobody claims it", 1, later)])
        assert await events.pending(s, 10, AT) == []
        assert [row.attempts for row in await events.pending(s, 10, later)] == [1]


async def test_a_quarantined_event_can_be_replayed_from_the_start(db: Database) -> None:
    async with db.transaction() as s:
        await events.accept(s, "jupiter", an_event(), b"raw")
        await events.mark(s, [events.Mark("evt_1", Fate.QUARANTINED, "unroutable", attempts=9)])
        assert [row.fate for row in (await events.list_events(s, fate=Fate.QUARANTINED)).data] == [Fate.QUARANTINED]
        assert await events.requeue(s, "evt_1")
        assert not await events.requeue(s, "evt_none")
        assert [row.attempts for row in await events.pending(s, 10, AT)] == [0]


async def test_the_latest_event_time_wins_per_field_whatever_the_order_of_writing(db: Database) -> None:
    await with_customer(db)
    async with db.transaction() as s:
        new, old = AT + timedelta(hours=1), AT
        await customers.store_recipient_fields(s, "acme", "p1", {"tax_id": ("NEW", new), "po_number": ("PO-1", old)})
        await customers.store_recipient_fields(s, "acme", "p2", {"tax_id": ("OLD", old), "po_number": ("PO-2", new)})
        carried = await customers.carry_forward(s, "acme", "p1", Carry.CUSTOMER)
    assert carried == {"tax_id": "NEW", "po_number": "PO-2"}


@pytest.mark.parametrize(
    ("carry", "scope", "po"),
    [("customer", "p9", "PO-1"), ("source", "p1", "PO-1"), ("source", "p9", None), ("never", "p1", None)],
)
async def test_a_po_number_carries_as_far_as_the_setting_says(
    db: Database, carry: str, scope: str, po: str | None
) -> None:
    await with_customer(db)
    async with db.transaction() as s:
        given = {"po_number": ("PO-1", AT), "address": ({"city": "Oslo"}, AT)}
        await customers.store_recipient_fields(s, "acme", "p1", given)
        carried = await customers.carry_forward(s, "acme", scope, Carry(carry))
    assert carried.get("po_number") == po
    assert carried["address"] == {"city": "Oslo"}


async def test_a_field_of_ours_is_never_taken_for_a_recipients(db: Database) -> None:
    async with db.transaction() as s:
        with pytest.raises(KeyError, match="currency"):
            await customers.store_recipient_fields(s, "acme", "p1", {"currency": ("EUR", AT)})


async def test_history_counts_what_was_issued_even_if_it_was_voided_since(db: Database) -> None:
    await with_intent(db)
    await with_customer(db, "enterprise")
    async with db.transaction() as s:
        assert (await known.history(s, "acme")).invoices_issued == 0
        await invoices.save_record(s, a_record(1, Status.SENT))
        await invoices.save_record(s, a_record(2, Status.CANCELLED))
        history = await known.history(s, "acme")
        assert (history.invoices_issued, history.segment) == (1, Segment.ENTERPRISE)
        assert (await known.history(s, "acme", excluding=KEY)).invoices_issued == 0


async def test_a_customer_is_replaced_and_keeps_when_it_was_created(db: Database) -> None:
    await with_customer(db)
    async with db.session() as s:
        first = await customers.get_customer(s, "acme")
        assert await customers.get_customer(s, "nobody") is None
    await with_customer(db, "enterprise")
    async with db.session() as s:
        second = await customers.get_customer(s, "acme")
    assert first is not None
    assert second is not None
    assert (second.segment, second.created_at) == ("enterprise", first.created_at)


async def test_a_mail_is_claimable_until_it_was_sent(db: Database) -> None:
    await with_intent(db)
    async with db.transaction() as s:
        assert await mails.claim(s, KEY, 1, "link", "k", "a@b.example")
        assert await mails.claim(s, KEY, 1, "link", "k", "a@b.example")
        await mails.mark_sent(s, KEY, 1, "link")
        assert not await mails.claim(s, KEY, 1, "link", "k", "a@b.example")
        assert await mails.claim(s, KEY, 2, "link", "k2", "a@b.example")


async def test_a_deal_is_billed_once_per_invoice(db: Database) -> None:
    await with_intent(db)
    total = Money(minor=1, currency="USD")
    async with db.transaction() as s:
        for key in (KEY, KEY, "invoice:other"):
            await deals.mark_billed(s, "deal_1", "acme", key, total)
        assert await deals.billed(s, "deal_1") == {KEY: total, "invoice:other": total}


async def test_a_token_opens_until_it_is_revoked_and_only_its_hash_is_kept(db: Database) -> None:
    async with db.transaction() as s:
        secret = await tokens.create_token(s, "mia", [tokens.Scope.APPROVE])
        found = await tokens.find_token(s, secret)
        assert found is not None
        assert secret not in found.model_dump_json()
        assert tokens.allows(found, tokens.Scope.APPROVE)
        assert not tokens.allows(found, tokens.Scope.TRIGGER)
        assert await tokens.live_approvers(s) == ["mia"]
        with pytest.raises(Conflict, match="mia"):
            await tokens.create_token(s, "mia", [tokens.Scope.READ])
        assert await tokens.revoke_token(s, "mia")
        assert not await tokens.revoke_token(s, "mia")
        assert await tokens.find_token(s, secret) is None
        assert await tokens.live_approvers(s) == []
        await tokens.create_token(s, "mia", [tokens.Scope.ADMIN])
        assert await tokens.live_approvers(s) == ["mia"]
