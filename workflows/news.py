"""What our records were not told yet: numbered, so that telling it twice is telling it once.

Each part rides on the next step's request and is dropped when that step was answered; until then it is kept, over a
continue-as-new too. The audit trail's position and head live here: the workflow alone appends to it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from temporalio import workflow

from billing.decisions import Decision
from billing.record import Call, CallEntry, Content, Entry, EventFate, InvoiceRecord, Placed
from billing.trail import TrailEntry, chained


class News(BaseModel):
    """`sequence` grows with whatever changes; `told` is the last one that our records hold.

    It never falls behind the microsecond at which the present workflow task began, and a task has fewer changes than it
    takes microseconds. What a task told that was never completed, since its worker died or since news came while it
    ended the run, is thereby older than all that its second play tells, whatever that comes to.
    """

    sequence: int = 1
    told: int = 0
    task: int = Field(default=0, exclude=True)
    began: int = Field(default=0, exclude=True)
    entry_count: int = 0
    entries: list[Entry] = []
    decision_count: int = 0
    decisions: list[Decision] = []
    fates: list[EventFate] = []
    known_fates: dict[str, EventFate] = {}
    position: int = 0
    head: str
    trail: list[TrailEntry] = []
    call_count: int = 0
    calls: list[CallEntry] = []
    contents: list[Content] = []

    @property
    def is_told(self) -> bool:
        return self.told >= self.sequence

    def _grow(self) -> None:
        task = workflow.info().get_current_history_length()
        if task != self.task:
            self.task, self.began = task, workflow.time_ns() // 1000
        self.sequence = max(self.sequence + 1, self.began)

    def changed(self) -> None:
        """The state did, in a way that none of these parts says."""
        self._grow()

    def note(self, at: datetime, kind: str, actor: str, text: str) -> None:
        """One line for the timeline."""
        self.entry_count += 1
        self._grow()
        self.entries.append(Entry(number=self.entry_count, at=at, kind=kind, actor=actor, text=text))

    def decided(self, decision: Decision) -> None:
        """A person's answer, given its place among all those of the invoice."""
        self.decision_count += 1
        self._grow()
        self.decisions.append(decision.model_copy(update={"position": self.decision_count}))

    def append(self, at: datetime, kind: str, actor: str, body: dict[str, Any]) -> None:
        """One entry of the audit trail, chained to the one before it."""
        self.position += 1
        self._grow()
        self.trail.append(chained(self.position, at, kind, actor, body, self.head))
        self.head = self.trail[-1].hash

    def called(self, step: str, calls: Iterable[Call]) -> None:
        """The outside calls that an answered step made. They ride along; nothing waits for them."""
        for call in calls:
            self.call_count += 1
            self.calls.append(CallEntry(position=self.call_count, step=step, call=call))

    def holds(self, content: Content) -> None:
        """A revision came to be, or was issued."""
        self._grow()
        self.contents.append(content)

    def befell(self, fate: EventFate) -> None:
        """What became of an event, where that is new."""
        if self.known_fates.get(fate.event_id) != fate:
            self.known_fates[fate.event_id] = fate
            self.fates.append(fate)
            self._grow()

    def untold(self) -> dict[str, Any]:
        """The parts of a record that are news, and what was told before."""
        return {name: tuple(getattr(self, name)) for name in _PARTS} | {"after": self.told, "placed": self._placed()}

    def _placed(self) -> Placed:
        return Placed(
            entries=self.entry_count - len(self.entries),
            decisions=self.decision_count - len(self.decisions),
            trail=self.position - len(self.trail),
            calls=self.call_count - len(self.calls),
        )

    def mark_told(self, record: InvoiceRecord) -> None:
        """Our records hold `record`: its news need not be told again. Two may be under way with the same news."""
        self.told = max(self.told, record.sequence)
        for name in _PARTS:
            known = {id(one) for one in getattr(record, name)}
            getattr(self, name)[:] = [one for one in getattr(self, name) if id(one) not in known]


_PARTS = ("entries", "decisions", "fates", "trail", "calls", "contents")
