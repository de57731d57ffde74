"""How far a monthly run is, from its record: counts, amounts, rate and when it is through. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, computed_field

from billing.money import Money
from billing.record import Status
from billing.run_plan import Reasoned, Several

ON_THE_WAY = frozenset({Status.DRAFTING, Status.ISSUING})
"""What our steps at the invoicing API still have before them; everything else is out, or waits for a person."""


class Outcome(StrEnum):
    """What a run makes of a subscription. BILLED: an invoice stands for its month, whoever registered it."""

    BILLED = "billed"
    SKIPPED = "skipped"
    REFUSED = "refused"


class EarlierRun(BaseModel):
    """A run of the same month before the one that counts now; `finished_at` is empty where it was ended before."""

    model_config = ConfigDict(frozen=True)

    started_by: str
    started_at: datetime
    finished_at: datetime | None
    expected: int
    read: int


class RunStatus(BaseModel):
    """A group's month, as of `at`. `expected` subscriptions when it began, of which `read` are closed and registered.

    `billed` invoices stand, `standing` of them from before this run; `started` have a workflow, `on_the_way` of these
    are neither out nor put to a person. `total_minor` is what was built, by currency. `statuses` counts invoices as
    they stand now. `held_seconds`: so long nothing further was begun, since as many as may be were on their way.
    `earlier` are the runs of this month before it, the first one first.
    """

    model_config = ConfigDict(frozen=True)

    group: str
    period: str
    at: datetime
    started_by: str
    started_at: datetime
    told_at: datetime
    finished_at: datetime | None
    expected: int
    read: int
    pages: int
    billed: int
    standing: int
    started: int
    on_the_way: int
    statuses: dict[str, int]
    total_minor: dict[str, int]
    skipped: tuple[Reasoned, ...]
    refused: Several
    held_seconds: float
    earlier: tuple[EarlierRun, ...] = ()

    @property
    def amounts(self) -> Mapping[str, str]:
        """Decimal strings by currency."""
        return {code: f"{Money(minor=found, currency=code).major:f}" for code, found in self.total_minor.items()}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def elapsed_seconds(self) -> float:
        """Until everything was started, or up to now."""
        return max(0.0, ((self.finished_at or self.at) - self.started_at).total_seconds())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def per_hour(self) -> int | None:
        """Invoices of this run that went out, or to a person, per hour; None before the first."""
        out = self.billed - self.standing - self.on_the_way
        return int(3600 * out / self.elapsed_seconds) if out > 0 and self.elapsed_seconds else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def eta_seconds(self) -> int | None:
        """Until the rest is out as fast as what came before; None where nothing tells, or nothing is left to do."""
        done = self.read - self.on_the_way
        left = max(self.expected, self.read) - done
        if self.finished_at is not None or done <= 0 or left <= 0:
            return None
        return int(left * self.elapsed_seconds / done)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def held_share(self) -> float | None:
        """The part of its time in which the run waited for invoices under way at the invoicing API."""
        return round(min(1.0, self.held_seconds / self.elapsed_seconds), 3) if self.elapsed_seconds else None

    def is_quiet_for(self, longest: timedelta) -> bool:
        """Whether it is not through, and has told nothing of itself for longer than that."""
        return self.finished_at is None and self.at - self.told_at > longest
