"""Usage: each event once, in the right month, summed exactly, closed for good, on both databases."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing.errors import Conflict, UnknownCustomer
from billing.intent import Intent
from billing.metering import UsageEvent, units
from billing.money import Money
from billing.usage import Metered
from records import subscriptions, usage
from records.metering import Became, Taken
from records.session import Database
from records.sql import table
from records.subscriptions import active_page, put_subscription, unbilled
from records.usage_tables import UsageEventRow
from tests.records.make import with_customer
from tests.records.metered import (
    GROUPS,
    NOW,
    a_body,
    an_event,
    built,
    close,
    drift,
    sums,
    tell,
    used,
    with_subscription,
)


def said(answers: list[Taken]) -> list[tuple[str, str | None]]:
    return [(one.status.value, one.period) for one in answers]


async def test_an_event_counts_once_however_often_and_in_whatever_company_it_comes(db: Database) -> None:
    await with_subscription(db)
    one, two = an_event("e1", "2.5"), an_event("e2", "0.000001")
    assert said(await tell(db, one, two, one)) == [
        ("created", "2026-10"),
        ("created", "2026-10"),
        ("known", "2026-10"),
    ]
    assert said(await tell(db, two, an_event("e3"))) == [("known", "2026-10"), ("created", "2026-10")]
    assert await used(db, "2026-10") == {"api": Metered(used=Decimal("3.500001"))}
    async with db.session() as s:
        assert await drift(s) == []


@pytest.mark.parametrize("change", [{"quantity": "3"}, {"meter": "gb"}, {"at": "2026-10-14T12:00:01Z"}])
async def test_a_known_id_with_other_content_is_refused_and_changes_nothing(
    db: Database, change: dict[str, str]
) -> None:
    plan = [{"meter": meter, "model": "per_unit", "unit_price": "1"} for meter in ("api", "gb")]
    await with_subscription(db, charges=plan)
    await tell(db, an_event("e1", "2"))
    other = UsageEvent.of(an_event("e1", "2").model_dump(mode="json") | change)
    (answer,) = await tell(db, other)
    assert (answer.status, answer.field) == (Became.REFUSED, "event_id")
    assert "counted already, as 2 of api of sub_1" in answer.reason
    in_one_go = await tell(db, an_event("e2", "1"), an_event("e2", "5"))
    assert [one.status for one in in_one_go] == [Became.CREATED, Became.REFUSED]
    assert (await used(db, "2026-10"))["api"].used == 3


async def test_one_refused_event_stops_none_of_the_others_and_says_what_to_do(db: Database) -> None:
    await with_subscription(db, started_on="2026-10-01", ended_on="2026-10-31")
    ahead = (NOW + timedelta(days=2)).isoformat()
    answers = await tell(
        db,
        an_event("ok"),
        an_event("nobody", subscription_id="sub_9"),
        an_event("meter", meter="gb"),
        an_event("early", at="2026-09-30T21:59:59Z"),
        an_event("after", at="2026-10-31T23:00:00Z"),
        an_event("ahead", at=ahead),
        an_event("ok too", at="2026-09-30T22:00:00Z"),
    )
    assert [(one.status.value, one.field) for one in answers] == [
        ("created", ""),
        ("refused", "subscription_id"),
        ("refused", "meter"),
        ("refused", "at"),
        ("refused", "at"),
        ("refused", "at"),
        ("created", ""),
    ]
    assert answers[1].next_step == "create it: PUT /subscriptions/sub_9"
    assert "it has api" in answers[2].reason
    assert "2026-09-30 in Europe/Berlin" in answers[3].reason
    assert (await used(db, "2026-10"))["api"].used == 2


EDGES = [
    # group, the last microsecond (UTC) of a local month, that month and the next
    ("nz", "2026-09-30T10:59:59.999999Z", "2026-09", "2026-10"),
    ("nz", "2026-03-31T10:59:59.999999Z", "2026-03", "2026-04"),
    ("nz", "2024-02-29T10:59:59.999999Z", "2024-02", "2024-03"),
    ("europe", "2026-03-31T21:59:59.999999Z", "2026-03", "2026-04"),
    ("europe", "2025-10-31T22:59:59.999999Z", "2025-10", "2025-11"),
    ("europe", "2024-02-29T22:59:59.999999Z", "2024-02", "2024-03"),
    ("us-west", "2026-04-01T06:59:59.999999Z", "2026-03", "2026-04"),
    ("us-west", "2025-11-01T06:59:59.999999Z", "2025-10", "2025-11"),
    ("us-west", "2024-03-01T07:59:59.999999Z", "2024-02", "2024-03"),
    ("india", "2026-09-30T18:29:59.999999Z", "2026-09", "2026-10"),
    ("india", "2024-02-29T18:29:59.999999Z", "2024-02", "2024-03"),
]


async def test_each_group_counts_by_its_own_month_across_clock_changes_and_leap_days(db: Database) -> None:
    for group in GROUPS:
        await with_subscription(db, f"sub_{group}", billing_group=group)
    for place, (group, last, month, following) in enumerate(EDGES):
        first = (datetime.fromisoformat(last) + timedelta(microseconds=1)).isoformat()
        events = [
            an_event(f"{place}-{edge}", at=at, subscription_id=f"sub_{group}") for edge, at in enumerate((last, first))
        ]
        assert said(await tell(db, *events)) == [("created", month), ("created", following)], (group, last)


async def test_an_event_of_a_closed_month_goes_into_the_next_open_one_with_a_note_on_its_line(db: Database) -> None:
    await with_subscription(db)
    await tell(db, an_event("sept", "500", at="2026-09-10T00:00:00Z"))
    await close(db, "2026-09")
    await close(db, "2026-10")
    late = an_event("late", "20", at="2026-09-30T12:00:00Z")
    (answer,) = await tell(db, late)
    assert (answer.status, answer.period) == (Became.LATE, "2026-11")
    assert "2026-09 is closed" in answer.reason
    assert said(await tell(db, late)) == [("known", "2026-11")]
    await tell(db, an_event("nov", "100", at="2026-11-02T12:00:00Z"))
    assert (await used(db, "2026-09"))["api"].used == 500
    assert (await used(db, "2026-11"))["api"] == Metered(used=Decimal(120), late={"2026-09": Decimal(20)})
    intent = await built(db, "2026-11")
    assert isinstance(intent, Intent)
    (line,) = intent.commercial.lines
    assert line.description == "api, 2026-11: 120 used (of them 20 in 2026-09, told late)"
    assert intent.commercial.total == Money.parse("1.20", "USD")
    async with db.session() as s:
        assert await drift(s) == []


async def test_a_closed_month_builds_the_same_invoice_whatever_comes_after(db: Database) -> None:
    await with_subscription(db)
    await tell(db, an_event("e1", "100"))
    await close(db, "2026-10")
    before = await built(db, "2026-10")
    await tell(db, an_event("e2", "900"))
    await close(db, "2026-10")
    after = await built(db, "2026-10")
    assert isinstance(before, Intent)
    assert isinstance(after, Intent)
    assert before.payload_hash == after.payload_hash


async def test_whoever_counts_while_a_month_is_closed_is_in_it_or_late_and_never_neither(db: Database) -> None:
    await with_subscription(db)

    async def closing() -> Decimal:
        async with db.transaction() as s:
            await usage.close(s, ["sub_1"], "2026-10")
            return (await usage.used(s, ["sub_1"], "2026-10")).get("sub_1", {}).get("api", Metered()).used

    telling = [tell(db, an_event(f"e{n}")) for n in range(30)]
    *answers, billed = await asyncio.gather(*telling[:15], *telling[15:], closing())
    assert isinstance(billed, Decimal)
    statuses = [one[0].status for one in answers if isinstance(one, list)]
    assert statuses.count(Became.CREATED) == billed
    assert statuses.count(Became.LATE) == 30 - billed
    assert (await used(db, "2026-10")).get("api", Metered()).used == billed


async def test_late_usage_of_an_ended_subscription_is_billed_in_a_month_in_which_it_has_no_day(db: Database) -> None:
    flat = {"meter": "platform", "model": "flat", "amount": "99.00"}
    unit = {"meter": "api", "model": "per_unit", "unit_price": "0.01"}
    await with_subscription(db, ended_on="2026-09-30", charges=[flat, unit])
    await close(db, "2026-09")
    async with db.session() as s:
        assert await active_page(s, "europe", "2026-10") == []
    assert said(await tell(db, an_event("late", "300", at="2026-09-29T00:00:00Z"))) == [("late", "2026-10")]
    async with db.session() as s:
        assert [one.id for one in await active_page(s, "europe", "2026-10")] == ["sub_1"]
    intent = await built(db, "2026-10")
    assert isinstance(intent, Intent)
    assert intent.commercial.total == Money.parse("3.00", "USD")


async def test_pages_hold_every_active_subscription_of_the_group_once(db: Database) -> None:
    for number in range(7):
        await with_subscription(db, f"sub_{number}")
    await with_subscription(db, "ends", ended_on="2026-10-01")
    await with_subscription(db, "ended", ended_on="2026-09-30")
    await with_subscription(db, "begins", started_on="2026-10-31")
    await with_subscription(db, "later", started_on="2026-11-01")
    await with_subscription(db, "elsewhere", billing_group="nz")
    seen: list[str] = []
    while True:
        async with db.session() as s:
            page = await active_page(s, "europe", "2026-10", after=seen[-1] if seen else "", limit=4)
        if not page:
            break
        assert len(page) <= 4
        seen += [one.id for one in page]
    assert seen == sorted(["begins", "ends", *(f"sub_{number}" for number in range(7))])


async def test_usage_of_a_month_that_no_run_billed_is_not_forgotten(db: Database) -> None:
    await with_subscription(db)
    await tell(db, an_event("aug", at="2026-08-10T00:00:00Z"), an_event("sept", at="2026-09-10T00:00:00Z"))
    await close(db, "2026-09")
    async with db.session() as s:
        assert await unbilled(s, "europe", "2026-10") == [("sub_1", "2026-08")]
        assert await unbilled(s, "nz", "2026-10") == []


async def test_a_plan_keeps_what_its_counted_usage_is_billed_by(db: Database) -> None:
    await with_subscription(db)
    await tell(db, an_event("e1"))
    other = [{"meter": "gb", "model": "flat", "amount": "1.00"}]
    for change, field in (
        ({"charges": other}, "charges"),
        ({"currency": "EUR"}, "currency"),
        ({"billing_group": "nz"}, "billing_group"),
    ):
        with pytest.raises(Conflict) as refused:
            await with_subscription(db, **change)
        assert refused.value.field == field
        assert refused.value.next_step
    await with_subscription(db, charges=[*other, {"meter": "api", "model": "per_unit", "unit_price": "5"}])
    await close(db, "2026-10")
    assert (await with_subscription(db, charges=other)).charges[0].meter == "gb"


async def test_a_subscription_needs_its_customer(db: Database) -> None:
    await with_customer(db)
    with pytest.raises(UnknownCustomer):
        async with db.transaction() as s:
            await put_subscription(s, "sub_1", a_body(customer_id="nobody"))


async def test_subscriptions_read_back_as_they_were_put_and_page_by_id(db: Database) -> None:
    put = [await with_subscription(db, f"sub_{n}", billing_group="nz" if n == 2 else "europe") for n in range(5)]
    async with db.session() as s:
        assert await subscriptions.get_subscription(s, "sub_3") == put[3]
        assert await subscriptions.get_subscription(s, "sub_9") is None
        first = await subscriptions.list_subscriptions(s, limit=3)
        rest = await subscriptions.list_subscriptions(s, limit=3, cursor=first.next_cursor)
        assert [*first.data, *rest.data] == put
        assert rest.next_cursor is None
        assert (await subscriptions.list_subscriptions(s, billing_group="nz")).data == [put[2]]
        assert (await subscriptions.list_subscriptions(s, customer_id="acme")).data == put


async def test_senders_of_the_same_events_at_once_count_each_once(db: Database) -> None:
    for number in range(3):
        await with_subscription(db, f"sub_{number}")
    events = [an_event(f"e{n}", "1.25", subscription_id=f"sub_{n % 3}") for n in range(60)]
    backwards = list(reversed(events))
    answers = await asyncio.gather(*(tell(db, *some) for some in (events, backwards, events[20:], backwards[10:])))
    assert sum(one.status is Became.CREATED for some in answers for one in some) == 60
    assert {one.status for some in answers for one in some} == {Became.CREATED, Became.KNOWN}
    async with db.session() as s:
        assert await drift(s) == []
        assert sum((await sums(s)).values()) == 60 * 1_250_000


async def test_one_id_under_two_subscriptions_counts_for_one_of_them(db: Database) -> None:
    for name in ("sub_1", "sub_2"):
        await with_subscription(db, name)
    senders = [tell(db, *(an_event(f"e{n}", subscription_id=name) for n in range(20))) for name in ("sub_1", "sub_2")]
    answers = [one for some in await asyncio.gather(*senders) for one in some]
    assert sorted(one.status for one in answers) == [Became.CREATED] * 20 + [Became.REFUSED] * 20
    async with db.session() as s:
        assert await drift(s) == []
        assert sum((await sums(s)).values()) == 20_000_000


async def test_a_total_that_no_number_holds_is_refused_and_the_rest_stands(db: Database) -> None:
    await with_subscription(db)
    answers = await tell(db, *(an_event(f"e{n}", "1000000000000") for n in range(10)))
    assert [one.status for one in answers] == [Became.CREATED] * 9 + [Became.REFUSED]
    assert "would pass 9,000,000,000,000" in answers[-1].reason
    assert (await used(db, "2026-10"))["api"].used == 9 * 10**12
    async with db.session() as s:
        assert await drift(s) == []


quantities = st.lists(st.decimals(min_value=0, max_value=10**9, places=6), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(quantities)
async def test_the_database_sums_as_decimals_do(db: Database, several: list[Decimal]) -> None:
    name = f"sub_{abs(hash(tuple(several)))}"
    await with_subscription(db, name)
    events = [an_event(f"{name}-{n}", f"{one:f}", subscription_id=name) for n, one in enumerate(several)]
    await tell(db, *events)
    assert (await used(db, "2026-10", name))["api"].used == sum(several, Decimal(0))
    events_of = table(UsageEventRow)
    async with db.session() as s:
        query = select(func.sum(events_of.c.quantity)).where(events_of.c.subscription_id == name)
        assert units(int((await s.execute(query)).scalar_one())) == sum(several, Decimal(0))
