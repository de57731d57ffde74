"""The auditor's findings as the sentences of a drill's report."""

from audit.auditor import audit
from audit.sources import Sources

NO_LIST = "Temporal's list of workflows (this server has none)"
# The time-skipping server answers no list request; the histories themselves are compared there too.


async def findings(sources: Sources, without: str = "") -> list[str]:
    """Every violation; and every invariant that could not be checked, for a drill reaches everything.

    `without` is the one source that this drill's server does not have.
    """
    report = await audit(sources)
    wrong = [f"{name}: {found.subject}: {found.evidence}" for name, found in report.violations]
    missed = [(one.invariant, why) for one in report.checks for why in one.unchecked.split("; ") if why]
    return wrong + [
        f"{name} was not checked: {why}" for name, why in missed if not without or not why.startswith(without)
    ]
