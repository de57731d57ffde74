"""What the run of a month would do, read from our records and asked of the policy. Nothing is closed, written, started.

The same builder and the same assessment as the run's invoices use, page by page, so that memory does not grow with the
number of subscriptions. Figures are those of the moment at which each page is read: of a month that is not over, those
up to now.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from billing import keys
from billing.assessing import assess
from billing.assessment import Assessment, History
from billing.errors import BadInput
from billing.groups import BillingGroup, month_before
from billing.intent import Intent
from billing.ownership import Carry
from billing.pace import pace
from billing.plans import Subscription
from billing.policy import Policy
from billing.queues import Queue
from billing.run_plan import Month, Planning, RunPlan, Standing
from billing.usage import Metered, Skipped, bill
from records import intents, known, subscriptions, usage
from records.session import Database
from records.sql import MAX_PAGE
from settings import Settings

_PAGE: Final = 250
# A page's rows and invoices are some 3 MB; larger ones are no faster.


class RunPlanner:
    """Plans by one policy, one setting `carry_po` and the limits (steps per second) of the outside systems."""

    def __init__(self, database: Database, policy: Policy, *, carry: Carry, rates: Mapping[Queue, float]) -> None:
        self._database, self._policy = database, policy
        self._carry, self._rates = carry, rates

    async def plan(
        self, group: BillingGroup, period: str, now: datetime, told: Callable[[int], None] = lambda _: None
    ) -> RunPlan:
        """`told` hears after each page how many subscriptions were read. Raises BadInput on a period that is none."""
        planning, after, read = Planning(), ("", ""), 0
        ends_at = group.ends_at(period)
        while page := await self._page(planning, group.name, period, now, after):
            after, read = (page[-1].customer_id, page[-1].id), read + len(page)
            told(read)
        return await self._result(planning, group, period, now, ends_at)

    async def _page(
        self, planning: Planning, group: str, period: str, now: datetime, after: tuple[str, str]
    ) -> list[Subscription]:
        async with self._database.session() as s:
            page = await subscriptions.page_by_customer(s, group, after=after, limit=_PAGE)
            if page:
                seen = await _Seen.read(s, page, period, self._policy, self._carry)
        for one in page:
            planning.add(self._month(one, period, now, seen))
            # In the process of the API whoever sends a webhook meanwhile does not wait for a whole page.
            await asyncio.sleep(0)
        return page

    def _month(self, one: Subscription, period: str, now: datetime, seen: "_Seen") -> Month:
        key, outcome = keys.usage_key(one.id, period), _outcome(one, period, now, seen)
        standing, assessment = seen.standing.get(key), None
        if isinstance(outcome, Intent) and standing is None:
            assessment = self._assessment(outcome, seen.histories[one.id], now)
        return Month(
            subscription_id=one.id,
            customer_id=one.customer_id,
            key=key,
            outcome=outcome,
            assessment=assessment,
            carries=one.id in seen.carrying,
            standing=standing,
            before=seen.standing.get(keys.usage_key(one.id, month_before(period))),
        )

    def _assessment(self, intent: Intent, history: History, now: datetime) -> Assessment:
        total, scope = intent.commercial.total, intent.source.scope
        return assess(self._policy, motion=intent.motion, total=total, history=history, now=now, scope=scope)

    async def _result(
        self, planning: Planning, group: BillingGroup, period: str, now: datetime, ends_at: datetime
    ) -> RunPlan:
        async with self._database.session() as s:
            unbilled = await subscriptions.unbilled(s, group.name, period)
        # One that is not over is no month that somebody forgot to run.
        months = [month for _, month in unbilled if now >= group.ends_at(month)]
        return RunPlan(
            group=group.name,
            zone=group.zone,
            period=period,
            month_ends_at=ends_at,
            is_over=now >= ends_at,
            made_at=now,
            policy_hash=self._policy.content_hash,
            changes=planning.changes(),
            subscriptions=planning.subscriptions,
            new=planning.new.told(),
            asks=planning.asks.told(),
            asks_by_rule=dict(sorted(planning.by_rule.items())),
            standing=planning.standing.told(),
            skipped=planning.skipped(),
            refused=planning.refused.told(),
            pace=pace(planning.steps, self._rates),
            unbilled={month: months.count(month) for month in sorted(set(months))},
            unbilled_is_all=len(unbilled) < MAX_PAGE,
        )


class _Seen:
    """What the records hold of one page of subscriptions."""

    def __init__(
        self,
        used: usage.Used,
        standing: dict[str, Standing],
        found: dict[str, History],
        carrying: set[str],
    ) -> None:
        self.used, self.standing, self.histories, self.carrying = used, standing, found, carrying

    @classmethod
    async def read(
        cls, s: AsyncSession, page: list[Subscription], period: str, policy: Policy, carry: Carry
    ) -> "_Seen":
        ids, months = [one.id for one in page], (period, month_before(period))
        return cls(
            await usage.used(s, ids, period),
            await intents.standing(s, [keys.usage_key(one, month) for one in ids for month in months]),
            await known.of(s, page, policy.usage_variance.invoices, period),
            await known.carrying(s, page, carry),
        )


def _outcome(one: Subscription, period: str, now: datetime, seen: _Seen) -> Intent | Skipped | BadInput | None:
    """None where the run would not see it: it has neither a day nor usage in this month (`active_page`)."""
    used: Mapping[str, Metered] | None = seen.used.get(one.id)
    if used is None and not one.is_active_in(period):
        return None
    try:
        return bill(one, period, used or {}, now)
    except BadInput as error:
        return error


def planner(database: Database, policy: Policy, settings: Settings) -> RunPlanner:
    """By what the settings say of carrying forward and of limits."""
    return RunPlanner(database, policy, carry=Carry(settings.carry_po), rates=settings.rates)
