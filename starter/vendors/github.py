"""GitHub: a closed milestone bills what `motions.toml` says.

Signed in `X-Hub-Signature-256` (HMAC-SHA256 of the body, hex, no time in it); `X-GitHub-Delivery` names the delivery
and stays the same over a redelivery. Subscribe the webhook to milestones alone.
"""

from typing import Final

from pydantic import AwareDatetime, BaseModel

from billing.errors import BadInput
from billing.intent import Motion
from billing.mappings import GitHubMapping, System, worded
from billing.motions import MilestoneTrigger
from records.events import Due, Notice
from starter.vendors.calls import Call, Meaning, Nothing, dig, header, notice, object_of
from starter.vendors.made import made
from starter.vendors.signing import Signed

_SIGNATURE: Final = "x-hub-signature-256"
_CLOSED: Final = "milestone.closed"
FILLS: Final = {
    Motion.MILESTONE: {
        "event_id": "the header `X-GitHub-Delivery`",
        "occurred_at": "`milestone.closed_at`",
        "project_id": "`project` of the mapping, else `repository.full_name` with a dot for the slash",
        "milestone_id": "`milestone.number`",
        "customer_id": "`customer` of the mapping",
        "description": "`description` of the mapping, with `milestone.title` in it",
        "amount": "`amount` of the mapping",
        "currency": "`currency` of the mapping",
        "payment_terms": "`payment_terms` of the mapping",
    }
}


class _Milestone(BaseModel):
    number: int
    title: str
    closed_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None


class _Repository(BaseModel):
    full_name: str


class _Event(BaseModel):
    milestone: _Milestone
    repository: _Repository


class GitHub:
    system: Final = System.GITHUB

    def __init__(self, secrets: list[str], mapping: GitHubMapping) -> None:
        self._signed = Signed(secrets, "BILLHOOK_GITHUB_SECRET", _SIGNATURE)
        self.is_on = self._signed.is_on
        self._mapping = mapping

    def verify(self, call: Call) -> None:
        self._signed.check(call.body, [call.headers.get(_SIGNATURE, "").removeprefix("sha256=")])

    def read(self, call: Call) -> list[Notice]:
        body = object_of(call.body)
        kind = ".".join(filter(None, (header(call, "x-github-event"), str(body.get("action") or ""))))
        repository, number = dig(body, "repository", "full_name"), dig(body, "milestone", "number")
        return [
            notice(
                call,
                self.system,
                header(call, "x-github-delivery"),
                kind,
                call.body,
                lane=f"{repository}:milestone:{number}" if number else "",
                at=dig(body, "milestone", "updated_at"),
            )
        ]

    async def meaning(self, row: Due) -> Meaning:
        if row.type != _CLOSED:
            return Nothing(f"{row.type} bills nothing; a closed milestone does")
        event = made(_Event, object_of(row.raw))
        milestone, repository = event.milestone, event.repository.full_name
        mapping = self._mapping.of(repository, milestone.title)
        if mapping is None:
            return Nothing(
                f"no [[github.milestones]] in motions.toml has repository = {repository!r} and a title that fits "
                f"{milestone.title!r}"
            )
        closed_at = milestone.closed_at or milestone.updated_at
        if closed_at is None:
            raise BadInput("milestone.closed_at", "a closed milestone has none")
        return MilestoneTrigger(
            event_id=row.id,
            occurred_at=closed_at,
            project_id=mapping.project or repository.replace("/", "."),
            milestone_id=str(milestone.number),
            customer_id=mapping.customer,
            description=worded(mapping.description, title=milestone.title, repository=repository),
            amount=mapping.amount,
            currency=mapping.currency,
            payment_terms=mapping.payment_terms,
        )
