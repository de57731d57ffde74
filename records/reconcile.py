"""What reconciliation asks of our records: everything we hold of the invoices on one page of the API's list."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import RowMapping, Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from billing.events import InvoiceEvent
from billing.held import Held, HeldEvent
from billing.money import Money
from billing.record import Fate, Status
from records.sql import now, table
from records.tables import CaseRow, EntryRow, EventRow, IntentRow, InvoiceRow

_N, _I, _V = table(IntentRow), table(InvoiceRow), table(EventRow)
_K, _E = table(CaseRow), table(EntryRow)
_GONE = (Status.CANCELLED.value, Status.REJECTED.value)


class Ledger:
    """The invoices that we hold, found by our reference or by the API's id."""

    def __init__(self, held: Iterable[Held]) -> None:
        self._by_key = {one.key: one for one in held}
        self._by_id = {one.external_id: one for one in self._by_key.values() if one.external_id}

    def of(self, external_id: str, reference: str | None) -> Held | None:
        """By the API's id first: a second invoice that names our reference is not ours."""
        return self._by_id.get(external_id) or self._by_key.get(reference or "")


async def held(s: AsyncSession, external_ids: Collection[str], references: Collection[str]) -> Ledger:
    """What we hold of the invoices with these ids or references; four statements however many."""
    heads = (await s.execute(_heads(external_ids, references))).mappings().all()
    keys = [row["key"] for row in heads]
    ids = {*external_ids, *(row["external_id"] for row in heads if row["external_id"])}
    events = await _events(s, ids)
    cases = await _cases(s, keys)
    abandoned = await _abandoned(s, [row["key"] for row in heads if row["status"] == Status.CANCELLED.value])
    return Ledger(_held(row, events[row["external_id"] or ""], cases[row["key"]], abandoned) for row in heads)


async def mark_seen(s: AsyncSession, external_ids: Collection[str], run: str) -> None:
    """The API's list has these; what has not the mark at the run's end must be looked for."""
    await s.execute(update(_I).where(_I.c.external_id.in_(external_ids)).values(seen_in=run))


async def unseen(s: AsyncSession, run: str, after: str, limit: int) -> list[tuple[str, str]]:
    """Key and external id of invoices that `run` did not see and that should be there, by key, after `after`."""
    query = (
        select(_I.c.key, _I.c.external_id)
        .where(_I.c.key > after, _I.c.external_id.is_not(None), _I.c.status.not_in(_GONE))
        .where(or_(_I.c.seen_in.is_(None), _I.c.seen_in != run))
        .order_by(_I.c.key)
        .limit(limit)
    )
    return [(row.key, row.external_id) for row in await s.execute(query)]


def _heads(external_ids: Collection[str], references: Collection[str]) -> Select[Any]:
    return (
        select(
            _N.c.key,
            _N.c.created_at,
            func.coalesce(_I.c.status, Status.DRAFTING.value).label("status"),
            func.coalesce(_I.c.currency, _N.c.currency).label("currency"),
            func.coalesce(_I.c.total_minor, _N.c.total_minor).label("total_minor"),
            func.coalesce(_I.c.version, 1).label("version"),
            *(_I.c[name] for name in ("external_id", "recipient", "carried", "failed_step", "issued", "updated_at")),
        )
        .select_from(_N.outerjoin(_I))
        .where(or_(_N.c.key.in_(references), _I.c.external_id.in_(external_ids)))
    )


async def _events(s: AsyncSession, external_ids: Collection[str]) -> dict[str, list[HeldEvent]]:
    found: dict[str, list[HeldEvent]] = defaultdict(list)
    query = select(_V).where(_V.c.invoice_id.in_(external_ids)).order_by(_V.c.received_at)
    for row in (await s.execute(query)).mappings():
        event = _event(row)
        if event is not None:
            found[row["invoice_id"]].append(event)
    return found


def _event(row: RowMapping) -> HeldEvent | None:
    try:
        event = InvoiceEvent.model_validate_json(row["raw"])
    except ValidationError:
        # Stored by an earlier release that read more; the router quarantines it.
        return None
    stated = row["stated_by"] is not None
    return HeldEvent(event, Fate(row["fate"]), row["reason"], age=now() - row["received_at"], is_stated=stated)


async def _cases(s: AsyncSession, keys: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in await s.execute(select(_K.c.key, _K.c.id, _K.c.status).where(_K.c.key.in_(keys))):
        found[row.key][row.id] = row.status
    return found


async def _abandoned(s: AsyncSession, keys: list[str]) -> set[str]:
    """Those that a person closed after the recipient's approval, knowing that they are not billed."""
    if not keys:
        return set()
    query = select(_E.c.key).where(_E.c.key.in_(keys), _E.c.kind == "abandoned")
    return set((await s.execute(query)).scalars())


def _held(row: RowMapping, events: list[HeldEvent], cases: dict[str, str], abandoned: set[str]) -> Held:
    updated_at = row["updated_at"] or row["created_at"]
    return Held(
        key=row["key"],
        status=Status(row["status"]),
        version=row["version"],
        total=Money(minor=row["total_minor"], currency=row["currency"]),
        since=row["created_at"],
        external_id=row["external_id"],
        age=max(timedelta(), now() - updated_at),
        issued=bool(row["issued"]),
        failed_step=row["failed_step"],
        closed_unbilled=row["key"] in abandoned,
        known={**(row["carried"] or {}), **(row["recipient"] or {})},
        cases=cases,
        events=tuple(events),
    )
