"""The short version of the crash drill: some deaths on one walk, and what the drill itself promises."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

from tests.drills import crash
from tests.drills.crash import Left, Play, Stage, run
from tests.drills.dying import Death, Point
from tests.paths.walks import WALKS

PATIENCE = timedelta(seconds=4)
# Instead of 30 s: how long the engine waits for an activity before it takes the worker for dead.
DEATHS = (
    Death("create_draft", 1, Point.EFFECT),
    Death("issue", 1, Point.EFFECT),
    Death("send_mail", 1, Point.RECORDED),
    Death("send_mail", 1, Point.EFFECT),
    Death("mark_billed", 1, Point.DONE),
    Death("post_invoice", 1, Point.EFFECT),
)
"""Where an effect twice would be money, a number or a mail."""


async def test_a_worker_that_dies_around_an_effect_leaves_what_an_undisturbed_one_leaves(
    temporal_address: str, tmp_path: Path
) -> None:
    walk = WALKS["automatic"]
    report = await run(
        Stage(temporal_address, tmp_path, PATIENCE),
        [walk],
        1,
        lambda _: [Play(walk, death, cached=False) for death in DEATHS],
    )
    assert report.violations == []
    assert report.faults["worker killed"] == len(DEATHS)


async def test_a_worker_that_dies_around_a_page_of_a_run_leaves_what_an_undisturbed_one_leaves(
    temporal_address: str, tmp_path: Path
) -> None:
    walk = WALKS["billed_by_a_run"]
    deaths = [Death("usage_run_page", 1, point) for point in (Point.RECORDED, Point.DONE)]
    report = await run(
        Stage(temporal_address, tmp_path, PATIENCE),
        [walk],
        1,
        lambda _: [Play(walk, death, cached=False) for death in deaths],
    )
    assert report.violations == []
    assert report.faults["worker killed"] == len(deaths)


def test_every_activity_and_point_is_drawn_before_any_is_drawn_twice() -> None:
    walk = WALKS["automatic"]
    every = [Play(walk, Death(name, nth, point)) for name in ("issue", "withdraw") for nth in (1, 2) for point in Point]
    found = [play.death for play in crash.drawn(every, 0, seed=3)]
    assert {(death.activity, death.point) for death in found if death} == {
        (name, point) for name in ("issue", "withdraw") for point in Point
    }
    assert len(found) == len(every) // 2


def test_an_activity_that_no_walk_reaches_is_a_violation() -> None:
    found = crash._not_reached([Play(WALKS["automatic"], Death("issue", 1, Point.DONE))])  # noqa: SLF001
    assert "no walk of tests/paths reaches the activity create_draft" in found
    assert "no walk of tests/paths reaches the activity issue" not in found


def test_a_difference_a_second_mail_and_what_the_audit_says_are_violations() -> None:
    play = Play(WALKS["automatic"], Death("issue", 1, Point.DONE))
    quiet = Left(("one",), Counter(a=1), ())
    assert crash._differences(play, quiet, quiet) == []  # noqa: SLF001
    crashed = Left(("two",), Counter(a=2), ("I1 twice",))
    assert len(crash._differences(play, quiet, crashed)) == 3  # noqa: SLF001


def test_a_mail_that_only_says_that_something_waits_may_give_way_and_no_other_may() -> None:
    def left(kind: str, sent: str = '"TIME"', mails: int = 1) -> Left:
        row = f'["mails", {{"key": "KEY", "kind": "{kind}", "sent_at": {sent}, "version": 1}}]'
        return Left((row,), Counter(str(number) for number in range(mails)), ())

    def differ(before: Left, after: Left) -> list[str]:
        return crash._differences(Play(WALKS["automatic"], Death("issue", 1, Point.DONE)), before, after)  # noqa: SLF001

    nothing = Left((), Counter(), ())
    assert differ(left("approval:abc:dana"), nothing) == []
    assert differ(left("approval:abc:dana"), left("approval:abc:dana", "null", 0)) == []
    assert differ(left("approval:abc:dana"), left("approval:abc:dana", mails=0))
    assert differ(nothing, left("follow_up"))
    assert differ(left("link"), nothing)
