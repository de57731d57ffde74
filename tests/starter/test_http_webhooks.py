"""The door and the dispatcher: nothing unsigned comes in, nothing stored is lost, nothing is signalled for nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from temporalio.api.enums.v1 import EventType as History
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter

from billing.record import Fate
from records.tables import EventRow
from records.tokens import Scope
from starter.dispatcher import Dispatcher
from starter.http.refused import RefusedWebhooks
from starter.intake import BadSignature
from tests.stack import assert_eventually, milestone_body
from tests.starter.conftest import NEW_SECRET, OLD_SECRET, Api, signed


def event(kind: str = "invoice.viewed", **data: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{uuid4().hex[:10]}",
        "type": kind,
        "created_at": "2026-10-15T08:00:00.123456Z",
        "data": {"invoice_id": "inv_1", "version": 1, "status": "viewed", **data},
    }


async def post(api: Api, body: dict[str, Any], **signing: Any) -> Any:
    raw = json.dumps(body).encode()
    return await api.deliver(raw, signed(raw, event_id=body["id"], **signing))


async def settled(api: Api, event_id: str, *fates: Fate) -> EventRow:
    async def look() -> EventRow | None:
        found = await api.event(event_id)
        return found if found and found.fate in fates else None

    found: EventRow = await assert_eventually(look)
    return found


@pytest.mark.parametrize("secret", [OLD_SECRET, NEW_SECRET])
async def test_any_of_the_secrets_verifies_while_one_is_rotated(api_without_temporal: Api, secret: str) -> None:
    body = event()
    answer = await post(api_without_temporal, body, secret=secret)
    assert (answer.status_code, answer.json()) == (202, {"event_id": body["id"], "created": True})


async def test_a_second_delivery_is_202_and_stored_once(api_without_temporal: Api) -> None:
    body = event()
    answers = await asyncio.gather(*(post(api_without_temporal, body) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert sum(answer.json()["created"] for answer in answers) == 1


async def test_a_bad_signature_is_a_401_and_nothing_is_stored(api_without_temporal: Api) -> None:
    body = event()
    answer = await post(api_without_temporal, body, secret="whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQ=")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "webhook-signature"
    assert await api_without_temporal.event(body["id"]) is None


@pytest.mark.parametrize("away", [timedelta(minutes=-6), timedelta(minutes=6)])
async def test_a_stale_timestamp_is_a_401_that_names_it(api_without_temporal: Api, away: timedelta) -> None:
    answer = await post(api_without_temporal, event(), at=datetime.now(UTC) + away)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["field"] == "webhook-timestamp"


async def test_a_changed_body_is_a_401(api_without_temporal: Api) -> None:
    raw = json.dumps(event()).encode()
    answer = await api_without_temporal.deliver(raw + b" ", signed(raw))
    assert answer.status_code == 401


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_missing_header_is_a_401_that_names_it(api_without_temporal: Api, header: str) -> None:
    raw = json.dumps(event()).encode()
    headers = signed(raw)
    del headers[header]
    answer = await api_without_temporal.deliver(raw, headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (401, header)
    assert header in answer.json()["next_step"]


async def test_a_signature_of_an_unknown_version_is_passed_over(api_without_temporal: Api) -> None:
    raw = json.dumps(event()).encode()
    headers = signed(raw)
    headers["webhook-signature"] = f"v1a,AAAA v9 {headers['webhook-signature']} nonsense"
    assert (await api_without_temporal.deliver(raw, headers)).status_code == 202


@pytest.mark.parametrize("signature", ["v1,%%%", "v1", "v1,a,b", ",", "v1,é"])
async def test_a_garbled_signature_is_a_401(api_without_temporal: Api, signature: str) -> None:
    raw = json.dumps(event()).encode()
    headers = signed(raw) | {"webhook-signature": signature.encode()}
    assert (await api_without_temporal.deliver(raw, headers)).status_code == 401  # type: ignore[arg-type]


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"id": "x"}', json.dumps(event() | {"id": "a\x00b"}).encode()], ids=str)
async def test_a_signed_body_that_is_no_event_is_a_400(api_without_temporal: Api, raw: bytes) -> None:
    answer = await api_without_temporal.deliver(raw, signed(raw))
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:billhook:malformed"
    assert answer.json()["next_step"]


@pytest.mark.parametrize(
    ("raw", "field", "cause", "next_step"),
    [
        (b"{key", "body", "it is no JSON", "send a JSON object in UTF-8"),
        (b'{"type": "invoice.viewed"}', "id", "it is missing", "send it"),
        (b"[]", "body", "it is no JSON object", "send an object; the fields are listed at /docs"),
    ],
)
async def test_what_is_wrong_with_a_signed_body_is_said_in_our_words(
    api_without_temporal: Api, raw: bytes, field: str, cause: str, next_step: str
) -> None:
    answer = await api_without_temporal.deliver(raw, signed(raw))
    assert answer.json()["errors"] == [{"field": field, "cause": cause, "next_step": next_step}]


async def test_a_refused_webhook_is_one_line_without_its_body_or_signature(api_without_temporal: Api) -> None:
    raw = json.dumps(event(status="hush-hush")).encode()
    headers = signed(raw, secret="whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQ=")
    headers["webhook-id"] = "evt_" + "9" * 500
    with capture_logs() as lines:
        await api_without_temporal.deliver(raw, headers)
        await api_without_temporal.deliver(b"{}", signed(b"{}"))
    forged, unreadable = (line for line in lines if line["event"] == "webhook_refused")
    assert (forged["log_level"], forged["source"], forged["kind"]) == ("warning", "jupiter", "bad-signature")
    assert forged["reason"] == "webhook-signature: no secret of ours signed this body"
    assert forged["webhook_id"].startswith("evt_999")
    assert len(forged["webhook_id"]) <= 100
    assert (unreadable["webhook_id"], unreadable["reason"]) == ("evt_1", "id: it is missing")
    assert "hush-hush" not in str(lines)
    assert headers["webhook-signature"] not in str(lines)


def test_a_flood_of_forged_webhooks_is_a_few_lines_that_say_how_many_there_were() -> None:
    at = [0.0]
    refused = RefusedWebhooks(clock=lambda: at[0])
    with capture_logs() as lines:
        for _ in range(10_000):
            refused.tell("jupiter", {"webhook-id": "evt\x1b[2J"}, BadSignature("forged"))
        told = len(lines)
        at[0] = 3600.0
        refused.tell("jupiter", {}, BadSignature("forged"))
    assert told < 50
    assert lines[-1]["untold_before"] == 10_000 - told
    assert "untold_before" not in lines[0]
    assert "\x1b" not in lines[0]["webhook_id"]


async def test_a_2_mb_webhook_is_a_413_declared_or_streamed(api_without_temporal: Api) -> None:
    raw = b"x" * 2_000_000
    declared = await api_without_temporal.deliver(raw, signed(raw))

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(raw), 65536):
            yield raw[start : start + 65536]

    streamed = await api_without_temporal.http.post("/webhooks/jupiter", content=stream(), headers=signed(raw))
    for answer in (declared, streamed):
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


async def test_an_event_that_cannot_be_stored_is_a_503(api_without_temporal: Api) -> None:
    async with api_without_temporal.database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("ALTER TABLE events RENAME TO away")
    answer = await post(api_without_temporal, event())
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    async with api_without_temporal.database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("ALTER TABLE away RENAME TO events")


async def _invoice(api: Api, address: str) -> tuple[str, WorkflowHandle[Any, Any]]:
    answer = await api.http.post("/triggers/milestone", json=milestone_body())
    key = answer.json()["key"]
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    return key, client.get_workflow_handle(key)


async def _signals(handle: WorkflowHandle[Any, Any]) -> list[str]:
    history = await handle.fetch_history()
    return [
        entry.workflow_execution_signaled_event_attributes.signal_name
        for entry in history.events
        if entry.event_type == History.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    ]


async def test_events_reach_their_workflow_in_order_and_are_marked_delivered(api: Api, temporal_address: str) -> None:
    key, handle = await _invoice(api, temporal_address)
    bodies = [event(f"invoice.{kind}", reference=key) for kind in ("viewed", "amended", "change_requested", "approved")]
    for body in bodies:
        assert (await post(api, body)).status_code == 202
    for body in bodies:
        await settled(api, body["id"], Fate.DELIVERED)
    assert await _signals(handle) == ["viewed", "amended", "change_requested", "approved"]


@pytest.mark.parametrize("kind", ["invoice.sent", "invoice.paid", "invoice.exploded"])
async def test_what_the_workflow_would_only_ignore_is_ignored_with_a_reason_and_costs_no_signal(
    api: Api, temporal_address: str, kind: str
) -> None:
    key, handle = await _invoice(api, temporal_address)
    body = event(kind, reference=key)
    await post(api, body)
    found = await settled(api, body["id"], Fate.IGNORED)
    assert found.reason
    assert await _signals(handle) == []


async def test_a_version_that_we_do_not_know_of_reaches_the_workflow(api: Api, temporal_address: str) -> None:
    key, handle = await _invoice(api, temporal_address)
    body = event("invoice.sent", reference=key, version=2)
    await post(api, body)
    await settled(api, body["id"], Fate.DELIVERED)
    assert len(await _signals(handle)) == 1


async def test_an_event_for_a_workflow_that_was_terminated_is_quarantined_for_a_person(
    api: Api, temporal_address: str
) -> None:
    key, handle = await _invoice(api, temporal_address)
    await handle.terminate("test")
    body = event(reference=key)
    await post(api, body)
    assert "terminated" in (await settled(api, body["id"], Fate.QUARANTINED)).reason


async def test_an_event_of_nobody_waits_and_is_then_quarantined_and_can_be_replayed(api: Api) -> None:
    await api.parts.dispatcher.stop()
    quick = Dispatcher(api.database, api.parts.engine, "q", pauses=(timedelta(0), timedelta(0)))
    body = event(reference="invoice:not:ours")
    await post(api, body)
    for attempts in (1, 2):
        await quick.pass_once()
        found = await settled(api, body["id"], Fate.PENDING)
        assert found.attempts == attempts
        assert found.next_attempt_at is not None
    await quick.pass_once()
    found = await settled(api, body["id"], Fate.QUARANTINED)
    assert "no invoice of ours" in found.reason
    assert [each["id"] for each in (await api.http.get("/events?fate=quarantined")).json()["data"]] == [body["id"]]
    replayed = await api.http.post(f"/events/{body['id']}/replay")
    assert (replayed.status_code, replayed.json()["fate"]) == (202, "pending")


async def test_events_taken_while_temporal_was_away_keep_their_attempts(api_without_temporal: Api) -> None:
    answer = await api_without_temporal.http.post("/triggers/milestone", json=milestone_body())
    body = event(reference=answer.json()["key"])
    assert (await post(api_without_temporal, body)).status_code == 202
    found = await api_without_temporal.event(body["id"])
    assert found is not None
    assert (found.fate, found.attempts) == (Fate.PENDING, 0)


async def test_a_replay_needs_admin_and_a_known_event(api_without_temporal: Api) -> None:
    reader = await api_without_temporal.token(Scope.READ)
    assert (await api_without_temporal.http.post("/events/x/replay", headers=reader)).status_code == 403
    assert (await api_without_temporal.http.post("/events/x/replay")).status_code == 404
