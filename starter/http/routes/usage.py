"""What is metered: subscriptions with their plans, and events of what was used."""

from collections import Counter
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Discriminator, Field, Tag, WrapValidator
from sqlalchemy import RowMapping

from billing.errors import BadInput, NotFound
from billing.intent import Motion
from billing.keys import checked_id
from billing.metering import UsageEvent, units
from billing.money import plain_text
from billing.plans import Subscription, SubscriptionBody
from records import subscriptions
from records.metering import Became, Taken
from records.subscriptions import SubscriptionPage
from records.tokens import Scope
from starter.http.auth import GuardedRoute, needs
from starter.http.parts import UseParts
from starter.http.routes.queues import Cursor, Limit
from starter.metering import MOST_EVENTS, Unusable, count

router = APIRouter(tags=["usage"], route_class=GuardedRoute)


def _or_why_not(body: Any, _: Any) -> UsageEvent | Unusable:
    """One event that cannot be read stops none of the others."""
    try:
        return UsageEvent.of(body)
    except BadInput as error:
        return Unusable.of(body, error)


def _one_or_many(body: Any) -> str:
    return "many" if isinstance(body, list) else "one"


Sent = Annotated[UsageEvent, WrapValidator(_or_why_not)]
Body = Annotated[
    Annotated[Sent, Tag("one")] | Annotated[list[Sent], Field(min_length=1, max_length=MOST_EVENTS), Tag("many")],
    Discriminator(_one_or_many),
]


class OpenUsage(BaseModel):
    """What a month will bill of a meter, as of now; `used_in` is another month where it was told late."""

    period: str
    meter: str
    used_in: str
    quantity: str


class SubscriptionView(Subscription):
    """A subscription, with what waits to be billed."""

    open_usage: list[OpenUsage]


class Counted(BaseModel):
    """How many events came to what, and each one's answer in the order in which they were sent.

    `overages` are the keys of invoices that these events have started.
    """

    created: int
    late: int
    known: int
    refused: int
    overages: list[str]
    results: list[Taken]


@router.put("/subscriptions/{subscription_id}", summary="Create or replace a subscription", **needs(Scope.TRIGGER))
async def put_subscription(subscription_id: str, body: SubscriptionBody, parts: UseParts) -> Subscription:
    """The whole record; a field left out is emptied. A new plan holds for every month that is not billed yet."""
    checked_id(subscription_id, "id")
    parts.motions.group_for(body.billing_group, body.currency)
    async with parts.database.transaction() as session:
        return await subscriptions.put_subscription(session, subscription_id, body)


@router.get("/subscriptions/{subscription_id}", summary="Read a subscription", **needs(Scope.READ))
async def get_subscription(subscription_id: str, parts: UseParts) -> SubscriptionView:
    async with parts.database.session() as session:
        found = await subscriptions.get_subscription(session, subscription_id)
        if found is None:
            step = f"create it: PUT /subscriptions/{subscription_id}"
            raise NotFound(f"no subscription {subscription_id!r}", next_step=step)
        usage = await subscriptions.open_usage(session, subscription_id)
    return SubscriptionView(**found.model_dump(), open_usage=[_open(row) for row in usage])


def _open(row: RowMapping) -> OpenUsage:
    quantity = plain_text(units(row["quantity"]))
    return OpenUsage(period=row["billed_in"], meter=row["meter"], used_in=row["used_in"], quantity=quantity)


@router.get("/subscriptions", summary="Subscriptions, by id", **needs(Scope.READ))
async def list_subscriptions(
    parts: UseParts,
    billing_group: Annotated[str | None, Query(max_length=100)] = None,
    customer_id: Annotated[str | None, Query(max_length=100)] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> SubscriptionPage:
    async with parts.database.session() as session:
        return await subscriptions.list_subscriptions(
            session, billing_group=billing_group, customer_id=customer_id, cursor=cursor, limit=limit
        )


_TELL: Final = needs(Scope.TRIGGER)
_TELL["responses"] |= {207: {"model": Counted, "description": "Some events are refused; the others count"}}


@router.post("/usage/events", summary="Tell what was used: one event, or up to 1,000", **_TELL)
async def usage_events(
    body: Body,
    parts: UseParts,
    response: Response,
    dry_run: Annotated[bool, Query(description="Answer as if, and count nothing")] = False,
) -> Counted:
    """Each event counts once, however often it is sent. 200: none is refused. 207: some are, each with its reason in
    `results`, and the others count. A single event that is refused is a 422."""
    sent: list[UsageEvent | Unusable] = list(body) if isinstance(body, list) else [body]
    groups = {group.name: group for group in parts.motions.billing_groups}
    results, overages = await count(parts.database, groups, sent, dry_run=dry_run)
    if not isinstance(body, list) and results[0].status is Became.REFUSED:
        raise BadInput(results[0].field, results[0].reason, results[0].next_step)
    if overages and not dry_run:
        parts.metrics.triggers.labels(Motion.OVERAGE.value, "created").inc(len(overages))
        parts.dispatcher.wake()
    became = Counter(one.status for one in results)
    response.status_code = 207 if became[Became.REFUSED] else 200
    return Counted(**{fate.value: became[fate] for fate in Became}, overages=overages, results=results)
