"""`billhook audit`: do our records, the histories, the journal, the mails and the API tell one story?"""

import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from starter.cli.exits import Exit, Stop
from starter.cli.output import AsJson, data, data_json, printable, rows, say

if TYPE_CHECKING:
    from audit.report import AuditReport, Check

_QUIET_S: Final = 3.0
# A short audit needs no progress.
COLUMNS: Final = ("invariant", "says", "checked", "in_flight", "violations")


Whole = Annotated[bool, typer.Option("--whole", help="Exit 7 also where something could not be looked at.")]


def audit(whole: Whole = False, as_json: AsJson = False) -> None:
    """Check the invariants I1 to I10 over everything that can be reached; exits 7 on any violation."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from starter.cli.surroundings import use_embedded_credentials  # noqa: PLC0415

    use_embedded_credentials()
    try:
        report = asyncio.run(_audited())
    except (SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise Stop(
            Exit.UNREACHABLE,
            f"cause: the records cannot be read: {cause}",
            "next:  check BILLHOOK_DATA_DIR and BILLHOOK_DATABASE_URL, then run `billhook db upgrade`",
        ) from error
    _show(report, as_json=as_json)
    if not report.is_clean:
        raise Stop(Exit.NOT_IN_ORDER, f"{len(report.violations)} violations")
    missing = ", ".join(report.not_wholly)
    if missing and whole:
        raise Stop(Exit.NOT_IN_ORDER, f"0 violations, and not wholly checked: {missing}")
    say(f"0 violations; not wholly checked: {missing}" if missing else "0 violations")


async def _audited() -> "AuditReport":
    from audit.auditor import audit as audited  # noqa: PLC0415
    from settings import load_settings  # noqa: PLC0415
    from starter.client import connect  # noqa: PLC0415
    from starter.embedded.auditing import sources_of  # noqa: PLC0415

    settings = load_settings()
    async with sources_of(settings, say, lambda: connect(settings)) as sources:
        return await audited(sources, _progress())


def _progress() -> Any:
    began = time.monotonic()

    def through(count: int) -> None:
        if time.monotonic() - began > _QUIET_S:
            say(f"{count} invoices looked at")

    return through


def _show(report: "AuditReport", *, as_json: bool) -> None:
    if as_json:
        data_json(
            {"clean": report.is_clean, "whole": not report.not_wholly, "checks": [_json(one) for one in report.checks]}
        )
        return
    show(report)


def show(report: "AuditReport") -> None:
    """The table, then what a person should read: violations with evidence, what was left out, what is worth knowing."""
    table = [
        {
            "invariant": one.invariant,
            "says": one.title,
            "checked": one.items,
            "in_flight": one.in_flight,
            "violations": len(one.violations),
        }
        for one in report.checks
    ]
    rows(table, COLUMNS, as_json=False)
    for name, found in report.violations:
        data(f"\n{name} VIOLATED by {printable(found.subject)}")
        data(f"   evidence: {printable(found.evidence)}")
        data(f"   next:     {found.next_step}")
    for one in report.checks:
        if one.unchecked:
            say(f"{one.invariant} not wholly checked: {printable(one.unchecked)}")
        for note in one.notes:
            say(f"{one.invariant} note: {printable(note)}")


def _json(check: "Check") -> dict[str, Any]:
    return {
        "invariant": check.invariant,
        "says": check.title,
        "checked": check.items,
        "in_flight": check.in_flight,
        "unchecked": check.unchecked,
        "notes": list(check.notes),
        "violations": [
            {"subject": one.subject, "evidence": one.evidence, "next_step": one.next_step} for one in check.violations
        ],
    }
