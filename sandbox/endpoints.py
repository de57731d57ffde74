"""Who wants to hear of events. Subscribing a URL again changes its subscription, so nobody is told twice by mistake."""

import base64
import secrets
from typing import Any

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from sandbox.problems import Invalid
from sandbox.store import Tx
from sandbox.wire import dumps, loads, new_id


def new_secret() -> str:
    """A signing secret of 192 random bits, the least the specification allows."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def checked_secret(secret: str) -> str:
    """The secret itself when it can sign. Raises `Invalid`."""
    try:
        Webhook(secret)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise Invalid("A secret is whsec_ and base64.", "secret") from error
    return secret


def subscribe(tx: Tx, url: str, events: list[str], secret: str | None) -> dict[str, Any]:
    """Subscribe a URL to some events (an empty list: all); a secret is made where none is given."""
    known = tx.one("SELECT * FROM endpoints WHERE url = ?", url)
    chosen = checked_secret(secret) if secret else (known["secret"] if known else new_secret())
    endpoint = {"id": known["id"] if known else new_id("whe"), "url": url, "events": events, "secret": chosen}
    tx.run(
        "INSERT INTO endpoints (id, url, secret, events) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (url) DO UPDATE SET secret = excluded.secret, events = excluded.events",
        endpoint["id"], url, chosen, dumps(events),
    )  # fmt: skip
    return endpoint


def subscribe_from_start(tx: Tx, url: str, secret: str | None) -> None:
    """Subscribe the endpoint named at start; when its address moved, what it is still owed moves with it."""
    moved = tx.one("SELECT id FROM endpoints WHERE id = 'whe_start' AND url <> ?", url)
    tx.run("UPDATE OR IGNORE endpoints SET url = ? WHERE id = 'whe_start'", url)
    if moved is None:
        tx.run(
            "INSERT OR IGNORE INTO endpoints (id, url, secret, events) VALUES ('whe_start', ?, ?, '[]')",
            url, secret or new_secret(),
        )  # fmt: skip
    subscribe(tx, url, [], secret)


def listed(tx: Tx) -> list[dict[str, Any]]:
    """Every endpoint, without its secret."""
    rows = tx.all("SELECT id, url, events FROM endpoints ORDER BY rowid")
    return [{"id": row["id"], "url": row["url"], "events": loads(row["events"])} for row in rows]
