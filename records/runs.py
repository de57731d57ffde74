"""Monthly runs: what a page of subscriptions comes to, and how far each run is.

`take_page` is one transaction's work: a page is closed, built and registered together with what became of each of its
subscriptions, so that a run that is killed anywhere finds either all of a page or none of it. Starting comes after; an
invoice that was registered and not started is found by `intents.unstarted_among`, or by the dispatcher's sweep.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from billing import keys
from billing.errors import BillhookError, KeyTaken
from billing.intent import Intent, Motion
from billing.plans import Subscription
from billing.run_plan import Standing
from billing.run_status import ON_THE_WAY, Outcome
from billing.usage import Skipped, bill
from records import intents, subscriptions, usage
from records.run_tables import EarlierRunRow, UsageRunOutcomeRow, UsageRunRow
from records.sql import insert, now, table
from records.tables import InvoiceRow

_R, _E, _O, _I = table(UsageRunRow), table(EarlierRunRow), table(UsageRunOutcomeRow), table(InvoiceRow)
_UNSETTLED: Final = sorted(status.value for status in ON_THE_WAY)


@dataclass(frozen=True)
class Run:
    """One run of a group's month. `id` is the same however often its steps are repeated; `at` is when it began."""

    group: str
    period: str
    id: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Made:
    """What became of one subscription's month; the key where an invoice stands for it."""

    subscription_id: str
    outcome: Outcome
    reason: str = ""
    key: str | None = None


async def begin(s: AsyncSession, run: Run) -> None:
    """The run's record. Repeating a step changes nothing; another run of the same month begins to count anew, and the
    one before it is kept among the earlier ones.

    Raises BadInput on a period that is none.
    """
    await _keep_earlier(s, run)
    expected = await subscriptions.count_active(s, run.group, run.period)
    values: dict[str, Any] = {
        "run_id": run.id,
        "started_by": run.by,
        "started_at": run.at,
        "told_at": now(),
        "finished_at": None,
        "expected": expected,
        "read": 0,
        "pages": 0,
        "cursor": "",
        "held_ms": 0,
    }
    statement = insert(s, UsageRunRow).values(billing_group=run.group, period=run.period, **values)
    await s.execute(
        statement.on_conflict_do_update(
            index_elements=["billing_group", "period"], set_=values, where=_R.c.run_id != run.id
        )
    )


async def _keep_earlier(s: AsyncSession, run: Run) -> None:
    names = [column.name for column in _E.columns]
    before = select(*(_R.c[name] for name in names)).where(
        _R.c.billing_group == run.group, _R.c.period == run.period, _R.c.run_id != run.id
    )
    await s.execute(insert(s, EarlierRunRow).from_select(names, before).on_conflict_do_nothing())


async def take_page(s: AsyncSession, run: Run, after: str, limit: int, held_ms: int = 0) -> list[Made]:
    """Close, build and register the next `limit` subscriptions after `after`; empty at the end.

    Those whose key is registered are not built again. One that cannot be billed is refused by name, and stops nobody.
    """
    page = await subscriptions.active_page(s, run.group, run.period, after=after, limit=limit)
    if not page:
        return []
    made = await _made(s, run, [one.id for one in page])
    await _note(s, run, made)
    await _advance(s, run, page[-1].id, len(page), held_ms)
    await mark_out(s)
    return made


async def _made(s: AsyncSession, run: Run, ids: list[str]) -> list[Made]:
    # Read again once they are held: a plan may have been changed between the page and the lock.
    held = await subscriptions.locked(s, ids)
    await usage.close(s, ids, run.period)
    found = await usage.used(s, ids, run.period)
    standing = await intents.standing(s, [keys.usage_key(one, run.period) for one in ids])
    return [await _one(s, run, held[one], found, standing) for one in ids]


async def _one(
    s: AsyncSession, run: Run, subscription: Subscription, found: usage.Used, standing: dict[str, Standing]
) -> Made:
    key = keys.usage_key(subscription.id, run.period)
    try:
        if key in standing:
            return _stands(subscription.id, key, standing[key].motion)
        built = bill(subscription, run.period, found.get(subscription.id, {}), run.at)
        if isinstance(built, Skipped):
            return Made(subscription.id, Outcome.SKIPPED, built.reason)
        return await _registered(s, subscription.id, built)
    except BillhookError as error:
        return Made(subscription.id, Outcome.REFUSED, error.detail)


def _stands(subscription_id: str, key: str, motion: Motion) -> Made:
    if motion is not Motion.USAGE:
        raise KeyTaken(key, motion.value, other_motion=True)
    return Made(subscription_id, Outcome.BILLED, key=key)


async def _registered(s: AsyncSession, subscription_id: str, intent: Intent) -> Made:
    await intents.register(s, intent)
    return Made(subscription_id, Outcome.BILLED, key=intent.key)


async def _note(s: AsyncSession, run: Run, made: Collection[Made]) -> None:
    """Whom an invoice stands for keeps the row that says so, with when it went out."""
    at = now()
    rows = [
        {
            "period": run.period,
            "subscription_id": one.subscription_id,
            "billing_group": run.group,
            "outcome": one.outcome.value,
            "reason": one.reason,
            "key": one.key,
            "at": at,
            "out_at": None,
        }
        for one in made
    ]
    statement = insert(s, UsageRunOutcomeRow).values(rows)
    new = {name: statement.excluded[name] for name in ("billing_group", "outcome", "reason", "key", "at")}
    await s.execute(
        statement.on_conflict_do_update(
            index_elements=["period", "subscription_id"], set_=new, where=_O.c.outcome != Outcome.BILLED.value
        )
    )


async def _advance(s: AsyncSession, run: Run, cursor: str, read: int, held_ms: int) -> None:
    """Once per page: one that is read again after a crash is counted already."""
    values = {"read": _R.c.read + read, "pages": _R.c.pages + 1, "cursor": cursor, "held_ms": _R.c.held_ms + held_ms}
    mine = _R.c.billing_group == run.group, _R.c.period == run.period, _R.c.run_id == run.id
    await s.execute(update(_R).where(*mine, _R.c.cursor < cursor).values(told_at=now(), **values))


async def finish(s: AsyncSession, run: Run) -> None:
    """Every subscription is read and every invoice started. Saying so again changes nothing."""
    mine = _R.c.billing_group == run.group, _R.c.period == run.period, _R.c.run_id == run.id
    await s.execute(update(_R).where(*mine, _R.c.finished_at.is_(None)).values(finished_at=now(), told_at=now()))


async def on_the_way(s: AsyncSession) -> int:
    """Invoices of all runs that are neither out nor put to a person: what the engine and the API work on."""
    open_ones = select(func.count()).select_from(_O.outerjoin(_I, _I.c.key == _O.c.key))
    found: int = (await s.execute(_waiting(open_ones).where(_is_unsettled()))).scalar_one()
    return found


def _waiting(query: Select[Any]) -> Select[Any]:
    return query.where(_O.c.key.is_not(None), _O.c.out_at.is_(None))


def _is_unsettled() -> ColumnElement[bool]:
    return or_(_I.c.status.is_(None), _I.c.status.in_(_UNSETTLED))


async def mark_out(s: AsyncSession) -> None:
    """So that `on_the_way` reads no more than what may be on its way."""
    settled = exists().where(_I.c.key == _O.c.key, _I.c.status.not_in(_UNSETTLED))
    await s.execute(update(_O).where(_O.c.key.is_not(None), _O.c.out_at.is_(None), settled).values(out_at=now()))
