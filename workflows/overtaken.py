"""What the recipient or the API did while the invoice rested elsewhere than with the recipient.

A next version that waits for us, or a step that was refused for good, can be overtaken: the issued version is approved
or voided meanwhile. Then that stands, and nothing that was still to be done about it is waited for.
"""

from temporalio import workflow

from billing.lifecycle import Lifecycle
from workflows.cases import open_cases
from workflows.inbox import Inbox
from workflows.interruptions import Edited, Stopped
from workflows.state import InvoiceState


def read_events(state: InvoiceState, inbox: Inbox) -> Lifecycle:
    """The whole inbox at once: the fold puts it in order."""
    state.hear(inbox.events)
    inbox.events.clear()
    life = state.life()
    state.note_fates(life, workflow.now())
    open_cases(life, state)
    return life


def check_overtaken(state: InvoiceState, inbox: Inbox) -> None:
    """Reads what came. Raises Stopped (voided at the API) or Edited (approved: on with the version that was)."""
    if not state.issued_version:
        return
    life = read_events(state, inbox)
    if life.voided_at:
        raise Stopped(life.ended_by, "voided there", at_api=True)
    if life.approved_at:
        if not state.is_issued:
            words = f"V{state.issued_version} was approved before V{state.version} was issued, and stands"
            state.news.note(workflow.now(), "overtaken", "recipient", words)
            state.back_to_issued()
        raise Edited
