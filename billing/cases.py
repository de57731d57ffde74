"""From a recipient's request to a case: who has to answer it, and by when."""

from billing.assessment import Assessment
from billing.lifecycle import OpenCase
from billing.record import CaseRecord


def open_case(case_id: str, found: OpenCase, assessment: Assessment) -> CaseRecord:
    """A case counts from the moment of the request, however late we hear of it."""
    return CaseRecord(
        id=case_id,
        version=found.version,
        opened_at=found.at,
        deadline=assessment.case_times(found.at).deadline,
        owner=assessment.case_owner or "anyone who may approve",
        message=found.request.message,
        proposed=found.request.proposed,
    )


def case_words(case: CaseRecord) -> str:
    """For a timeline."""
    return f"case {case.id} for {case.owner}, until {case.deadline:%Y-%m-%d %H:%M} UTC"
