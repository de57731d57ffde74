"""The last word on an event that came when its invoice's workflow had ended, and what it adds to the invoice."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from billing.record import CaseRecord, Entry, EventFate, Fate
from records.sql import affected, insert, table
from records.tables import CaseRow, EntryRow, EventRow, InvoiceRow

_V, _E, _I = table(EventRow), table(EntryRow), table(InvoiceRow)


async def state(
    s: AsyncSession,
    key: str,
    told: EventFate,
    entries: Sequence[Entry] = (),
    *,
    recipient: dict[str, Any] | None = None,
    case: CaseRecord | None = None,
) -> None:
    """State it, once however often it is said; `entries` go to the end of the timeline.

    `recipient` are fields that the invoice shows from now on. A stated fate is final; a quarantined event is not
    stated, since it may be replayed.
    """
    held = (await s.execute(select(_I.c.sequence, _I.c.recipient).where(_I.c.key == key).with_for_update())).one()
    stated_by = None if told.fate is Fate.QUARANTINED else held.sequence
    unsaid = or_(_V.c.fate != told.fate.value, _V.c.reason != told.reason)
    mine = update(_V).where(_V.c.id == told.event_id, _V.c.stated_by.is_(None), unsaid)
    if not await affected(s, mine.values(fate=told.fate.value, reason=told.reason, stated_by=stated_by)):
        return
    await _append(s, key, entries)
    if recipient:
        await s.execute(update(_I).where(_I.c.key == key).values(recipient={**held.recipient, **recipient}))
    if case is not None:
        values = {**case.model_dump(), "key": key, "sequence": held.sequence}
        await s.execute(insert(s, CaseRow).values(values).on_conflict_do_nothing())


async def _append(s: AsyncSession, key: str, entries: Sequence[Entry]) -> None:
    last = (await s.execute(select(func.coalesce(func.max(_E.c.position), 0)).where(_E.c.key == key))).scalar_one()
    for place, entry in enumerate(entries, start=last + 1):
        await s.execute(insert(s, EntryRow).values(key=key, position=place, **entry.model_dump(exclude={"number"})))
