"""An audit of invoices that went right finds nothing, and says how much it looked at."""

from audit.auditor import audit
from audit.report import AuditReport
from tests.audit import paths
from tests.stack import Stack


def words(report: AuditReport) -> str:
    lines = [f"{one.invariant}: {one.items} items, {one.in_flight} in flight, {one.unchecked}" for one in report.checks]
    return "\n".join([*lines, *(f"{name} {found.subject}: {found.evidence}" for name, found in report.violations)])


async def test_every_path_played_right_is_clean_by_all_sources(stack: Stack) -> None:
    keys = await paths.play(stack)
    report = await audit(await paths.sources(stack))
    assert report.is_clean, words(report)
    # Eight versions were asked to be issued, seven invoices have ended; the journal is one more total.
    counts = {one.invariant: one.items for one in report.checks}
    assert {"I1": len(keys), "I3": 8, "I7": len(keys) + 1, "I8": 7} == {
        name: counts[name] for name in ("I1", "I3", "I7", "I8")
    }
    assert counts["I5"] == len((await stack.truth())["events"])
    assert counts["I10"] == len(stack.mailbox.mails)
    assert all(not one.unchecked for one in report.checks), words(report)
