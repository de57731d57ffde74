"""Linear: a completed project bills what `motions.toml` says.

Signed in `Linear-Signature` (HMAC-SHA256 of the body, hex); the signed body carries `webhookTimestamp`, which Linear
asks to be within a minute. Linear takes nothing but 200 for an answer. `Linear-Delivery` names the delivery.
"""

from datetime import timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel

from billing.intent import Motion
from billing.mappings import LinearMapping, System
from billing.motions import ProjectTrigger
from records.events import Due, Notice
from starter.vendors.calls import Call, Meaning, Nothing, dig, header, moment, notice, object_of
from starter.vendors.made import made
from starter.vendors.signing import Signed, fresh

_SIGNATURE: Final = "linear-signature"
_WINDOW: Final = timedelta(minutes=1)
# What Linear's documentation and its own SDK ask for.
_TURNS: Final = frozenset({"completedAt", "statusId", "status", "state"})
# What has changed in the event that completes a project; later edits of a completed project change none of these.
FILLS: Final = {
    Motion.PROJECT: {
        "event_id": "the header `Linear-Delivery`",
        "occurred_at": "`data.completedAt`",
        "project_id": "`data.id`",
        "customer_id": "`customer` of the mapping",
        "line_items": "`lines` of the mapping, or one line of its `amount` with `data.name` in its `description`",
        "currency": "`currency` of the mapping",
        "payment_terms": "`payment_terms` of the mapping",
    }
}


class _Project(BaseModel):
    id: str
    name: str
    completedAt: AwareDatetime | None = None  # noqa: N815 - Linear's spelling


class _Event(BaseModel):
    data: _Project


class Linear:
    system: Final = System.LINEAR

    def __init__(self, secrets: list[str], mapping: LinearMapping) -> None:
        self._signed = Signed(secrets, "BILLHOOK_LINEAR_SECRET", _SIGNATURE)
        self.is_on = self._signed.is_on
        self._mapping = mapping

    def verify(self, call: Call) -> None:
        """The signature first: nothing of an unsigned body is read."""
        self._signed.check(call.body, [call.headers.get(_SIGNATURE, "")])
        fresh(moment(object_of(call.body).get("webhookTimestamp")), call.at, _WINDOW, "webhookTimestamp")

    def read(self, call: Call) -> list[Notice]:
        body = object_of(call.body)
        kind, action = str(body.get("type") or ""), str(body.get("action") or "")
        subject = str(dig(body, "data", "id") or "")
        return [
            notice(
                call,
                self.system,
                header(call, "linear-delivery"),
                f"{kind}.{action}",
                call.body,
                lane=f"{kind}:{subject}" if subject else "",
                at=body.get("createdAt"),
            )
        ]

    async def meaning(self, row: Due) -> Meaning:
        body = object_of(row.raw)
        if row.type not in {"Project.update", "Project.create"}:
            return Nothing(f"{row.type} bills nothing; a completed project does")
        project = made(_Event, body).data
        if project.completedAt is None:
            return Nothing("the project is not completed")
        if row.type == "Project.update" and not _TURNS & set(body.get("updatedFrom") or ()):
            return Nothing("the project was completed before; this edit bills nothing")
        mapping = self._mapping.of(project.id, project.name)
        if mapping is None:
            return Nothing(
                f"no [[linear.projects]] in motions.toml has project = {project.id!r}, or a pattern that fits "
                f"{project.name!r}"
            )
        return ProjectTrigger(
            event_id=row.id,
            occurred_at=project.completedAt,
            project_id=project.id,
            customer_id=mapping.customer,
            line_items=mapping.line_items(project.name),
            currency=mapping.currency,
            payment_terms=mapping.payment_terms,
        )
