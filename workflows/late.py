"""One amendment that came when its invoice's workflow had ended: the CRM still hears of it, durably.

Rare, so that a workflow of its own costs less than every invoice's workflow waiting for it. Workflow id: the key,
`late` and the event's id.
"""

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities import signatures as step
    from billing.record import EventFate, Fate
    from workflows import options
    from workflows.failures import words_of


class LateStart(BaseModel):
    """What to sync, and what to state of the event then."""

    model_config = ConfigDict(frozen=True)

    sync: step.SyncFields
    state: step.StateLate


@workflow.defn
class LateEventWorkflow:
    """Ends with the event applied, or quarantined with the CRM's refusal; `billhook events replay` tries again."""

    @workflow.run
    async def run(self, late: LateStart) -> None:
        stated = late.state
        try:
            await workflow.execute_activity(
                step.SYNC_FIELDS.name, late.sync, result_type=step.SYNC_FIELDS.answers,
                summary=step.SYNC_FIELDS.words, **options.outside(step.SYNC_FIELDS.name),
            )  # fmt: skip
        except ActivityError as error:
            refusal = f"could not {step.SYNC_FIELDS.words}: {words_of(error)}"
            told = EventFate(event_id=stated.told.event_id, fate=Fate.QUARANTINED, reason=refusal)
            stated = step.StateLate(key=stated.key, told=told)
        await workflow.execute_local_activity(
            step.STATE_LATE.name, stated, result_type=step.STATE_LATE.answers,
            summary=step.STATE_LATE.words, **options.RECORDS,
        )  # fmt: skip
