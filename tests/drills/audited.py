"""The auditor's findings as the sentences of a drill's report."""

from audit.auditor import audit
from audit.sources import Sources


async def findings(sources: Sources) -> list[str]:
    """Every violation; and every invariant that could not be checked, for a drill reaches everything."""
    report = await audit(sources)
    wrong = [f"{name}: {found.subject}: {found.evidence}" for name, found in report.violations]
    return wrong + [f"{one.invariant} was not checked: {one.unchecked}" for one in report.checks if one.unchecked]
