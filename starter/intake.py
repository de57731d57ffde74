"""The door for webhooks: what comes in is verified, read and stored before anybody is told 202.

The signature is checked on the raw bytes (Standard Webhooks, any of several secrets, five minutes tolerance). What
happens with a stored event is the dispatcher's business; the door never waits for Temporal.

Refused, all BillhookError:
BadSignature   401  no secret of ours signed these bytes, or not within the last five minutes
Malformed      400  signed, and not an event
NotStored      503  the only case in which the sender must send again
"""

import binascii
import math
import time
from collections.abc import Mapping
from datetime import UTC
from typing import Final

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from billing.complaints import TIMES
from billing.errors import BadInput, BillhookError, Unauthorized
from billing.events import InvoiceEvent
from records import events
from records.group import GroupCommit
from records.session import Database
from telemetry import tracing

SOURCE: Final = events.OURS
_MAX_VERSION: Final = 2**31 - 1
# What an integer column holds; no invoice has two thousand million versions.
_LATE_S: Final = 0.010
# A commit takes 2 to 5 ms where nobody else needs the disk and the processor.
_JUST_NOW_S: Final = 1.0
_NEWEST: Final = 0.01
# The weight of one answer in what is usual.
_HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
_SEND_ALL: Final = f"send {', '.join(_HEADERS)}, as Standard Webhooks has them"


class BadSignature(Unauthorized):
    """These bytes are not known to come from whom they say they come from."""

    slug = "bad-signature"


class Malformed(BillhookError):
    """Signed by a secret of ours, and still no event that can be read."""

    status = 400
    slug = "malformed"


class NotStored(BillhookError):
    """The event is good and could not be kept; the sender should send it again."""

    status = 503
    slug = "not-stored"


class Verifier:
    """Checks Standard Webhooks signatures by any of `secrets`, so that a secret can be rotated without a gap."""

    def __init__(self, secrets: list[str], setting: str = "BILLHOOK_WEBHOOK_SECRETS") -> None:
        self._secrets = [Webhook(secret) for secret in secrets]
        self._setting = setting

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raises BadSignature, whose words tell a stale timestamp from a wrong secret."""
        if not self._secrets:
            raise BadSignature("no webhook secret is set up here", next_step=f"set {self._setting}")
        given = {name: headers.get(name, "") for name in _HEADERS}
        for name, value in given.items():
            if not value:
                raise BadSignature(f"the header {name} is missing", field=name, next_step=_SEND_ALL)
        given["webhook-signature"] = _known_versions(given["webhook-signature"])
        refusals = [_refusal(secret, body, given) for secret in self._secrets]
        if all(refusals):
            raise _told(refusals[0], self._setting)


def read_event(body: bytes) -> InvoiceEvent:
    """The event in `body`. Raises Malformed naming the field."""
    try:
        event = InvoiceEvent.model_validate_json(body)
        event.created_at.astimezone(UTC)
    except ValidationError as error:
        raise _unreadable(BadInput.of(error)) from error
    except OverflowError as error:
        raise Malformed("created_at: no calendar has it", field="created_at", next_step=TIMES) from error
    if event.data.version > _MAX_VERSION:
        raise Malformed("data.version: no invoice has so many", field="data.version", next_step="send 1, 2, 3 ...")
    stored = {"id": event.id, "type": event.type, "data.invoice_id": event.data.invoice_id}
    for field, value in {**stored, "data.reference": event.data.reference or ""}.items():
        if "\x00" in value:
            # PostgreSQL holds no NUL in text: it would refuse the row for ever.
            raise Malformed(f"{field}: it holds a NUL", field=field, next_step="leave the NUL out")
    return event


def _unreadable(found: BadInput) -> Malformed:
    return Malformed(found.detail, field=found.field, next_step=found.next_step)


class Door:
    """Keeps what was verified and read; arrivals at the same moment share a transaction."""

    def __init__(self, database: Database) -> None:
        self._storing = GroupCommit(database, events.accept_all)
        self._late_at, self._usual_s = -math.inf, 0.0

    @property
    def is_late(self) -> bool:
        """A sender waited too long, just now: whatever else this machine does had better wait."""
        return time.monotonic() - self._late_at < _JUST_NOW_S

    async def accept(self, event: InvoiceEvent, raw: bytes) -> bool:
        """Keep `event`; False if its id came before. Committed on return. Raises NotStored."""
        return await self.keep(events.Arrival(SOURCE, event, raw))

    async def keep(self, arrival: events.Arrival | events.Notice) -> bool:
        """The same for an event of any system."""
        began = time.monotonic()
        try:
            is_new = await self._storing.put(arrival)
        except (SQLAlchemyError, OSError) as error:
            raise NotStored("the event could not be stored", next_step="send it again") from error
        finally:
            self._note(began, time.monotonic())
        if is_new:
            told = arrival.event if isinstance(arrival, events.Arrival) else arrival
            tracing.event_stored(arrival.source, told.id, told.type)
        return is_new

    def _note(self, began: float, ended: float) -> None:
        """What counts as late is told from what is usual: a database across a network is not late, it is far away."""
        took = ended - began
        if took > max(_LATE_S, 2 * self._usual_s):
            self._late_at = ended
        self._usual_s += (took - self._usual_s) * _NEWEST


def _known_versions(header: str) -> str:
    """Only the signatures of a version that we know: one of another version is passed over, not refused."""
    return " ".join(part for part in header.split(" ") if part.startswith("v1,") and part.count(",") == 1)


def _refusal(secret: Webhook, body: bytes, headers: dict[str, str]) -> str:
    """Empty if `secret` signed `body`; else why not."""
    try:
        secret.verify(body, headers, json_parse=False)
    except WebhookVerificationError as error:
        return str(error)
    except (UnicodeDecodeError, binascii.Error, ValueError):
        # Bytes that are no text, or a signature that is no base64: nobody of ours signed that.
        return "No matching signature found"
    return ""


def _told(refusal: str, setting: str) -> BadSignature:
    if "timestamp" in refusal or refusal == "Invalid Signature Headers":
        return BadSignature(
            f"webhook-timestamp: {refusal.lower()}; five minutes are tolerated",
            field="webhook-timestamp",
            next_step="check the sender's clock",
        )
    return BadSignature(
        "webhook-signature: no secret of ours signed this body",
        field="webhook-signature",
        next_step=f"check {setting} against the endpoint's secret",
    )
