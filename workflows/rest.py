"""Where an invoice rests: weeks may pass until something reaches it. Its history may not grow without end, and what
comes after an upgrade is to meet the present version of this code."""

from collections.abc import Callable

from temporalio import workflow
from temporalio.workflow import ContinueAsNewVersioningBehavior

from billing.intent import Intent
from workflows.inbox import Inbox
from workflows.state import InvoiceStart, InvoiceState


class Rest:
    """One for every place at which an invoice rests."""

    def __init__(self, intent: Intent, state: InvoiceState, inbox: Inbox) -> None:
        self._intent = intent
        self._state = state
        self._inbox = inbox

    async def until(self, has_news: Callable[[], bool], *, resumable: bool = True) -> None:
        """Returns when there are news. A history that got long, or whose version is no longer the current one, is left
        behind meanwhile for a run that begins with the state alone, on the current version; so only where that is all
        there is: nothing unread, nobody unanswered, and `resumable` by it."""
        await workflow.wait_condition(lambda: has_news() or (resumable and self._may_leave()))
        if not has_news():
            workflow.continue_as_new(
                InvoiceStart(intent=self._intent, state=self._state),
                initial_versioning_behavior=ContinueAsNewVersioningBehavior.AUTO_UPGRADE,
            )

    def _may_leave(self) -> bool:
        waiting = self._inbox.events or self._inbox.waiting()
        info = workflow.info()
        due = info.is_continue_as_new_suggested() or info.is_target_worker_deployment_version_changed()
        return due and not waiting and workflow.all_handlers_finished()
