"""From a recipient's request to a case: who has to answer it, and by when."""

from datetime import datetime

from billing.assessment import Assessment
from billing.lifecycle import OpenCase
from billing.record import CaseRecord

ANYONE = "anyone who may approve"
# The owner where the policy names none.


def open_case(case_id: str, found: OpenCase, assessment: Assessment) -> CaseRecord:
    """A case counts from the moment of the request, however late we hear of it."""
    times = assessment.case_times(found.at)
    return CaseRecord(
        id=case_id,
        version=found.version,
        opened_at=found.at,
        remind_at=times.remind_at,
        warn_at=times.warn_at,
        deadline=times.deadline,
        owner=assessment.case_owner or ANYONE,
        message=found.request.message,
        proposed=found.request.proposed,
    )


def case_words(case: CaseRecord) -> str:
    """For a timeline."""
    return f"case {case.id} for {case.owner}, until {case.deadline:%Y-%m-%d %H:%M} UTC"


def responded(case: CaseRecord, at: datetime) -> CaseRecord:
    """One of us acted on it; the first time counts."""
    return case.model_copy(update={"first_response_at": case.first_response_at or at})


def resolved(case: CaseRecord, status: str, at: datetime, by: str, answer: str = "") -> CaseRecord:
    """Closed; after its deadline it is a breach, also where nothing rang in between."""
    breached_at = case.breached_at or (case.deadline if at > case.deadline else None)
    changes = {"status": status, "resolved_at": at, "resolved_by": by, "breached_at": breached_at}
    return case.model_copy(update=changes | ({"answer": answer} if answer else {}))
