"""Ranks and turns are what the server takes them for."""

from billing.queues import Queue
from workflows import priorities


def test_people_go_before_what_happens_by_itself_and_that_before_a_run() -> None:
    ranks = [
        priorities.ANSWERED.priority_key,
        priorities.of(Queue.MAIN, "acme").priority_key,
        priorities.of(Queue.RUNS, "acme").priority_key,
    ]
    assert ranks == [1, 3, 5]


def test_a_customers_turn_is_his_own_and_never_longer_than_the_server_takes() -> None:
    longest = "c" * 100
    turns = {priorities.turn_of(customer) for customer in ("acme", longest, f"{longest[:-1]}d")}
    assert "acme" in turns
    assert len(turns) == 3
    assert all(len(turn.encode()) <= 64 for turn in turns)
