"""The dashboard: how invoices fare, drawn for a person who looks for a moment."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

from babel.dates import format_date
from fastapi import APIRouter, Query, Request, Response

from billing.record import Status
from records import dashboard as figures
from records.dashboard import Day, Deadlines, Humans, Stretch
from records.tokens import Scope
from starter.console.desk import UseDesk
from starter.console.pages import charts
from starter.console.render import page
from starter.console.route import DeskRoute
from starter.http.auth import needs

router = APIRouter(route_class=DeskRoute)

SPANS: Final = (7, 30, 90, 365)
_SPAN: Final = 30
_STATES: Final = {
    "approved": ("approved", "series-3"),
    "viewed": ("viewed", "series-1"),
    "sent": ("sent", "series-1 soft"),
    "waiting": ("not sent yet", "series-2"),
    "unbilled": ("rejected or cancelled", "series-6 soft"),
}
# From the bottom up: what is done carries what is on its way.
_LEGS: Final = (("triggered", "sent"), ("sent", "viewed"), ("viewed", "approved"))
_RULES: Final = {
    "over_threshold": "over the threshold",
    "second_limit": "over the second limit",
    "motion": "a motion that always asks",
    "first_enterprise_invoice": "first enterprise invoice",
    "change_history": "asked for changes before",
    "usage_variance": "unusual usage",
}
_CASES: Final = {
    "in_time": ("answered in time", "series-3"),
    "late": ("answered late", "series-2"),
    "open": ("open", "series-1"),
    "breached": ("open and overdue", "series-5"),
    "withdrawn": ("withdrawn", "series-6 soft"),
}
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
_LONG_S: Final = 2 * _DAY_S
# From here on a chart's axis counts days.


@dataclass(frozen=True)
class Leg:
    """One stretch of the way, per week of the trigger."""

    title: str
    says: str
    chart: charts.Columns | None
    rows: list[tuple[str, int, str, str]]


@router.get("/dashboard", **needs(Scope.READ))
async def dashboard(request: Request, desk: UseDesk, days: Annotated[int, Query()] = _SPAN) -> Response:
    """Of the invoices triggered in the last `days`."""
    days = days if days in SPANS else _SPAN
    now = desk.clock()
    since = now - timedelta(days=days)
    async with desk.parts.database.session() as session:
        found: dict[str, Any] = {
            "standing": await figures.standing(session),
            "states": _states(await figures.by_day(session, now, days)),
            "legs": _legs(await figures.durations(session, now, days // 7 + 1)),
            "people": _people(await figures.humans(session, since, now)),
            "cases": _cases(await figures.deadlines(session, since, now)),
        }
    return page(request, "dashboard.html", days=days, spans=SPANS, order=list(Status), **found)


def _states(days: list[Day]) -> dict[str, Any]:
    labels = [format_date(one.day, "d MMM", locale="en") for one in days]
    series = {name: [getattr(one, name) for one in days] for name in _STATES}
    names = [words for words, _ in _STATES.values()]
    latest = [counts[-1] for counts in series.values()]
    chart = charts.stacked(labels, list(zip(names, series.values(), strict=True)), width=charts.WIDE)
    stand = ", ".join(f"{count} {words}" for count, words in zip(latest, names, strict=True) if count)
    return {
        "chart": chart if sum(latest) else None,
        "says": f"{sum(latest)} invoices were triggered: {stand}.",
        "names": names,
        "looks": [look for _, look in _STATES.values()],
        "rows": [(label, *counts) for label, *counts in zip(labels, *series.values(), strict=True)],
    }


def _legs(found: list[Stretch]) -> list[Leg]:
    return [_leg([one for one in found if (one.begins, one.ends) == leg], leg) for leg in _LEGS]


def _leg(weeks: list[Stretch], leg: tuple[str, str]) -> Leg:
    """The median, and on top of it what the slowest tenth takes more."""
    labels = [format_date(one.week, "d MMM", locale="en") for one in weeks]
    longest = max((one.p90_s for one in weeks), default=0)
    size, unit = (_DAY_S, " d") if longest >= _LONG_S else (_HOUR_S, " h") if longest >= _HOUR_S else (60, " min")
    median = [one.p50_s / size for one in weeks]
    more = [(one.p90_s - one.p50_s) / size for one in weeks]
    rows = [
        (label, one.count, charts.span(one.p50_s), charts.span(one.p90_s))
        for label, one in zip(labels, weeks, strict=True)
    ]
    return Leg(
        title=f"From {leg[0]} to {leg[1]}",
        says=f"In the latest week half took at most {rows[-1][2]}, nine of ten at most {rows[-1][3]}." if rows else "",
        chart=charts.stacked(labels, [("half of them", median), ("nine of ten", more)], unit) if longest else None,
        rows=rows,
    )


def _people(found: Humans) -> dict[str, Any]:
    by_rule = sorted(found.by_rule.items(), key=lambda one: (-one[1], one[0]))
    return {
        "assessed": found.assessed,
        "needed": found.needed,
        "share": charts.percent(found.needed, found.assessed),
        "rules": [charts.share(_RULES.get(rule, rule), count, found.assessed) for rule, count in by_rule],
    }


def _cases(found: Deadlines) -> dict[str, Any]:
    counts = {name: getattr(found, name) for name in _CASES}
    total = sum(counts.values())
    return {
        "total": total,
        "kept": charts.percent(found.in_time, found.in_time + found.late),
        "bars": [charts.share(*_CASES[name][:1], count, total, _CASES[name][1]) for name, count in counts.items()],
    }
