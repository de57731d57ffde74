"""Everything else: a generic webhook, and CloudEvents, both signed as Standard Webhooks asks.

`[generic.types]` and `[cloudevents.types]` say which motion a type starts. A generic webhook is `{type, timestamp,
data}`; a CloudEvent comes structured, as a batch, or binary. In binary mode the attributes travel in headers, which
nobody signs: there the signed `webhook-id` is the event's id, so that no copy with other attributes is a second event.
"""

import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

from pydantic import BaseModel

from billing.errors import BadInput
from billing.intent import Motion
from billing.mappings import System, TypeMapping, TypesMapping
from billing.motions import TRIGGERS
from records.events import Due, Notice
from starter.intake import Malformed, Verifier
from starter.vendors.calls import Call, Meaning, Nothing, dig, header, json_of, notice, object_of
from starter.vendors.made import made

_STRUCTURED: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"
_PREFIX: Final = "ce-"
_MODES: Final = f"send {_STRUCTURED}, {_BATCH}, or the attributes as headers that begin with {_PREFIX}"
_LONGEST_ID: Final = 200
_WORDS: Final = "the event's data, or where `fields` of the type's mapping finds it, or `set` there"


def _fills(event_id: str, occurred_at: str) -> dict[Motion, dict[str, str]]:
    return {
        motion: dict.fromkeys(trigger.model_fields, _WORDS) | {"event_id": event_id, "occurred_at": occurred_at}
        for motion, trigger in TRIGGERS.items()
    }


GENERIC_FILLS: Final = _fills(
    "the data's, else the header `webhook-id`", "the data's, else `timestamp`, else when it came"
)
CLOUDEVENTS_FILLS: Final = _fills("the data's, else the attribute `id`", "the data's, else `time`, else when it came")


class _Envelope(BaseModel):
    """Both kinds as they are stored."""

    type: str
    id: str = ""
    time: str | None = None
    data: Any = None


class _Standard:
    """Verifies, and translates by type."""

    def __init__(self, system: System, secrets: list[str], mapping: TypesMapping) -> None:
        self.system: Final = system
        setting = f"BILLHOOK_{system.name}_SECRET"
        self._verifier = Verifier(secrets, setting)
        self.is_on = bool(secrets)
        self._mapping = mapping

    def verify(self, call: Call) -> None:
        self._verifier.verify(call.body, call.headers)

    async def _meaning(self, row: Due, envelope: _Envelope) -> Meaning:
        mapping = self._mapping.types.get(envelope.type)
        if mapping is None:
            return Nothing(f"motions.toml has no [{self.system.value}.types.{json.dumps(envelope.type)}]")
        body = {"event_id": envelope.id or row.id, "occurred_at": envelope.time or row.created_at}
        body["event_id"] = str(body["event_id"])[:_LONGEST_ID]
        return made(TRIGGERS[mapping.motion], body | mapping.set | _taken(envelope.data, mapping))


class Generic(_Standard):
    def __init__(self, secrets: list[str], mapping: TypesMapping) -> None:
        super().__init__(System.GENERIC, secrets, mapping)

    def read(self, call: Call) -> list[Notice]:
        body = object_of(call.body)
        kind = body.get("type")
        if not isinstance(kind, str) or not kind:
            raise Malformed("type: it is missing", field="type", next_step="send the event's type, as text")
        return [notice(call, self.system, header(call, "webhook-id"), kind, call.body, at=body.get("timestamp"))]

    async def meaning(self, row: Due) -> Meaning:
        body = object_of(row.raw)
        event_id = row.id.removeprefix(f"{self.system.value}:")
        return await self._meaning(row, made(_Envelope, {**body, "id": event_id, "time": body.get("timestamp")}))


class CloudEvents(_Standard):
    def __init__(self, secrets: list[str], mapping: TypesMapping) -> None:
        super().__init__(System.CLOUDEVENTS, secrets, mapping)

    def read(self, call: Call) -> list[Notice]:
        kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == _STRUCTURED:
            return [self._notice(call, object_of(call.body), call.body)]
        if kind == _BATCH:
            return [self._notice(call, event, json.dumps(event).encode()) for event in _batch(call.body)]
        if "ce-specversion" in call.headers:
            event = _binary(call)
            return [self._notice(call, event, json.dumps(event).encode(), header(call, "webhook-id"))]
        raise Malformed("content-type: it is none of CloudEvents", field="content-type", next_step=_MODES)

    def _notice(self, call: Call, event: dict[str, Any], raw: bytes, signed_id: str = "") -> Notice:
        """Source and id together tell a CloudEvent from all others."""
        for name in ("id", "source", "type", "specversion"):
            if not isinstance(event.get(name), str) or not event[name]:
                raise Malformed(f"{name}: it is missing, or no text", field=name, next_step="every CloudEvent has it")
        if not event["specversion"].startswith("1."):
            raise Malformed("specversion: it is not 1.x", field="specversion", next_step="send CloudEvents 1.0")
        event_id = signed_id or f"{event['source']}:{event['id']}"
        return notice(call, self.system, event_id, event["type"], raw, at=event.get("time"))

    async def meaning(self, row: Due) -> Meaning:
        return await self._meaning(row, made(_Envelope, object_of(row.raw)))


def _batch(raw: bytes) -> Iterable[dict[str, Any]]:
    found = json_of(raw)
    if not isinstance(found, list) or not all(isinstance(event, dict) for event in found):
        raise Malformed("the body is no JSON array of CloudEvents", field="body", next_step="send an array of objects")
    return found


def _binary(call: Call) -> dict[str, Any]:
    """As it would look structured; header values are percent-encoded (HTTP binding, 3.1.3.2)."""
    given = {name.removeprefix(_PREFIX): unquote(value) for name, value in call.headers.items()
             if name.startswith(_PREFIX)}  # fmt: skip
    return {**given, "data": json_of(call.body) if call.body else None}


def _taken(data: Any, mapping: TypeMapping) -> dict[str, Any]:
    """The trigger's fields out of the data. Raises BadInput where it is no object, or lacks a place that is mapped."""
    if not isinstance(data, dict):
        raise BadInput("data", "it is no JSON object")
    if not mapping.fields:
        return data
    found = {name: dig(data, *path.split(".")) for name, path in mapping.fields.items()}
    for name, value in found.items():
        if value is None:
            raise BadInput(f"data.{mapping.fields[name]}", f"it is missing; {name} is taken from there")
    return found
