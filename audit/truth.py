"""The sandbox's own audit, indexed. All of it is somebody else's word: read with care, compared, never trusted."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from billing.errors import BadInput
from billing.money import Money
from billing.provider import from_wire

OUR_DOOR: Final = "/webhooks/jupiter"
# Other endpoints may be subscribed at the API; only what was answered at this path was answered by us.
_APPROVED: Final = frozenset({"approved", "paid"})


@dataclass(frozen=True)
class Remote:
    """One invoice as the API's audit tells it."""

    raw: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.raw.get('id')} ({self.raw.get('number') or 'no number'}, {self.raw.get('status')})"

    @property
    def is_issued(self) -> bool:
        return self.raw.get("status") != "draft"

    @property
    def stands(self) -> bool:
        """Issued and not taken back."""
        return self.is_issued and self.raw.get("status") != "voided"

    @property
    def is_approved(self) -> bool:
        return self.raw.get("status") in _APPROVED

    @property
    def total(self) -> Money | None:
        return _money(self.raw)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return list(self.raw.get("line_items") or [])

    @property
    def requests(self) -> list[dict[str, Any]]:
        return list(self.raw.get("change_requests") or [])

    def version_row(self, version: int) -> dict[str, Any] | None:
        """One version's own line, None where the API has no such version."""
        return next((one for one in self.raw.get("versions") or [] if one.get("version") == version), None)

    def total_of(self, version: int) -> Money | None:
        row = self.version_row(version)
        return _money(row) if row else None


def _money(raw: dict[str, Any]) -> Money | None:
    try:
        return from_wire(int(raw["total_cents"]), str(raw["currency"]))
    except (KeyError, TypeError, ValueError, BadInput):
        return None


@dataclass(frozen=True)
class Truth:
    """`by_reference` and `by_id` hold the same invoices; `events` are by their ids."""

    invoices: list[Remote]
    numbers: dict[str, Any]
    events: dict[str, dict[str, Any]]
    by_id: dict[str, Remote]
    by_reference: dict[str, list[Remote]] = field(default_factory=dict)

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Truth":
        invoices = [Remote(one) for one in told.get("invoices") or []]
        by_reference: defaultdict[str, list[Remote]] = defaultdict(list)
        for one in invoices:
            if one.raw.get("reference"):
                by_reference[one.raw["reference"]].append(one)
        return cls(
            invoices=invoices,
            numbers=told.get("numbers") or {},
            events={one["id"]: one for one in told.get("events") or []},
            by_id={one.raw["id"]: one for one in invoices},
            by_reference=dict(by_reference),
        )


def was_taken(event: dict[str, Any]) -> bool:
    """Whether we answered 2xx to this event, so that it is ours to account for."""
    return any(
        one.get("state") == "delivered" and one.get("kind") != "forged" and str(one.get("endpoint")).endswith(OUR_DOOR)
        for one in event.get("deliveries") or []
    )
