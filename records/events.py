"""The intake's memory: an event is stored once, before it is answered, and its fate can always be told.

Two write a fate: the dispatcher (delivered, quarantined, another attempt) and the workflow (applied, ignored). The
workflow's word is final for the dispatcher, whichever of the two is written first.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import ColumnElement, and_, bindparam, func, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from billing.events import EventType, InvoiceEvent
from billing.record import Fate
from records.claim_tables import ClaimRow
from records.sql import affected, insert_for, now, paged, table
from records.tables import EventRow, InvoiceRow

_V, _I, _C = table(EventRow), table(InvoiceRow), table(ClaimRow)
IS_PENDING: Final = _V.c.fate == literal_column(f"'{Fate.PENDING.value}'")
# A literal: PostgreSQL's generic plan for a parameter cannot know that the partial index is enough.

OURS: Final = "jupiter"
DERIVED: Final = "reconcile"
_ABOUT_INVOICES: Final = (OURS, DERIVED)
# What the invoicing API told, and what we derived from its answers; all other sources' events are notices.


def is_notice(source: str) -> bool:
    """Whether events of `source` are another system's, which may begin an invoice and belong to none."""
    return source not in _ABOUT_INVOICES


class StoredEvent(BaseModel):
    """An event with what became of it, without its raw body."""

    id: str
    source: str
    type: str
    invoice_id: str
    reference: str | None
    created_at: datetime
    received_at: datetime
    fate: Fate
    reason: str
    attempts: int
    next_attempt_at: datetime | None


class EventPage(BaseModel):
    data: list[StoredEvent]
    next_cursor: str | None = None


@dataclass(frozen=True)
class Arrival:
    """A verified event as it came: who sent it, what it says, and its bytes."""

    source: str
    event: InvoiceEvent
    raw: bytes


@dataclass(frozen=True)
class Notice:
    """A verified event of another system, that may start an invoice; `lane` are those that must keep their order."""

    source: str
    id: str
    type: str
    at: datetime
    lane: str
    raw: bytes


async def accept(s: AsyncSession, source: str, event: InvoiceEvent, raw: bytes) -> bool:
    """Store it; False if this source sent this event id before."""
    return (await accept_all(s, [Arrival(source, event, raw)]))[0]


async def accept_all(s: AsyncSession, arrivals: Sequence[Arrival | Notice]) -> list[bool]:
    """Store them; for each whether it is new: not known from before, and not a second time among these."""
    connection = await s.connection()
    rows = [_row(arrival) for arrival in arrivals]
    # By id: two processes that store the same events at once must not wait for each other.
    ordered = sorted(rows, key=itemgetter("id"))
    stored = (await connection.execute(_insert_new(connection.dialect.name), ordered)).all()
    new = {(row.id, row.source) for row in stored}
    answers = []
    for row in rows:
        answers.append((row["id"], row["source"]) in new)
        new.discard((row["id"], row["source"]))
    return answers


@lru_cache
def _insert_new(dialect: str) -> Any:
    """Built once: this is the door's hot path."""
    return insert_for(dialect, EventRow).on_conflict_do_nothing().returning(_V.c.id, _V.c.source)


def _row(arrival: Arrival | Notice) -> dict[str, Any]:
    return {
        **(_about_an_invoice(arrival.event) if isinstance(arrival, Arrival) else _about_none_yet(arrival)),
        "source": arrival.source,
        "received_at": now(),
        "raw": arrival.raw,
        "fate": Fate.PENDING.value,
        "reason": "",
        "attempts": 0,
    }


def _about_an_invoice(event: InvoiceEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "invoice_id": event.data.invoice_id,
        "reference": event.data.reference,
        "lane": event.data.reference or event.data.invoice_id,
        "created_at": event.created_at,
    }


def _about_none_yet(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "type": notice.type,
        "invoice_id": "",
        "reference": None,
        "lane": notice.lane,
        "created_at": notice.at,
    }


@dataclass(frozen=True, slots=True)
class Due:
    """An event to be delivered now."""

    id: str
    source: str
    type: str
    lane: str
    reference: str | None
    invoice_id: str
    created_at: datetime
    raw: bytes
    attempts: int


async def pending(
    s: AsyncSession,
    limit: int,
    at: datetime,
    per_lane: int = 20,
    without: Collection[str] = (),
    *,
    notices: bool = False,
    holder: str = "",
) -> list[Due]:
    """What is due for delivery at `at`, the longest waiting lanes first and each lane in the order of events.

    Either the invoicing API's events, or other systems' `notices`: neither kind takes the other's turns.

    A lane in which one event waits for its next attempt waits as a whole, and none gives more than `per_lane`: so order
    holds within an invoice, and one with a thousand events leaves the others their turn. Lanes in `without` are left
    out, and those that another than `holder` has claimed. Places are given by the index alone, and only those who have
    their turn are read.
    """
    rests, about_invoices = func.max(_V.c.next_attempt_at), _V.c.source.in_(_ABOUT_INVOICES)
    others = select(_C.c.name).where(_C.c.holder != holder, _C.c.until > at)
    is_free = and_(_V.c.lane.not_in(without), _V.c.lane.not_in(others))
    lanes = (
        select(_V.c.lane)
        .where(IS_PENDING, ~about_invoices if notices else about_invoices, is_free)
        .group_by(_V.c.lane)
        .having(or_(rests.is_(None), rests <= at))
        .order_by(func.min(_V.c.received_at))
        .limit(limit)
    )
    place = (
        func.row_number()
        .over(partition_by=_V.c.lane, order_by=(_V.c.created_at, _V.c.received_at, _V.c.id))
        .label("place")
    )
    queued = select(_V.c.id, _V.c.source, place).where(IS_PENDING, _V.c.lane.in_(lanes)).subquery()
    turn = (
        select(*(_V.c[field.name] for field in fields(Due)))
        .join(queued, and_(_V.c.id == queued.c.id, _V.c.source == queued.c.source))
        .where(queued.c.place <= per_lane)
        .order_by(queued.c.place, _V.c.received_at)
        .limit(limit)
    )
    return [Due(*row) for row in await s.execute(turn)]


@dataclass(frozen=True)
class Mark:
    """The dispatcher's word on one event; one that waits has the time of its next attempt."""

    event_id: str
    fate: Fate
    reason: str = ""
    attempts: int = 0
    next_attempt_at: datetime | None = None


async def mark(s: AsyncSession, marks: Sequence[Mark]) -> None:
    """Write them where they are pending still: the word of a workflow that was quicker stays, a quarantine too."""
    rows = [
        {
            "event": one.event_id,
            "fate": one.fate.value,
            "reason": one.reason,
            "attempts": one.attempts,
            "next_attempt_at": one.next_attempt_at,
        }
        for one in marks
    ]
    if rows:
        await (await s.connection()).execute(_mark_unstated(), rows)


@lru_cache
def _mark_unstated() -> Any:
    values: dict[str, Any] = {name: bindparam(name) for name in ("fate", "reason", "attempts", "next_attempt_at")}
    return update(_V).where(_V.c.id == bindparam("event"), _V.c.stated_by.is_(None), IS_PENDING).values(values)


async def waiting_bodies(s: AsyncSession, key: str, kind: EventType) -> list[bytes]:
    """The raw bodies of this invoice's events of one type that came, by reference or by id, and wait for delivery."""
    ids = select(_I.c.external_id).where(_I.c.key == key, _I.c.external_id.is_not(None))
    is_its = or_(_V.c.lane == key, _V.c.lane.in_(ids))
    query = select(_V.c.raw).where(_V.c.fate == Fate.PENDING.value, is_its, _V.c.type == kind.value)
    return list((await s.execute(query)).scalars())


async def bodies_of(s: AsyncSession, invoice_id: str) -> list[bytes]:
    """The raw bodies of all events of one invoice of the API's, without those that nobody could place."""
    query = select(_V.c.raw).where(_V.c.invoice_id == invoice_id, _V.c.fate != Fate.QUARANTINED.value)
    return list((await s.execute(query)).scalars())


async def requeue(s: AsyncSession, event_id: str) -> bool:
    """Deliver it again from the start; False if it is unknown, or if the workflow has already stated its fate."""
    return await _requeue(s, _V.c.id == event_id) > 0


async def requeue_quarantined(s: AsyncSession) -> int:
    """Deliver all that lies in quarantine again from the start; how many."""
    return await _requeue(s, _V.c.fate == Fate.QUARANTINED.value)


async def _requeue(s: AsyncSession, which: ColumnElement[bool]) -> int:
    """What else waits in their lanes is due at once too: the wait was for what somebody has mended meanwhile."""
    lanes = select(_V.c.lane).where(which)
    waiting = update(_V).where(IS_PENDING, _V.c.lane.in_(lanes))
    await s.execute(waiting.values(next_attempt_at=None))
    values = {"fate": Fate.PENDING.value, "reason": "", "attempts": 0, "next_attempt_at": None}
    return await affected(s, update(_V).where(which, _V.c.stated_by.is_(None)).values(values))


async def get_event(s: AsyncSession, event_id: str) -> EventRow | None:
    row = (await s.execute(select(_V).where(_V.c.id == event_id).limit(1))).mappings().one_or_none()
    return None if row is None else EventRow(**row)


async def list_events(
    s: AsyncSession,
    *,
    fate: Fate | None = None,
    invoice_id: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> EventPage:
    """Newest first. Raises BadInput on a cursor that is not of this list."""
    query = select(_V)
    if fate is not None:
        query = query.where(_V.c.fate == fate.value)
    if invoice_id is not None:
        query = query.where(_V.c.invoice_id == invoice_id)
    place = (_V.c.received_at, _V.c.id)
    shown, next_cursor = await paged(s, query, place, cursor=cursor, limit=limit, newest_first=True)
    return EventPage(data=[_stored(row) for row in shown], next_cursor=next_cursor)


def _stored(row: Any) -> StoredEvent:
    return StoredEvent(**{name: row[name] for name in StoredEvent.model_fields})
