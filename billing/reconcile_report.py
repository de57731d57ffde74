"""What a run of reconciliation tells at its end: how much was compared, what was healed, what is left for a person."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from billing.reconcile import Difference, Found

KEPT: Final = 200
# Findings told one by one; a run is one payload, and beyond this a count says as much.
_LONGEST: Final = 500


class Finding(BaseModel):
    """One difference. `healed_by` is the id of the event that was fed; `next_step` is empty if nobody need do anything.

    `evidence` may hold outside text.
    """

    model_config = ConfigDict(frozen=True)

    difference: Difference
    external_id: str
    key: str | None = None
    evidence: str
    healed_by: str = ""
    next_step: str = ""

    @classmethod
    def of(cls, found: Found, external_id: str, key: str | None) -> "Finding":
        return cls(
            difference=found.difference,
            external_id=external_id,
            key=key,
            evidence=found.evidence[:_LONGEST],
            healed_by=found.event.id if found.event else "",
            next_step=found.next_step,
        )


class Tally(BaseModel):
    """What one step found. `look` are the API's ids of invoices whose list entry did not say enough."""

    compared: int = 0
    moving: int = 0
    findings: tuple[Finding, ...] = ()
    look: tuple[str, ...] = ()


class ReconcileReport(BaseModel):
    """The whole run. `moving` were left for the next one: they had changed a moment before."""

    pages: int = 0
    compared: int = 0
    moving: int = 0
    healed_count: int = 0
    left_count: int = 0
    healed: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()
    dry_run: bool = False

    @property
    def is_in_order(self) -> bool:
        """Nothing is left for a person."""
        return self.left_count == 0

    def plus(self, tally: Tally) -> "ReconcileReport":
        healed = [one for one in tally.findings if one.healed_by]
        left = [one for one in tally.findings if one.next_step]
        return self.model_copy(
            update={
                "compared": self.compared + tally.compared,
                "moving": self.moving + tally.moving,
                "healed_count": self.healed_count + len(healed),
                "left_count": self.left_count + len(left),
                "healed": (*self.healed, *healed)[:KEPT],
                "left": (*self.left, *left)[:KEPT],
            }
        )
