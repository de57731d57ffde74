"""What the audit must not cry about, and what only the histories can tell it."""

import copy
from datetime import UTC, datetime

import pytest

from audit.report import AuditReport, Check
from tests.audit.tampered import Books

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def check(report: AuditReport, invariant: str) -> Check:
    return next(one for one in report.checks if one.invariant == invariant)


async def test_what_changed_since_the_sources_were_read_is_in_flight_and_counted_so(books: Books) -> None:
    """The API's truth is older than our record: its approval, our billing and the posting came in between."""
    remote = books.remote("automatic")
    remote |= {"status": "viewed", "approved_at": None}
    remote["versions"][0]["approved_at"] = None
    report = await books.audited(histories=True, as_of=_LONG_AGO)
    assert report.is_clean, report.violations
    assert check(report, "I8").in_flight == len(books.keys)
    assert check(report, "I8").items == 0


async def test_an_event_on_its_way_to_a_running_workflow_is_in_flight(books: Books) -> None:
    books.sql(
        "INSERT INTO events (id, source, type, invoice_id, reference, created_at, received_at, raw, fate, reason,"
        " attempts) SELECT 'evt_way', 'reconcile', type, 'inv_x', ?, created_at, received_at, raw, 'delivered', '', 1"
        " FROM events LIMIT 1",
        books.keys["waiting"],
    )
    report = await books.audited(histories=True)
    assert report.is_clean, report.violations
    assert check(report, "I5").in_flight == 1


async def test_a_persons_decision_to_close_an_approved_invoice_unbilled_is_told_and_no_violation(books: Books) -> None:
    key = books.keys["cancelled"]
    books.remote("cancelled")["status"] = "approved"
    books.sql(
        "INSERT INTO entries (key, position, at, kind, actor, text) SELECT key, max(position) + 1, max(at),"
        " 'abandoned', 'dana', 'closed without billing: another total' FROM entries WHERE key = ?",
        key,
    )
    report = await books.audited()
    assert not check(report, "I8").violations
    assert [note for note in check(report, "I8").notes if key in note and "dana" in note]


async def test_a_mail_handed_over_twice_needs_a_second_attempt_to_explain_it(books: Books) -> None:
    books.mails.append(copy.copy(books.mails[0]))
    with_histories, without = await books.audited(histories=True), await books.audited()
    assert [found.evidence for found in check(with_histories, "I10").violations] == [
        f"to {books.mails[0]['To']}, 2 times in the sink under {_local(books)}; attempts: 1"
    ]
    assert not check(without, "I10").violations
    assert "after a crash" in check(without, "I10").notes[0]


def _local(books: Books) -> str:
    return str(books.mails[0]["Message-ID"]).strip("<>").partition("@")[0]


@pytest.mark.parametrize(
    ("column", "value"), [("sequence", 1), ("total_minor", 1), ("recipient", "{}"), ("version", 9)]
)
async def test_a_record_that_is_not_the_workflows_last_word_is_found(books: Books, column: str, value: object) -> None:
    key = books.keys["automatic"]
    books.sql(f"UPDATE invoices SET {column} = ? WHERE key = ?", value, key)  # noqa: S608 - the test's own words
    found = await books.found("I4", histories=True)
    words = f"its workflow ended with {column}"
    assert [one for one in found if one.subject == key and one.evidence.startswith(words)], found


async def test_an_earlier_version_that_nobody_cleared_is_found_by_its_history(books: Books) -> None:
    """The record speaks of V2 alone; what went out as V1 is in the history."""
    key = books.keys["second_version"]
    books.sql("DELETE FROM assessments WHERE key = ? AND json_extract(body, '$.automatic')", key)
    found = await books.found("I3", histories=True)
    assert [one.subject for one in found] == [f"{key} V1"]


async def test_a_decision_that_came_after_the_issue_is_found(books: Books) -> None:
    books.sql("UPDATE decisions SET at = '2050-01-01 00:00:00' WHERE key = ?", books.keys["edited"])
    found = await books.found("I3", histories=True)
    assert [one for one in found if "approved at 2050" in one.evidence], found


async def test_a_record_that_says_open_while_its_workflow_has_ended_is_found(books: Books) -> None:
    books.sql("UPDATE invoices SET status = 'change_requested' WHERE key = ?", books.keys["cancelled"])
    found = await books.found("I4", histories=True)
    assert [one for one in found if "ended with status cancelled, the record says change_requested" in one.evidence]
