"""Payloads as the vendors' published schemas have them, made up here, and signed as the vendors sign."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from standardwebhooks.webhooks import Webhook

SECRET = "It's a Secret to Everybody"
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLIC = "https://billing.example"
SECRETS = {
    **dict.fromkeys(("github_secret", "linear_secret", "jira_secret", "hubspot_secret", "stripe_secret"), SECRET),
    "generic_secret": STANDARD_SECRET,
    "cloudevents_secret": STANDARD_SECRET,
}
MOTIONS = """
[[github.milestones]]
repository = "acme/website"
title = "Phase *"
customer = "acme"
amount = "12500.00"
currency = "USD"
description = "{title} of {repository}"

[[linear.projects]]
project = "Website *"
customer = "acme"
currency = "USD"
lines = [
    { description = "Design", unit_price = "4000.00" },
    { description = "Build", quantity = "2.5", unit_price = "1200.00" },
]

[[jira.versions]]
project = "10001"
version = "v*"
customer = "acme"
currency = "USD"
amount = "800.00"
description = "Release {name}"

[[hubspot.won]]
[hubspot.customers]
"77" = "acme"

[stripe]
customers = { cus_9 = "acme" }

[generic.types."milestone.done"]
motion = "milestone"

[cloudevents.types."com.acme.job.finished"]
motion = "project"
fields = { project_id = "job.id", line_items = "job.lines" }
set = { customer_id = "acme", currency = "USD" }
"""


def digest(message: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`changes` into `base`, a dict within a dict the same way."""
    merges = {
        name: merged(base[name], value) if isinstance(value, dict) and isinstance(base.get(name), dict) else value
        for name, value in changes.items()
    }
    return base | merges


def github(**changes: Any) -> dict[str, Any]:
    body = {
        "action": "closed",
        "milestone": {
            "id": 9081,
            "number": 3,
            "title": "Phase 2",
            "state": "closed",
            "open_issues": 0,
            "closed_issues": 12,
            "updated_at": "2026-10-14T09:30:00Z",
            "closed_at": "2026-10-14T09:30:00Z",
        },
        "repository": {"id": 5, "full_name": "acme/website", "private": True},
        "sender": {"login": "dana", "id": 1},
    }
    return merged(body, changes)


def github_signed(raw: bytes, *, kind: str = "milestone", delivery: str = "", secret: str = SECRET) -> dict[str, str]:
    return {
        "x-github-event": kind,
        "x-github-delivery": delivery or str(uuid4()),
        "x-hub-signature-256": f"sha256={digest(raw, secret)}",
    }


def linear(**changes: Any) -> dict[str, Any]:
    body = {
        "action": "update",
        "type": "Project",
        "createdAt": "2026-10-14T09:30:00.000Z",
        "organizationId": str(uuid4()),
        "webhookId": str(uuid4()),
        "webhookTimestamp": now_ms(),
        "data": {
            "id": "5f3c1f84-7d4a-4b1e-9f5d-5d7f1f0b9a11",
            "name": "Website relaunch",
            "slugId": "3d1e",
            "statusId": "s9",
            "status": {"id": "s9", "name": "Completed", "type": "completed"},
            "completedAt": "2026-10-14T09:29:59.000Z",
        },
        "updatedFrom": {"statusId": "s1", "completedAt": None, "updatedAt": "2026-10-13T09:00:00.000Z"},
    }
    return merged(body, changes)


def linear_signed(raw: bytes, *, delivery: str = "", secret: str = SECRET) -> dict[str, str]:
    return {"linear-signature": digest(raw, secret), "linear-delivery": delivery or str(uuid4())}


def jira(**changes: Any) -> dict[str, Any]:
    body = {
        "timestamp": 1792000000000,
        "webhookEvent": "jira:version_released",
        "version": {
            "self": "https://acme.example/rest/api/2/version/10200",
            "id": "10200",
            "name": "v1.4",
            "archived": False,
            "released": True,
            "projectId": 10001,
        },
    }
    return merged(body, changes)


def jira_signed(raw: bytes, *, identifier: str = "", secret: str = SECRET) -> dict[str, str]:
    return {
        "x-hub-signature": f"sha256={digest(raw, secret)}",
        "x-atlassian-webhook-identifier": identifier or str(uuid4()),
    }


def hubspot(deal: int, **changes: Any) -> dict[str, Any]:
    body = {
        "eventId": 100,
        "subscriptionId": 12,
        "portalId": 62515,
        "appId": 54321,
        "occurredAt": now_ms(),
        "subscriptionType": "deal.propertyChange",
        "attemptNumber": 0,
        "objectId": deal,
        "propertyName": "dealstage",
        "propertyValue": "closedwon",
        "changeSource": "CRM_UI",
    }
    return body | changes


def hubspot_signed(raw: bytes, *, url: str, at: int | None = None, secret: str = SECRET) -> dict[str, str]:
    sent = str(at or now_ms())
    message = f"POST{url}".encode() + raw + sent.encode()
    signature = base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()
    return {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": sent}


def stripe(**changes: Any) -> dict[str, Any]:
    """`invoice.created` at a period's end; `changes` are the invoice's."""
    october, november = 1790812800, 1793491200
    invoice = {
        "id": "in_1",
        "object": "invoice",
        "billing_reason": "subscription_cycle",
        "status": "draft",
        "auto_advance": False,
        "customer": "cus_9",
        "currency": "usd",
        "subtotal": 15000,
        "total": 14000,
        "total_discount_amounts": [{"amount": 1000, "discount": "di_1"}],
        "period_start": october,
        "period_end": november,
        "lines": {
            "object": "list",
            "has_more": False,
            "data": [
                {"id": "il_1", "amount": 9900, "currency": "usd", "quantity": 1, "description": "Platform",
                 "period": {"start": october, "end": november}},
                {"id": "il_2", "amount": 5100, "currency": "usd", "quantity": 17, "description": "17 seats",
                 "period": {"start": october, "end": november}},
            ],
        },
        "parent": {
            "type": "subscription_details",
            "subscription_details": {"subscription": "sub_7", "metadata": {"collaborative_invoicing": "true"}},
        },
    }  # fmt: skip
    return {
        "id": f"evt_{uuid4().hex[:12]}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": november,
        "type": "invoice.created",
        "data": {"object": merged(invoice, changes)},
    }


def stripe_signed(raw: bytes, *, at: int | None = None, secret: str = SECRET) -> dict[str, str]:
    sent = at or now_ms() // 1000
    return {"stripe-signature": f"t={sent},v1={digest(f'{sent}.'.encode() + raw, secret)},v0=abc"}


def generic(**changes: Any) -> dict[str, Any]:
    data = {
        "project_id": "crane",
        "milestone_id": "m1",
        "customer_id": "acme",
        "description": "Foundation poured",
        "amount": "900.00",
        "currency": "USD",
    }
    return merged({"type": "milestone.done", "timestamp": "2026-10-14T09:30:00Z", "data": data}, changes)


def cloudevent(**changes: Any) -> dict[str, Any]:
    job = {"id": "job-9", "lines": [{"description": "Rendering", "quantity": "3", "unit_price": "40.00"}]}
    body = {
        "specversion": "1.0",
        "id": uuid4().hex,
        "source": "https://acme.example/jobs",
        "type": "com.acme.job.finished",
        "time": "2026-10-14T09:30:00Z",
        "datacontenttype": "application/json",
        "data": {"job": job},
    }
    return merged(body, changes)


def standard_signed(
    raw: bytes, *, message: str = "", at: datetime | None = None, secret: str = STANDARD_SECRET, **headers: str
) -> dict[str, str]:
    sent, message = at or datetime.now(UTC), message or f"msg_{uuid4().hex[:12]}"
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, sent, raw.decode()),
        **headers,
    }


def as_bytes(body: Any) -> bytes:
    return json.dumps(body).encode()
