"""The short storm: five invoices, a hundred events, more than five hundred posts, Temporal killed for a second."""

import random

import pytest

from tests.drills import storm
from tests.drills.seeds import kept
from tests.drills.storm_events import Event

SEED = 1


@pytest.mark.parametrize("seed", kept("storm"))
async def test_a_storm_refuses_nothing_genuine_accepts_nothing_forged_and_loses_nothing(seed: int) -> None:
    report = await storm.drill(invoices=5, seed=seed, outage_s=1)
    assert report.violations == [], f"seed {seed}"
    assert sum(report.events.values()) >= 100
    assert set(report.events) == {"applied", "ignored"}


def _event(number: int) -> Event:
    data = {"invoice_id": "inv_1", "reference": "invoice:p:m", "version": 1, "status": "sent"}
    return {"id": f"evt_{number}", "type": "invoice.viewed", "created_at": "2026-11-01T00:00:00Z", "data": data}


def test_a_storm_brings_every_event_five_times_and_a_tenth_of_all_posts_is_forged() -> None:
    posts = storm.storm_of([_event(number) for number in range(90)], random.Random(SEED))
    genuine = [post.event_id for post in posts if not post.is_forged]
    assert {genuine.count(f"evt_{number}") for number in range(90)} == {5}
    assert len(posts) - len(genuine) == len(posts) / 10
    assert genuine != sorted(genuine)


def test_a_difference_of_one_character_is_a_violation() -> None:
    one, other = '["deals", {"id": 1}]\n', '["deals", {"id": 2}]\n'
    assert storm.differences(one, one) == []
    (told,) = storm.differences(one, other)
    assert told.startswith(f"{storm.DIFFERS}: 2 deals\n")
    assert told.endswith('-["deals", {"id": 1}]\n+["deals", {"id": 2}]')


@pytest.mark.parametrize(
    ("kind", "status", "found"),
    [
        ("genuine", 503, "1 genuine posts were answered 503, not 202"),
        ("forged", 202, "1 forged posts were answered 202"),
    ],
)
def test_a_refused_event_and_an_accepted_forgery_are_violations(kind: str, status: int, found: str) -> None:
    heard = storm.Heard()
    heard.statuses[kind, status] += 1
    assert [words[: len(found)] for words in heard.violations()] == [found]
