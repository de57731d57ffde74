"""Who may decide, and whom an approval can be put to: asked of live tokens in both databases."""

from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from activities.records import RecordActivities
from activities.signatures import Authorize, Placed, PutTo, Verdict
from billing.decisions import Action
from billing.policy import Policy
from records.session import Database
from records.tokens import Scope, create_token, revoke_token
from tests.records.conftest import database_url, db, empty, postgres_server, postgres_url
from tests.records.make import an_intent

__all__ = ["database_url", "db", "empty", "postgres_server", "postgres_url"]

FRIDAY = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
POLICY = """
[second_limits]
default = "100000.00"
[[approvers]]
name = "dana"
limits = { USD = "50000.00" }
[[approvers]]
name = "robin"
email = "robin@billhook.example"
[approvers.business_hours]
zone = "America/New_York"
[[approvers]]
name = "gone"
"""


@pytest_asyncio.fixture
async def database(db: Database) -> Database:
    async with db.transaction() as session:
        for name in ("dana", "robin", "kim", "gone"):
            await create_token(session, name, [Scope.APPROVE])
        await create_token(session, "reader", [Scope.READ])
        await revoke_token(session, "gone")
    return db


def _about(price: str, **asked: Any) -> dict[str, Any]:
    commercial = an_intent(price=price).commercial
    return {"key": "invoice:p:1", "commercial": commercial, "triggered_by": "pm-tool", **asked}


async def _verdict(database: Database, policy: str, price: str = "30000.00", **asked: Any) -> Verdict:
    request = Authorize.model_validate(_about(price, **{"actor": "dana", "action": Action.APPROVE} | asked))
    return await RecordActivities(database, Policy.parse(policy)).authorize(request)


async def _placed(database: Database, to: str, price: str = "30000.00", **asked: Any) -> Placed:
    request = PutTo.model_validate(_about(price, **{"actor": "dana", "to": to, "at": FRIDAY} | asked))
    return await RecordActivities(database, Policy.parse(POLICY)).put_to(request)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, ""),
        ({"actor": "gone"}, "no approver"),
        ({"actor": "reader"}, "no approver"),
        ({"actor": "kim"}, "does not name kim"),
        ({"triggered_by": "dana"}, "triggered"),
        ({"price": "50000.01"}, "over dana's limit"),
        ({"approved_by": ("dana",)}, "second person"),
        ({"price": "50000.01", "action": Action.RETRY, "triggered_by": "dana"}, ""),
    ],
)
async def test_a_live_token_that_the_policy_names_decides_within_its_limit(
    database: Database, asked: dict[str, Any], words: str
) -> None:
    refusal = (await _verdict(database, POLICY, **asked)).refusal
    assert words in refusal
    assert bool(refusal) is bool(words)


@pytest.mark.parametrize(("price", "needed"), [("100000.00", 1), ("100000.01", 2)])
async def test_the_total_that_is_decided_on_says_how_many_must_approve(
    database: Database, price: str, needed: int
) -> None:
    found = await _verdict(database, POLICY, price, actor="robin")
    assert (found.refusal, found.approvals_needed) == ("", needed)


async def test_an_approval_is_put_to_one_who_can_decide_and_his_calendar_counts(database: Database) -> None:
    found = await _placed(database, "robin")
    assert (found.refusal, found.assignee, found.assignee_mail) == ("", "robin", "robin@billhook.example")
    assert found.calendar.zone == "America/New_York"
    # A Friday, 11:00 there: six hours are left of it, eight are on Monday, and two on Tuesday.
    assert found.remind_at == datetime(2026, 11, 20, 20, tzinfo=UTC)
    assert found.escalate_at == datetime(2026, 11, 24, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("to", "asked", "words"),
    [
        ("gone", {}, "'gone' is no approver"),
        ("kim", {}, "does not name kim"),
        ("robin", {"triggered_by": "robin"}, "triggered"),
        ("dana", {"actor": "robin", "price": "50000.01"}, "over dana's limit"),
        ("robin", {"actor": "reader"}, "'reader' is no approver"),
        ("robin", {"actor": "kim"}, "does not name kim"),
    ],
)
async def test_nobody_puts_an_approval_to_one_who_could_not_decide_or_may_not_himself(
    database: Database, to: str, asked: dict[str, Any], words: str
) -> None:
    found = await _placed(database, to, **asked)
    assert words in found.refusal
    assert (found.assignee, found.remind_at) == ("", None)


async def test_who_triggered_an_invoice_may_still_put_it_to_another(database: Database) -> None:
    assert (await _placed(database, "robin", triggered_by="dana")).refusal == ""
