"""What we mean to bill, before anybody has seen it: the intent, its total, the revision that decisions are bound to."""

import hashlib
import json
import re
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from billing.errors import BadInput
from billing.models import Exact
from billing.money import MAX_MINOR, Money, PlainDecimal, line_minor, percent_minor

DEFAULT_TERMS: Final = "net_30"
# The commonest business term; a trigger that wants another says so.
MAX_PERCENT: Final = 100
_TERMS: Final = re.compile(r"due_on_receipt|net_[1-9][0-9]{0,2}")


def _terms(value: str) -> str:
    if not _TERMS.fullmatch(value):
        raise ValueError(f"{value!r} are no payment terms; send due_on_receipt or net_N, for example net_30")
    return value


PaymentTerms = Annotated[str, AfterValidator(_terms)]


class Motion(StrEnum):
    """One way of billing; one trigger each."""

    MILESTONE = "milestone"
    PROJECT = "project"
    QUOTE = "quote"
    USAGE = "usage"
    OVERAGE = "overage"
    MANUAL = "manual"


class DiscountType(StrEnum):
    PERCENT = "percent"
    FLAT = "flat"


class Line(Exact):
    """One line: `quantity` times `unit_price` (major units of the intent's currency); both may be finer than a cent."""

    description: str
    quantity: Annotated[PlainDecimal, Field(gt=0)]
    unit_price: Annotated[PlainDecimal, Field(ge=0)]


class Discount(Exact):
    """On the subtotal: a percentage (0 < value <= 100) or an amount in major units."""

    type: DiscountType
    value: Annotated[PlainDecimal, Field(gt=0)]

    @model_validator(mode="after")
    def _not_over_all(self) -> Self:
        if self.type is DiscountType.PERCENT and self.value > MAX_PERCENT:
            raise ValueError(f"{self.value} percent is over {MAX_PERCENT}")
        return self


class Source(Exact):
    """Where the trigger came from. `scope` names the project, deal or subscription that `carry_po = "source"` means;
    `by_agent` if whoever triggered it is one: his word alone issues nothing, whatever became of his token since."""

    event_id: str
    occurred_at: datetime
    scope: str
    triggered_by: str = ""
    by_agent: bool = False


class Commercial(Exact):
    """The commercial content of one version: what a decision is about."""

    currency: str
    lines: tuple[Line, ...]
    discount: Discount | None = None
    payment_terms: PaymentTerms = DEFAULT_TERMS
    due_date: date | None = None

    @property
    def subtotal_minor(self) -> int:
        return sum(line_minor(line.quantity, line.unit_price, self.currency) for line in self.lines)

    @property
    def discount_minor(self) -> int:
        """What the discount takes off, in minor units. A percentage is rounded once, on the subtotal."""
        if self.discount is None:
            return 0
        if self.discount.type is DiscountType.FLAT:
            return Money.parse(f"{self.discount.value:f}", self.currency, "discount.value").minor
        return percent_minor(self.subtotal_minor, self.discount.value)

    @property
    def total(self) -> Money:
        return Money(minor=self.subtotal_minor - self.discount_minor, currency=self.currency)

    def revision(self, version: int) -> str:
        """Hash of this content as version `version`; 16 hex digits, enough to tell revisions of one invoice apart."""
        return canonical_hash({"version": version, **self.model_dump(mode="json")})[:16]

    def check(self) -> Self:
        """Raises BadInput where the parts contradict each other: no lines, more discount than lines, a huge total."""
        if not self.lines:
            raise BadInput("line_items", "there are none", "send one line at least")
        if not 0 <= self.subtotal_minor < MAX_MINOR:
            raise BadInput("line_items", f"they sum to {self.subtotal_minor} minor units", "send a total from 0 on")
        if self.total.minor < 0:
            off, subtotal = (Money(minor=m, currency=self.currency) for m in (self.discount_minor, self.subtotal_minor))
            raise BadInput(
                "discount.value",
                f"the discount of {off} is more than the lines, which sum to {subtotal}",
                "send a smaller discount; an edit can also take it away with remove_discount",
            )
        return self

    def patched(self, patch: "Patch | None") -> Self:
        """This content with the patch's fields in place. Raises BadInput where the result does not hold."""
        if patch is None:
            return self
        if patch.remove_discount and patch.discount:
            raise BadInput("remove_discount", "the same edit brings a discount", "send the one or the other")
        changes: dict[str, Any] = {
            name: getattr(patch, name)
            for name in ("lines", "discount", "payment_terms", "due_date")
            if getattr(patch, name) is not None
        }
        if patch.remove_discount:
            changes["discount"] = None
        return self.model_copy(update=changes).check()


class Patch(Exact):
    """An edit of the commercial content; a field left out stays as it is, so `remove_discount` takes one away."""

    lines: tuple[Line, ...] | None = None
    discount: Discount | None = None
    payment_terms: PaymentTerms | None = None
    due_date: date | None = None
    remove_discount: bool = False


class Intent(Exact):
    """One billing event, ready to be drafted. `key` is the idempotency key of everything that follows."""

    key: str
    motion: Motion
    customer_id: str
    commercial: Commercial
    source: Source
    deal_id: str | None = None

    @property
    def payload_hash(self) -> str:
        """What "the same payload" means: everything billed, and not how or when the source told us."""
        return canonical_hash(self.model_dump(mode="json", exclude={"source"}))


def canonical_hash(content: dict[str, Any]) -> str:
    """SHA-256 (hex) of a JSON value in one canonical spelling."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
