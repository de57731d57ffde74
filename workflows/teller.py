"""What is said of an invoice: to our records by the news that the next step carries, to its trail, and to the Temporal
UI in words."""

from typing import Any, Final

from temporalio import workflow

from billing.decisions import Answer, Decision
from billing.errors import BillhookError
from billing.record import Status
from billing.trail import decision_body
from billing.untrusted import one_line
from workflows import visibility
from workflows.inbox import BY_SIGNAL, Asked
from workflows.state import InvoiceState

_LONGEST_REASON: Final = 1_000


class Teller:
    """One for each invoice. Nothing here waits: who is to be told at once is told by OwnRecords."""

    def __init__(self, state: InvoiceState) -> None:
        self._state = state
        self._shown: tuple[Any, ...] = ()

    def become(self, status: Status, waiting_for: str = "") -> None:
        """A state change: our record, the details in words, and one upsert for a state that lasts."""
        if (status, waiting_for) == (self._state.status, self._state.waiting_for) and self._shown:
            return
        if status is not self._state.status:
            self._state.refusal = ""
        self._state.status, self._state.waiting_for = status, waiting_for
        self._state.news.changed()
        self.show()

    def show(self) -> None:
        record = self._state.record()
        workflow.set_current_details(visibility.current_details(record, self._state.refusal))
        shown = (record.status, record.total_minor, record.failed_step)
        if record.status in visibility.LASTING and shown != self._shown:
            workflow.upsert_search_attributes(visibility.updates(record))
            self._shown = shown

    def note(self, kind: str, actor: str, text: str) -> None:
        self._state.news.note(workflow.now(), kind, actor, text)

    def keep(self, kind: str, actor: str, **body: Any) -> None:
        """One entry of the audit trail; `body` holds JSON values alone."""
        self._state.news.append(workflow.now(), kind, actor, {"revision": self._state.revision, **body})

    def decided(self, asked: Asked[Any], seen: str, note: str, *, then: str = "", **more: Any) -> None:
        """Keeps a human's answer: what he saw, and what the content is now. `then` says in words what came of it."""
        at, action = workflow.now(), asked.action
        self._state.is_attended = True
        decision = Decision(
            at=at,
            action=action,
            actor=asked.actor,
            revision=seen,
            result_revision=self._state.revision,
            note=note,
            channel=asked.channel,
        )
        self._state.news.decided(decision)
        self._state.news.append(at, action.value, asked.actor, {**decision_body(decision), **more, **_edit(asked)})
        self._state.news.note(at, "decision", asked.actor, f"{_words(asked)}{_after(': ', note)}{_after('; ', then)}")

    def refuse(self, asked: Asked[Any], refusal: BillhookError) -> None:
        """A signal has no answer: whoever sent it reads the reason in the timeline and in the Temporal UI."""
        asked.refusal = refusal
        seen = getattr(asked.wish, "revision", self._state.revision)
        reason = one_line(refusal.detail, _LONGEST_REASON)
        self.keep(
            "refused", asked.actor, action=asked.action.value, channel=asked.channel, revision=seen, reason=reason,
            note=getattr(asked.wish, "note", getattr(asked.wish, "reason", "")), **asked.sent, **_edit(asked),
        )  # fmt: skip
        self.note("refused", asked.actor, f"{_words(asked)} refused: {reason}")
        self._state.refusal = f"{_words(asked)} refused: {reason}{_after('; ', refusal.next_step)}"
        self.show()

    def answer(self, note: str = "") -> Answer:
        return Answer(status=self._state.status.value, revision=self._state.revision, note=note)


def _words(asked: Asked[Any]) -> str:
    via = " (by signal)" if asked.channel == BY_SIGNAL else ""
    return asked.action.value.replace("_", " ") + via


def _after(before: str, text: str) -> str:
    return before + text if text else ""


def _edit(asked: Asked[Any]) -> dict[str, Any]:
    """The edit as it was sent, for the trail."""
    patch = getattr(asked.wish, "patch", None)
    return {} if patch is None else {"edit": patch.model_dump(mode="json", exclude_defaults=True)}
