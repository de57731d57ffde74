"""A run's progress as a terminal shows it: how far, how much, how fast, and what a person must look at."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from billing.pace import span
from billing.run_status import RunStatus
from starter.cli.run_plan import amounts

_QUIET: Final = timedelta(minutes=2)
# A chunk takes seconds; a worker that was killed is followed by another within half a minute.


def told(run: RunStatus) -> Iterator[str]:
    """Line by line."""
    yield f"{run.group}  {run.period} {_state(run)}, started {_minute(run.started_at)} by {run.started_by}"
    yield _line("read", f"{run.read} of {max(run.expected, run.read)} subscriptions")
    yield _line("invoices", f"{run.billed}: {amounts(run.amounts)}")
    yield from _parts(run)
    yield from _pace(run)
    for one in run.skipped:
        yield _line("no invoice", f"{one.count}: {one.reason} (for example {one.for_example})")
    yield from _refused(run)
    yield from _earlier(run)
    yield ""


def _earlier(run: RunStatus) -> Iterator[str]:
    for one in run.earlier:
        ended = f"all started at {_minute(one.finished_at)}" if one.finished_at else "ended before it was through"
        words = f"{_minute(one.started_at)} by {one.started_by}: {one.read} of {one.expected} read, {ended}"
        yield _line("run before", words)


def never(group: str, period: str) -> Iterator[str]:
    """Of a month that has no run."""
    yield f"{group}  {period} was never run"
    yield _line("next", f"billhook run plan {period} --group {group}, then billhook run start {period} --group {group}")
    yield ""


def _state(run: RunStatus) -> str:
    if run.finished_at is None:
        return "under way"
    return f"all started at {_minute(run.finished_at)}"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%MZ}"


def _parts(run: RunStatus) -> Iterator[str]:
    if run.standing:
        yield _line("", f"{run.standing} from before this run")
    if run.started < run.billed:
        yield _line("", f"{run.billed - run.started} registered and not started yet")
    if run.on_the_way:
        yield _line("", f"{run.on_the_way} on their way to the invoicing API")
    if run.statuses:
        words = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in run.statuses.items())
        yield _line("now", words)


def _pace(run: RunStatus) -> Iterator[str]:
    if run.per_hour is not None:
        yield _line("rate", f"{run.per_hour} invoices an hour since it began")
    if run.held_share:
        yield _line("held back", f"{run.held_share:.0%} of its time, by as many invoices on their way as may be")
    if run.eta_seconds is not None:
        yield _line("through in", f"{span(run.eta_seconds)}, at the pace so far")
    if run.is_quiet_for(_QUIET):
        quiet = span(int((run.at - run.told_at).total_seconds()))
        yield _line("quiet", f"for {quiet}: no worker runs, or the invoicing API takes no invoice; billhook doctor")


def _refused(run: RunStatus) -> Iterator[str]:
    if not run.refused.count:
        return
    yield _line("refused", f"{run.refused.count}: mend the plan, then billhook run start {run.period} again")
    for one in run.refused.named:
        yield _line("", f"{one.subscription_id} ({one.customer_id}): {one.text}")
    if run.refused.count > len(run.refused.named):
        yield _line("", f"and {run.refused.count - len(run.refused.named)} more")


def _line(title: str, text: str) -> str:
    return f"  {title:12} {text}"
