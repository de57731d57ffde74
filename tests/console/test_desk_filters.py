"""How amounts, times and a stranger's text read on a page."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from iso4217 import Currency

from billing.money import Money, decimals_of
from starter.console.assets import Assets
from starter.console.render import environment
from tests.nasty import LONG, MESSAGE, assert_plain

NOW = datetime(2026, 10, 14, 9, 30, tzinfo=UTC)
TEMPLATES = environment(Assets.load())


def rendered(template: str, zone: str = "Europe/Berlin", **values: Any) -> str:
    return TEMPLATES.from_string(template).render(now=NOW, zone=ZoneInfo(zone), **values)


@pytest.mark.parametrize(
    ("minor", "currency", "words"),
    [
        (1250000, "USD", "12,500.00\u00a0USD"),
        (-5, "EUR", "\u22120.05\u00a0EUR"),
        (1234567, "JPY", "1,234,567\u00a0JPY"),
        (1234567, "KWD", "1,234.567\u00a0KWD"),
        (123456, "IQD", "123.456\u00a0IQD"),
        (0, "HUF", "0.00\u00a0HUF"),
        (10**15, "USD", "10,000,000,000,000.00\u00a0USD"),
    ],
)
def test_an_amount_has_the_decimals_that_iso_gives_its_currency(minor: int, currency: str, words: str) -> None:
    money = Money(minor=minor, currency=currency)
    shown = rendered("{{ amount | money }}", amount=money)
    assert f">{words}</data>" in shown
    assert f'value="{money.major:f}"' in shown
    assert rendered("{{ minor | money(currency) }}", minor=minor, currency=currency) == shown


def test_no_currency_loses_a_digit() -> None:
    for currency in Currency:
        if currency.exponent is not None:
            shown = rendered("{{ amount | money }}", amount=Money(minor=1, currency=currency.code))
            figures = shown.split(">")[1].split("\u00a0")[0]
            assert len(figures.partition(".")[2]) == decimals_of(currency.code), currency


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Berlin", "14 Oct 2026, 11:30 CEST"),
        ("America/New_York", "14 Oct 2026, 05:30 EDT"),
        ("Asia/Kolkata", "14 Oct 2026, 15:00 IST"),
        ("America/Sao_Paulo", "14 Oct 2026, 06:30 UTC-03"),
        ("UTC", "14 Oct 2026, 09:30 UTC"),
    ],
)
def test_a_time_is_the_readers_and_says_whose(zone: str, words: str) -> None:
    shown = rendered("{{ at | when }}", zone, at=NOW)
    assert shown == f'<time datetime="2026-10-14T09:30:00+00:00" title="{words}">{words}</time>'


def test_the_zones_word_follows_its_summer_time() -> None:
    hour = timedelta(hours=1)
    change = datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert "02:00 CEST" in rendered("{{ at | when }}", at=change - hour)
    assert "02:00 CET" in rendered("{{ at | when }}", at=change)


def test_a_deadline_says_how_long_there_is_and_how_late_it_is() -> None:
    assert ">in 3 hours</time>" in rendered("{{ at | until }}", at=NOW + timedelta(hours=3))
    late = rendered("{{ at | until }}", at=NOW - timedelta(days=2))
    assert 'class="late">2 days late</time>' in late
    assert 'title="12 Oct 2026, 11:30 CEST"' in late
    assert ">5 minutes ago</time>" in rendered("{{ at | ago }}", at=NOW - timedelta(minutes=5))


def test_what_has_no_time_is_a_dash() -> None:
    assert rendered("{{ at | when }}{{ at | ago }}{{ at | until }}{{ at | day }}", at=None) == "\u2014" * 4
    assert rendered("{{ on | day }}", on=date(2026, 10, 4)) == "4 Oct 2026"


def test_a_page_without_a_zone_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(KeyError):
        TEMPLATES.from_string("{{ at | when }}").render(at=NOW)


def test_long_text_is_cut_with_a_way_to_see_all_of_it() -> None:
    short, long = "as agreed", "word " * 200
    assert rendered("{{ text | long_text }}", text=short) == f'<bdi class="told">{short}</bdi>'
    shown = rendered("{{ text | long_text }}", text=long)
    assert shown.startswith('<details class="told"><summary><bdi>word')
    assert shown.count("word") > 200


@pytest.mark.parametrize("way", ["", "| plain", "| one_line", "| long_text", "| long_text(10)"])
def test_a_strangers_text_is_text(way: str) -> None:
    for text in (MESSAGE, LONG, 'x" onmouseover="y'):
        shown = rendered(f'<p title="{{{{ text {way} }}}}">{{{{ text {way} }}}}</p>', text=text)
        assert_plain(shown)
        assert "<script" not in shown
        assert "<img" not in shown
        assert 'onmouseover="' not in shown
