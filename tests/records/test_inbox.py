"""What waits for a person: one list of three kinds by deadline, paged, searched, and as fast with thousands."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as on

from billing.assessment import Assessment, Reason
from billing.errors import BadInput
from billing.record import CaseRecord, Entry, InvoiceRecord, Status
from records import inbox as boxes
from records import invoices
from records.customers import CustomerBody, put_customer
from records.inbox import Inbox, Kind
from records.intents import register
from records.session import Database
from records.sql import now
from tests.records.make import AT, a_record, an_intent, with_customer


def _key(name: str) -> str:
    return f"invoice:p:{name}"


async def _world(db: Database, *records: InvoiceRecord, customer: str = "acme") -> None:
    await with_customer(db)
    async with db.transaction() as s:
        body = {"name": "Globex 100%_pure Ltd", "email": "ap@globex.example", "segment": "standard", "currency": "USD"}
        await put_customer(s, "globex", CustomerBody.model_validate(body))
        for record in records:
            await register(s, an_intent(record.key, customer_id=customer))
        await invoices.save_records(s, records)


def _approval(name: str, due: datetime | None, **changes: Any) -> InvoiceRecord:
    return a_record(1, Status.AWAITING_APPROVAL, key=_key(name), decide_by=due, **changes)


def _case(name: str, due: datetime, message: str = "cheaper", **changes: Any) -> InvoiceRecord:
    case = CaseRecord(id=f"cr_{name}", version=1, opened_at=AT, deadline=due, owner="mia", message=message)
    return a_record(1, Status.CHANGE_REQUESTED, key=_key(name), cases=(case.model_copy(update=changes),))


def _repair(name: str, since: datetime, why: str = "Could not issue: 422") -> InvoiceRecord:
    failed = Entry(number=1, at=since, kind="failed", actor="billhook", text=why)
    return a_record(1, Status.NEEDS_ATTENTION, key=_key(name), entries=(failed,), waiting_for=why, failed_step="issue")


async def _read(db: Database, **asked: Any) -> Inbox:
    async with db.session() as s:
        return await boxes.inbox(s, **asked)


def _names(found: Inbox) -> list[str]:
    return [one.key.rpartition(":")[2] for one in found.data]


def _hours(count: int) -> datetime:
    return AT + timedelta(hours=count)


async def test_what_waits_is_one_list_by_deadline_with_repairs_as_due_since_they_stopped(db: Database) -> None:
    await _world(
        db,
        _approval("a", _hours(5)),
        _approval("never", None),
        _case("c", _hours(3)),
        _case("closed", _hours(1), status="declined"),
        _case("answered", _hours(1)).model_copy(update={"status": Status.ISSUING}),
        _repair("r", _hours(4)),
        a_record(1, Status.SENT, key=_key("sent")),
    )
    found = await _read(db)
    assert _names(found) == ["c", "r", "a", "never"]
    assert [(one.kind, one.deadline) for one in found.data] == [
        (Kind.CASE, _hours(3)),
        (Kind.REPAIR, None),
        (Kind.APPROVAL, _hours(5)),
        (Kind.APPROVAL, None),
    ]
    async with db.session() as s:
        assert await boxes.counts(s) == {Kind.APPROVAL: 2, Kind.CASE: 1, Kind.REPAIR: 1}


async def test_each_says_whose_it_is_why_it_waits_and_how_long(db: Database) -> None:
    await _world(
        db, _approval("a", _hours(5), assignee="dana", revision="r1", version=2), _case("c", _hours(6)),
        _repair("r", _hours(7)),
    )  # fmt: skip
    reasons = (Reason(rule="over_threshold", text="Too much."), Reason(rule="change_history", text="Asked before."))
    async with db.transaction() as s:
        kept = Assessment(automatic=False, policy_hash="p", reasons=reasons)
        await invoices.save_assessment(s, _key("a"), "r1", kept)
        await invoices.save_assessment(s, _key("a"), "r0", Assessment(automatic=True, policy_hash="p"))
    approval, case, repair = (await _read(db)).data
    assert approval.model_dump(exclude={"since", "age"}) == {
        "kind": "approval", "key": _key("a"), "case_id": "", "customer_id": "acme", "customer_name": "Acme",
        "motion": "milestone", "currency": "USD", "total": "1250.00", "total_minor": 125000, "version": 2,
        "revision": "r1", "deadline": _hours(5), "assignee_or_owner": "dana", "approved_by": [],
        "reason": "Too much. Asked before.", "failed_step": None,
    }  # fmt: skip
    assert (case.case_id, case.assignee_or_owner, case.reason, case.since) == ("cr_c", "mia", "cheaper", AT)
    assert (repair.failed_step, repair.reason, repair.since) == ("issue", "Could not issue: 422", _hours(7))


async def test_how_long_it_waits_is_told_in_whole_seconds_and_never_below_none(db: Database) -> None:
    since = now() - timedelta(hours=2)
    await _world(db, _case("c", _hours(1), opened_at=since), _repair("r", now() + timedelta(days=9)))
    earliest = now()
    found = {one.kind: one.age for one in (await _read(db)).data}
    latest = now()
    assert int((earliest - since).total_seconds()) <= found[Kind.CASE] <= int((latest - since).total_seconds())
    assert found[Kind.REPAIR] == 0


async def test_paging_shows_everything_once_also_where_deadlines_are_the_same(db: Database) -> None:
    records = [_approval(f"a{number}", _hours(1)) for number in range(5)]
    records += [_case(f"c{number}", _hours(1)) for number in range(4)]
    records += [_repair(f"r{number}", _hours(1)) for number in range(3)] + [_approval("z", None), _approval("y", None)]
    await _world(db, *records)
    seen: list[str] = []
    cursor, pages = None, 0
    while cursor or not pages:
        found = await _read(db, cursor=cursor, limit=3)
        seen, cursor, pages = [*seen, *_names(found)], found.next_cursor, pages + 1
    assert (len(seen), len(set(seen)), pages) == (14, 14, 5)
    assert seen[-2:] == ["y", "z"]


async def test_two_cases_of_one_invoice_are_two_things_that_wait(db: Database) -> None:
    first, second = (_case("c", _hours(hour)).cases[0] for hour in (1, 2))
    second = second.model_copy(update={"id": "cr_second"})
    await _world(db, a_record(1, Status.CHANGE_REQUESTED, key=_key("c"), cases=(second, first)))
    assert [one.case_id for one in (await _read(db)).data] == ["cr_c", "cr_second"]
    first_page = await _read(db, limit=1)
    assert [one.case_id for one in (await _read(db, cursor=first_page.next_cursor)).data] == ["cr_second"]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"q": "P:A"}, ["a"]),
        ({"q": "acme"}, ["a", "c", "r"]),
        ({"q": "acme 422"}, ["r"]),
        ({"q": "cheaper"}, ["c"]),
        ({"q": "%"}, []),
        ({"q": "_"}, []),
        ({"q": "' OR 1=1 --"}, []),
        ({"kind": Kind.APPROVAL}, ["a"]),
        ({"kind": Kind.CASE}, ["c"]),
        ({"kind": Kind.REPAIR}, ["r"]),
        ({"assignee": "mia"}, ["c"]),
        ({"assignee": "dana", "q": "acme"}, ["a"]),
    ],
)
async def test_it_is_searched_and_narrowed(db: Database, asked: dict[str, Any], names: list[str]) -> None:
    await _world(db, _approval("a", _hours(1), assignee="dana"), _case("c", _hours(2)), _repair("r", _hours(3)))
    assert _names(await _read(db, **asked)) == names


@pytest.mark.parametrize("q", ["100%_", "GLOBEX", "globex 100%"])
async def test_a_customers_name_is_found_as_it_is_written(db: Database, q: str) -> None:
    await _world(db, _approval("a", _hours(1)), customer="globex")
    assert _names(await _read(db, q=q)) == ["a"]
    assert _names(await _read(db, q="100__")) == []


@pytest.mark.parametrize("cursor", ["?", "WyJhIiwiYiJd", "WyJhIiwiYiIsImMiLCJkIl0"])
async def test_a_cursor_of_another_list_is_refused_by_name(db: Database, cursor: str) -> None:
    with pytest.raises(BadInput, match="cursor"):
        await _read(db, cursor=cursor)


async def test_open_cases_are_paged_by_deadline(db: Database) -> None:
    await _world(db, *(_case(f"c{number}", _hours(number // 2)) for number in range(5)))
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        async with db.session() as s:
            page = await invoices.open_cases(s, cursor=cursor, limit=2)
        seen, cursor = [*seen, *(case.id for case in page.data)], page.next_cursor
    assert (seen, cursor) == ([f"cr_c{number}" for number in range(5)], None)


async def test_a_page_costs_the_same_few_statements_however_much_waits(db: Database) -> None:
    def many(start: int, count: int) -> Sequence[InvoiceRecord]:
        numbers = range(start, start + count)
        told = Entry(number=1, at=AT, kind="drafted", actor="billhook", text="draft")
        return [_approval(f"a{number}", _hours(number), entries=(told,)) for number in numbers]

    asked: list[str] = []

    @on.listens_for(db.engine.sync_engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith("SELECT") and "FROM" in statement:
            asked.append(statement)

    async def statements() -> int:
        asked.clear()
        await _read(db, q="acme")
        return len(asked)

    await _world(db, *many(0, 10))
    few = await statements()
    await _world(db, *many(10, 2000))
    assert few == await statements() <= 3
    assert not [one for one in asked if "FROM calls" in one or "SELECT entries.position" in one]
    found = await _read(db, limit=200)
    assert _names(found) == [f"a{number}" for number in range(200)]
