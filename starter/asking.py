"""What people and agents ask of an invoice's workflow, one update each: HTTP, desk and agents hear the same words.

EngineUnreachable     503  Temporal did not answer; nothing was decided
└── NoAnswerYet       503  the wish may have arrived; the workflow did not answer in time
"""

import asyncio
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from billing.decisions import Answer, Cancel, Decide, DecideChange, Delegate, Propose, Retry
from billing.errors import BadInput, BillhookError, Conflict, Forbidden, NotFound, NotPossible, StaleRevision
from billing.intent import canonical_hash
from starter.client import EngineUnreachable, translated
from starter.ranking import put_first

UPDATE_TIMEOUT: Final = timedelta(seconds=20)
# An update waits for the main loop, which may be inside a step at the invoicing API.
_REFUSALS: Final[dict[str, type[BillhookError]]] = {
    kind.slug: kind for kind in (BadInput, StaleRevision, NotPossible, Conflict, Forbidden, NotFound)
}


class NoAnswerYet(EngineUnreachable):
    """The wish reached Temporal, and no worker answered it in time; it may still be carried out."""

    slug = "no-answer-yet"

    def __init__(self, key: str) -> None:
        super().__init__()
        self.args = (f"{key} did not answer in time; what you asked may still be carried out",)
        self.detail = str(self)
        self.next_step = (
            f"read it: GET /invoices/{key}; over HTTP ask again under the same Idempotency-Key, which is safe; see that"
            " a worker runs"
        )


async def decide(client: Client, key: str, wish: Decide, once: str | None = None) -> Answer:
    """Approve or reject; the same wish under the same `once` is one wish, and its repeats hear the same answer.

    Raises the workflow's refusal, NoSuchWorkflow, NoAnswerYet, EngineUnreachable.
    """
    return await _ask(client, key, "decide", wish, update_id=_update_id(wish, once))


async def delegate(client: Client, key: str, wish: Delegate, once: str | None = None) -> Answer:
    """Put an open approval to another approver. Raises like `decide`."""
    return await _ask(client, key, "delegate", wish, update_id=_update_id(wish, once))


async def decide_change_request(client: Client, key: str, wish: DecideChange, once: str | None = None) -> Answer:
    """Accept or decline a change request. Raises like `decide`."""
    return await _ask(client, key, "decide_change_request", wish, update_id=_update_id(wish, once))


async def propose(client: Client, key: str, wish: Propose) -> Answer:
    """An agent's wish; the same call twice is one. Raises like `decide`."""
    return await _ask(client, key, "propose", wish, update_id=wish.call_id)


async def cancel(client: Client, key: str, wish: Cancel, once: str | None = None) -> Answer:
    """Discard the draft or void the invoice. Raises like `decide`."""
    return await _ask(client, key, "cancel", wish, update_id=_update_id(wish, once))


async def retry(client: Client, key: str, wish: Retry, once: str | None = None) -> Answer:
    """Resume or abandon a parked invoice. Raises like `decide`."""
    return await _ask(client, key, "retry", wish, update_id=_update_id(wish, once))


def _update_id(wish: BaseModel, once: str | None) -> str | None:
    """One for the same wish of the same person under the same idempotency key; else each call is a wish of its own."""
    return None if once is None else canonical_hash({"once": once, "wish": wish.model_dump(mode="json")})


async def _ask(client: Client, key: str, update: str, wish: BaseModel, *, update_id: str | None = None) -> Answer:
    handle = client.get_workflow_handle(key)
    try:
        # Around both: the SDK gives the acceptance and the outcome this long each.
        async with asyncio.timeout(UPDATE_TIMEOUT.total_seconds()):
            await put_first(client, handle)
            answer: Any = await handle.execute_update(
                update, wish, id=update_id, result_type=Answer, rpc_timeout=UPDATE_TIMEOUT
            )
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise NoAnswerYet(key) from error
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except RPCError as error:
        raise translated(error, key) from error
    return Answer.model_validate(answer)


def _refusal(error: WorkflowUpdateFailedError) -> BaseException:
    """The refusal as the workflow raised it, or the failure itself where we know no such refusal."""
    cause = error.cause
    kind = _REFUSALS.get(cause.type or "") if isinstance(cause, ApplicationError) else None
    if kind is None or not isinstance(cause, ApplicationError):
        return error
    details = cause.details[0] if cause.details and isinstance(cause.details[0], dict) else {}
    # Its words were built where it was raised; building them again here would need what only the workflow knows.
    told = kind.__new__(kind)
    BillhookError.__init__(told, cause.message, field=details.get("field", ""), next_step=details.get("next_step", ""))
    told.is_kept = details.get("is_kept", True)
    if isinstance(told, BadInput):
        told.cause = cause.message.removeprefix(f"{told.field}: ")
    return told
