"""A run's plan as a terminal shows it: what would be started, who must look, what changed, how long it takes."""

from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from billing.pace import says
from billing.run_plan import Changes, RunPlan, Several


def told(plan: RunPlan) -> Iterator[str]:
    """Line by line."""
    yield f"{plan.group}  {plan.period} in {plan.zone}, {_until(plan)}"
    yield _line("to start", f"{plan.new.count} invoices: {amounts(plan.new.amounts)}")
    yield from _people(plan)
    if plan.standing.count:
        words = f"{plan.standing.count} were started before, and are not again: {amounts(plan.standing.amounts)}"
        yield _line("standing", words)
    for one in plan.skipped:
        yield _line("no invoice", f"{one.count}: {one.reason} (for example {one.for_example})")
    yield from _named("refused", plan.refused)
    yield from _unbilled(plan)
    for changes in plan.changes:
        yield from _changes(changes)
    yield _line("takes", says(plan.pace))
    yield ""


def _until(plan: RunPlan) -> str:
    ends = plan.month_ends_at.astimezone(ZoneInfo(plan.zone)).isoformat(timespec="minutes")
    return f"over since {ends}" if plan.is_over else f"not over until {ends}; so far:"


def _people(plan: RunPlan) -> Iterator[str]:
    if not plan.asks.count:
        if plan.new.count:
            yield _line("need a look", "none: all go out by themselves")
        return
    yield _line("need a look", f"{plan.asks.count} of them: {amounts(plan.asks.amounts)}")
    for rule, count in plan.asks_by_rule.items():
        yield _line("", f"{count} by the rule {rule}")
    yield from _named("", plan.asks, count=False)


def _named(title: str, several: Several, *, count: bool = True) -> Iterator[str]:
    if several.count and count:
        yield _line(title, f"{several.count} would be refused")
    for one in several.named:
        yield _line("", f"{one.subscription_id} ({one.customer_id}): {one.text}")
    if several.count > len(several.named):
        yield _line("", f"and {several.count - len(several.named)} more")


def _unbilled(plan: RunPlan) -> Iterator[str]:
    """Months that were never run."""
    for index, (month, count) in enumerate(plan.unbilled.items()):
        more = "" if plan.unbilled_is_all or index + 1 < len(plan.unbilled) else " at least, and perhaps later months"
        words = f"{count} subscriptions have usage in {month} that no run has billed{more}"
        yield _line("unbilled", f"{words}: billhook run start {month} --group {plan.group}")


def _changes(changes: Changes) -> Iterator[str]:
    """By customer, the largest difference first."""
    code = changes.currency
    yield _line("change", f"{changes.before} to {changes.now} {code}, {_signed(changes.difference)}")
    kinds = {name: getattr(changes, name) for name in ("up", "down", "new", "gone", "same")}
    yield _line("customers", ", ".join(f"{count} {name}" for name, count in kinds.items() if count))
    for one in changes.largest:
        yield _line("", f"{one.customer_id}: {one.before} to {one.now} {code}, {_signed(one.difference)}")
    if changes.others:
        yield _line("", f"{changes.others} more that differ by less, {_signed(changes.others_difference)} together")


def amounts(found: Mapping[str, str]) -> str:
    return ", ".join(f"{amount} {code}" for code, amount in found.items()) or "nothing"


def _signed(amount: str) -> str:
    return amount if amount.startswith("-") else f"+{amount}"


def _line(title: str, text: str) -> str:
    return f"  {title:12} {text}"
