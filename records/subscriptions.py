"""Subscriptions: whose usage is billed by which plan, and the pages in which a monthly run reads them."""

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel
from sqlalchemy import ColumnElement, RowMapping, and_, exists, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from billing.errors import BadInput, Conflict, UnknownCustomer
from billing.groups import first_day, last_day
from billing.intent import Intent, Motion
from billing.keys import checked_id
from billing.metering import spelled, units
from billing.plans import Subscription, SubscriptionBody
from records.sql import insert, now, page_size, paged, table
from records.tables import Customer
from records.usage_tables import SubscriptionRow, UsageClosingRow, UsageTotalRow

_S, _C = table(SubscriptionRow), table(Customer)
_T, _X = table(UsageTotalRow), table(UsageClosingRow)
_FIXED = ("customer_id", "billing_group", "currency")


class SubscriptionPage(BaseModel):
    """One page of a list; `next_cursor` is empty on the last."""

    data: list[Subscription]
    next_cursor: str | None = None


async def put_subscription(s: AsyncSession, subscription_id: str, body: SubscriptionBody) -> Subscription:
    """Create or replace. A changed plan holds for every month that is not closed yet.

    Raises BadInput for an id that cannot stand in a key, UnknownCustomer, and Conflict where the change would take
    from under counted usage what it is billed by: its customer, group or currency, or the charge of its meter.
    """
    checked_id(subscription_id, "subscription_id")
    found = (await locked(s, [subscription_id])).get(subscription_id)
    if found is not None:
        await _check_change(s, found, body)
    elif (await s.execute(select(_C.c.id).where(_C.c.id == body.customer_id))).first() is None:
        raise UnknownCustomer(body.customer_id)
    values = {**body.model_dump(), "charges": body.model_dump(mode="json")["charges"], "updated_at": now()}
    statement = insert(s, SubscriptionRow).values(id=subscription_id, created_at=values["updated_at"], **values)
    await s.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
    return Subscription(id=subscription_id, **body.model_dump())


async def check_billed(s: AsyncSession, intent: Intent) -> None:
    """Raises BadInput where `intent` bills usage of a subscription of ours to another customer, or in another currency.

    One that we do not know is counted elsewhere, and whoever triggers says whose it is.
    """
    if intent.motion not in {Motion.USAGE, Motion.OVERAGE}:
        return
    query = select(_S.c.customer_id, _S.c.currency).where(_S.c.id == intent.source.scope)
    found = (await s.execute(query)).one_or_none()
    if found is not None and found.customer_id != intent.customer_id:
        cause = f"subscription {intent.source.scope} is not this customer's"
        raise BadInput("customer_id", cause, "send the customer of the subscription")
    if found is not None and found.currency != intent.commercial.currency:
        raise BadInput("currency", f"subscription {intent.source.scope} is in {found.currency}", "send that currency")


async def _check_change(s: AsyncSession, found: Subscription, body: SubscriptionBody) -> None:
    changed = [name for name in _FIXED if getattr(found, name) != getattr(body, name)]
    if changed and await _has_history(s, found.id):
        raise Conflict(
            f"{changed[0]}: {found.id} has usage or billed months under {getattr(found, changed[0])!r}",
            field=changed[0],
            next_step="end it with ended_on, and put a subscription with an id of its own",
        )
    dropped = {charge.meter for charge in found.charges} - {charge.meter for charge in body.charges}
    for row in await open_usage(s, found.id):
        if row["meter"] in dropped and row["quantity"]:
            raise Conflict(
                f"charges: {row['meter']!r} has {spelled(units(row['quantity']))} to bill in {row['billed_in']}",
                field="charges",
                next_step="keep the meter's charge until that month is billed; a price of 0 bills nothing",
            )


async def _has_history(s: AsyncSession, subscription_id: str) -> bool:
    used = select(_T.c.subscription_id).where(_T.c.subscription_id == subscription_id)
    closed = select(_X.c.subscription_id).where(_X.c.subscription_id == subscription_id)
    return (await s.execute(used.union_all(closed).limit(1))).first() is not None


async def open_usage(s: AsyncSession, subscription_id: str) -> list[RowMapping]:
    """Sums of months that no invoice is built for yet: `billed_in`, `meter`, `used_in`, `quantity` in millionths."""
    query = (
        select(_T.c.billed_in, _T.c.meter, _T.c.used_in, _T.c.quantity)
        .where(_T.c.subscription_id == subscription_id, ~_is_closed())
        .order_by(_T.c.billed_in, _T.c.meter, _T.c.used_in)
    )
    return list((await s.execute(query)).mappings())


def _is_closed() -> ColumnElement[bool]:
    return exists().where(_X.c.subscription_id == _T.c.subscription_id, _X.c.period == _T.c.billed_in)


async def unbilled(s: AsyncSession, group: str, before: str) -> list[tuple[str, str]]:
    """Subscription and month of usage that lies in months before `before` and that no run has billed, the oldest first.

    A month that was never run; `run start` of that month bills it. At most a page of them.
    """
    query = (
        select(_T.c.billed_in, _T.c.subscription_id)
        .select_from(_T.join(_S, _S.c.id == _T.c.subscription_id))
        .where(_S.c.billing_group == group, _T.c.billed_in < before, _T.c.quantity > 0, ~_is_closed())
        .distinct()
        .order_by(_T.c.billed_in, _T.c.subscription_id)
        .limit(page_size(200))
    )
    return [(row.subscription_id, row.billed_in) for row in await s.execute(query)]


async def get_subscription(s: AsyncSession, subscription_id: str) -> Subscription | None:
    row = (await s.execute(select(_S).where(_S.c.id == subscription_id))).mappings().one_or_none()
    return None if row is None else _told(row)


async def list_subscriptions(
    s: AsyncSession,
    *,
    billing_group: str | None = None,
    customer_id: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> SubscriptionPage:
    """By id. Raises BadInput on a cursor that is not of this list."""
    query = select(_S)
    if billing_group is not None:
        query = query.where(_S.c.billing_group == billing_group)
    if customer_id is not None:
        query = query.where(_S.c.customer_id == customer_id)
    shown, next_cursor = await paged(s, query, [_S.c.id], cursor=cursor, limit=limit)
    return SubscriptionPage(data=[_told(row) for row in shown], next_cursor=next_cursor)


async def active_page(
    s: AsyncSession, group: str, period: str, *, after: str = "", limit: int = 500
) -> list[Subscription]:
    """The next `limit` subscriptions of a group that a month may bill, by id, those after `after`; empty at the end.

    That is every one with a day in the month, and every one with usage in it: what was told late of a subscription that
    has ended goes into a month in which it has no day. Whether the month is closed makes no difference, so a run that
    is repeated sees the same pages. Raises BadInput on a period that is none.
    """
    query = select(_S).where(_S.c.id > after, _may_bill(group, period)).order_by(_S.c.id).limit(limit)
    return [_told(row) for row in (await s.execute(query)).mappings()]


async def count_active(s: AsyncSession, group: str, period: str) -> int:
    """How many there are on all pages of `active_page`. Raises BadInput on a period that is none."""
    return (await s.execute(select(func.count()).select_from(_S).where(_may_bill(group, period)))).scalar_one()


def _may_bill(group: str, period: str) -> ColumnElement[bool]:
    has_day = and_(
        _S.c.started_on <= last_day(period), or_(_S.c.ended_on.is_(None), _S.c.ended_on >= first_day(period))
    )
    has_usage = exists().where(_T.c.subscription_id == _S.c.id, _T.c.billed_in == period)
    return and_(_S.c.billing_group == group, or_(has_day, has_usage))


async def page_by_customer(
    s: AsyncSession, group: str, *, after: tuple[str, str] = ("", ""), limit: int = 500
) -> list[Subscription]:
    """The next `limit` subscriptions of a group, active or not, after that (customer, id); each customer's together."""
    place = tuple_(_S.c.customer_id, _S.c.id)
    query = (
        select(_S)
        .where(_S.c.billing_group == group, place > tuple_(*after))
        .order_by(_S.c.customer_id, _S.c.id)
        .limit(limit)
    )
    return [_told(row) for row in (await s.execute(query)).mappings()]


async def locked(s: AsyncSession, subscription_ids: Collection[str]) -> dict[str, Subscription]:
    """Those subscriptions, held until the transaction ends: whoever counts or closes waits for whoever does.

    In one order, so that nobody waits in a circle.
    """
    query = select(_S).where(_S.c.id.in_(subscription_ids)).order_by(_S.c.id).with_for_update(key_share=True)
    return {row["id"]: _told(row) for row in (await s.execute(query)).mappings()}


def _told(row: RowMapping) -> Subscription:
    held: dict[str, Any] = {name: row[name] for name in Subscription.model_fields}
    return Subscription.model_validate(held)
