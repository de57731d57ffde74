"""Jira: a released version bills what `motions.toml` says; one amount is a milestone, several lines are a project.

Signed in `X-Hub-Signature` (`sha256=`, HMAC of the body, hex, no time in it); `X-Atlassian-Webhook-Identifier` names
the event and stays the same over Jira's retries.
"""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel

from billing.errors import BadInput
from billing.intent import Motion
from billing.mappings import JiraMapping, JiraVersion, System, worded
from billing.motions import MilestoneTrigger, ProjectTrigger
from records.events import Due, Notice
from starter.vendors.calls import Call, Meaning, Nothing, dig, header, moment, notice, object_of
from starter.vendors.made import made
from starter.vendors.signing import Signed

_SIGNATURE: Final = "x-hub-signature"
_RELEASED: Final = "jira:version_released"
_COMMON: Final = {
    "event_id": "the header `X-Atlassian-Webhook-Identifier`",
    "occurred_at": "`timestamp`",
    "customer_id": "`customer` of the mapping",
    "currency": "`currency` of the mapping",
    "payment_terms": "`payment_terms` of the mapping",
}
FILLS: Final = {
    Motion.MILESTONE: {
        **_COMMON,
        "project_id": "`jira.` and `version.projectId`",
        "milestone_id": "`version.id`",
        "description": "`description` of the mapping, with `version.name` in it",
        "amount": "`amount` of the mapping",
    },
    Motion.PROJECT: {
        **_COMMON,
        "project_id": "`jira.`, `version.projectId` and `version.id`",
        "line_items": "`lines` of the mapping",
    },
}


class _Version(BaseModel):
    id: str
    name: str
    projectId: int  # noqa: N815 - Jira's spelling


class _Event(BaseModel):
    version: _Version
    timestamp: int


class Jira:
    system: Final = System.JIRA

    def __init__(self, secrets: list[str], mapping: JiraMapping) -> None:
        self._signed = Signed(secrets, "BILLHOOK_JIRA_SECRET", _SIGNATURE)
        self.is_on = self._signed.is_on
        self._mapping = mapping

    def verify(self, call: Call) -> None:
        """Jira Server could be told another algorithm; only SHA-256 is taken."""
        algorithm, _, signature = call.headers.get(_SIGNATURE, "").partition("=")
        self._signed.check(call.body, [signature if algorithm == "sha256" else ""])

    def read(self, call: Call) -> list[Notice]:
        body = object_of(call.body)
        version = dig(body, "version", "id")
        return [
            notice(
                call,
                self.system,
                header(call, "x-atlassian-webhook-identifier"),
                str(body.get("webhookEvent") or ""),
                call.body,
                lane=f"version:{version}" if version else "",
                at=body.get("timestamp"),
            )
        ]

    async def meaning(self, row: Due) -> Meaning:
        if row.type != _RELEASED:
            return Nothing(f"{row.type} bills nothing; a released version does")
        event = made(_Event, object_of(row.raw))
        version, at = event.version, moment(event.timestamp)
        if at is None:
            raise BadInput("timestamp", "out of range")
        mapping = self._mapping.of(str(version.projectId), version.name)
        if mapping is None:
            return Nothing(
                f"no [[jira.versions]] in motions.toml has project = '{version.projectId}' and a version that fits "
                f"{version.name!r}"
            )
        return _trigger(row.id, at, version, mapping)


def _trigger(event_id: str, at: datetime, version: _Version, mapping: JiraVersion) -> Meaning:
    common: dict[str, Any] = {
        "event_id": event_id,
        "occurred_at": at,
        "customer_id": mapping.customer,
        "currency": mapping.currency,
        "payment_terms": mapping.payment_terms,
    }
    if mapping.amount is None:
        project = f"jira.{version.projectId}.{version.id}"
        return ProjectTrigger(project_id=project, line_items=mapping.line_items(version.name), **common)
    return MilestoneTrigger(
        project_id=f"jira.{version.projectId}",
        milestone_id=version.id,
        description=worded(mapping.description, name=version.name),
        amount=mapping.amount,
        **common,
    )
