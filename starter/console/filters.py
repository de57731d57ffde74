"""How amounts and times read on a page: in the reader's zone, in the currency's own decimals, never a float.

Those that need the reader's zone take it from the page; a macro that uses them is imported `with context`.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from billing.money import Money, decimals_of
from billing.untrusted import one_line, plain

_LOCALE: Final = "en"
_WHEN: Final = "d MMM y, HH:mm"
_EXACT: Final = 2
# Below two of a unit the next smaller one: "in 2 days" for what is due in 30 hours would be a day too late.
_SHOWN: Final = 280
# About three lines; what is longer opens on demand.


def money(amount: Money | int, currency: str = "") -> Markup:
    """`amount` (a Money, or minor units of `currency`) as `12,500.00 USD`, with the decimals that ISO gives it.

    Babel groups the digits; how many stand after the point it does not know for thirteen currencies.
    """
    it = amount if isinstance(amount, Money) else Money(minor=amount, currency=currency)
    pattern = "#,##0" + ("." + "0" * decimals if (decimals := decimals_of(it.currency)) else "")
    figures = format_decimal(it.major, format=pattern, locale=_LOCALE)
    return Markup('<data class="money" value="{}">{}\N{NO-BREAK SPACE}{}</data>').format(
        f"{it.major:f}", figures.replace("-", "\N{MINUS SIGN}"), it.currency
    )


def grouped(text: str) -> str:
    """A decimal string as people read it, `12,500.00`; its decimals stay as they are."""
    return f"{Decimal(text):,f}".replace("-", "\N{MINUS SIGN}")


def price(text: str, currency: str) -> str:
    """A unit price: with the currency's decimals at least, and with more where it is finer."""
    finer = len(text.rpartition(".")[2].rstrip("0")) if "." in text else 0
    return f"{Decimal(text):,.{max(finer, decimals_of(currency))}f}"


def signed(text: str) -> str:
    """An effect: what it adds has its plus."""
    return f"+{grouped(text)}" if Decimal(text) > 0 else grouped(text)


def zone_word(at: datetime) -> str:
    """The zone's short name at that time, `CEST`; by its offset where it has none."""
    name = at.tzname() or ""
    return f"UTC{name}" if name.startswith(("+", "-")) else name


@pass_context
def when(context: Context, at: datetime | None) -> Markup | str:
    """An aware time in the reader's zone, `14 Oct 2026, 11:30 CEST`; a dash for none."""
    return "\N{EM DASH}" if at is None else _time(context, at, _spelled(context, at))


@pass_context
def ago(context: Context, at: datetime | None) -> Markup | str:
    """`3 hours ago`, `in 2 days`; the time itself on demand."""
    if at is None:
        return "\N{EM DASH}"
    return _time(context, at, format_timedelta(at - context["now"], add_direction=True, locale=_LOCALE))


@pass_context
def until(context: Context, at: datetime | None) -> Markup | str:
    """A deadline: `in 3 hours`, or `2 days late` once it has passed."""
    if at is None:
        return "\N{EM DASH}"
    left = at - context["now"]
    words = format_timedelta(left, threshold=_EXACT, add_direction=left.total_seconds() >= 0, locale=_LOCALE)
    return _time(context, at, words) if left.total_seconds() >= 0 else _time(context, at, f"{words} late", "late")


def day(on: date | None) -> str:
    """A date without a time, `14 Oct 2026`."""
    return "\N{EM DASH}" if on is None else format_date(on, "d MMM y", locale=_LOCALE)


def long_text(value: object, shown: int = _SHOWN) -> Markup:
    """Text of a stranger's as text, cut, with a way to see all; no direction of its own reaches the page around it."""
    whole = plain(value)
    if len(whole) <= shown:
        return Markup('<bdi class="told">{}</bdi>').format(whole)
    return Markup('<details class="told"><summary><bdi>{}</bdi></summary><bdi>{}</bdi></details>').format(
        one_line(whole, shown), whole
    )


def _spelled(context: Context, at: datetime) -> str:
    zone: ZoneInfo = context["zone"]
    local = at.astimezone(zone)
    return f"{format_datetime(local, _WHEN, tzinfo=zone, locale=_LOCALE)} {zone_word(local)}"


def _time(context: Context, at: datetime, words: str, kind: str = "") -> Markup:
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
        at.isoformat(), _spelled(context, at), Markup(' class="{}"').format(kind) if kind else "", words
    )


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "money": money,
    "grouped": grouped,
    "signed": signed,
    "price": price,
    "when": when,
    "ago": ago,
    "until": until,
    "day": day,
    "long_text": long_text,
}
