"""An audit of invoices that went right finds nothing, and says how much it looked at."""

from audit.report import AuditReport
from tests.audit import paths
from tests.audit.tampered import Books


def words(report: AuditReport) -> str:
    lines = [f"{one.invariant}: {one.items} items, {one.in_flight} in flight, {one.unchecked}" for one in report.checks]
    return "\n".join([*lines, *(f"{name} {found.subject}: {found.evidence}" for name, found in report.violations)])


async def test_every_path_played_right_is_clean_by_all_sources(books: Books) -> None:
    report = await books.audited(histories=True)
    assert report.is_clean, words(report)
    counts = {one.invariant: one.items for one in report.checks}
    assert counts == {
        "I1": len(paths.PATHS),
        "I2": 9,  # eight issued invoices, one draft that waits, and the API's own survey of eight numbers
        "I3": 8 + 6,  # issued versions, and the trails of the invoices on which somebody decided
        "I4": len(paths.PATHS),
        "I5": len(books.truth["events"]),
        "I6": 0,
        "I7": len(paths.PATHS) + 1 + 7,  # invoices and the journal, and the versions whose content is on record
        "I8": 7,
        "I9": 2,
        "I10": len(books.mails),
    }
    assert all(not one.unchecked for one in report.checks), words(report)


async def test_a_source_that_cannot_be_reached_is_named_and_nothing_of_it_counts(books: Books) -> None:
    report = await books.audited(truth=None, mails=None)
    assert report.is_clean, words(report)
    left_out = {one.invariant: one.unchecked for one in report.checks if one.unchecked}
    every, once = f"{len(books.keys)} not compared", "1 not compared"
    assert left_out == {
        "I1": f"Temporal: {every}; the API's audit: {every}",
        "I2": f"the API's audit: {once}",
        "I3": f"Temporal: {every}",
        "I4": f"Temporal: {every}",
        "I5": f"the API's audit: {once}",
        "I7": "the API's audit: 5 not compared; the journal: 5 not compared",
        "I8": "the API's audit: 7 not compared; the journal: 7 not compared",
        "I10": f"the mail sink: {len(books.mails)} not compared",
    }
    assert {one.invariant: one.items for one in report.checks}["I2"] == 0
