"""Stripe: what a subscription bills at its period's end, where its metadata asks for collaborative invoicing.

Signed in `Stripe-Signature` (`t=` seconds, `v1=` HMAC-SHA256 of `t.body`, hex; the secret is used as it is, `whsec_`
and all; five minutes). `invoice.created` is the event that Stripe sends when a period ends: it comes once per period
and holds the lines with their amounts. docs/decisions/0017 says why not the others, and how Stripe is kept from
billing as well.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel, Field

from billing.errors import BadInput
from billing.intent import DiscountType, Motion
from billing.mappings import StripeMapping, System
from billing.money import plain_text
from billing.motions import DiscountBody, LineBody, UsageTrigger
from records.events import Due, Notice
from starter.vendors.calls import Call, Meaning, Nothing, NotYet, dig, notice, object_of
from starter.vendors.made import made
from starter.vendors.signing import FIVE_MINUTES, Signed, fresh

_SIGNATURE: Final = "stripe-signature"
_CREATED: Final = "invoice.created"
_REASONS: Final = frozenset({"subscription_cycle", "subscription_create"})
# A period that begins is billed where the plan bills in advance; the first one begins with the subscription.
_SHORTEST: Final = timedelta(days=27)
# A usage key holds a month: two periods of one month would be taken for the same.
_SECONDS: Final = re.compile(r"[0-9]{1,11}")
_ZERO: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# Stripe's own minor units (docs.stripe.com/currencies): MGA has none there though ISO gives it two; ISK and UGX have
# two there though ISO gives them none.
FILLS: Final = {
    Motion.USAGE: {
        "event_id": "`id` of the event",
        "occurred_at": "`created` of the event",
        "subscription_id": "`parent.subscription_details.subscription`",
        "period": "the month (UTC) in which the latest line's `period` begins",
        "customer_id": "`customers` of the mapping, else the subscription's metadata, else who has it as `crm_ref`",
        "line_items": "`lines.data`: each `description` with its `amount`",
        "currency": "`currency`",
        "discount": "`total_discount_amounts` and lines below zero, as one flat discount",
        "payment_terms": "`payment_terms` of the mapping",
    }
}


class _Amount(BaseModel):
    amount: int


class _Period(BaseModel):
    start: int
    end: int


class _Line(BaseModel):
    amount: int
    description: str | None = None
    period: _Period


class _Lines(BaseModel):
    data: list[_Line]
    has_more: bool = False


class _Details(BaseModel):
    subscription: str
    metadata: dict[str, str] | None = None


class _Parent(BaseModel):
    subscription_details: _Details | None = None


class _Invoice(BaseModel):
    """Since API 2025-03-31 the subscription stands under `parent`; before, beside everything else."""

    id: str
    billing_reason: str | None = None
    auto_advance: bool = False
    customer: str = ""
    currency: str = ""
    total: int = 0
    total_discount_amounts: list[_Amount] | None = None
    lines: _Lines = Field(default_factory=lambda: _Lines(data=[]))
    parent: _Parent | None = None
    subscription: str | None = None
    subscription_details: dict[str, Any] | None = None

    @property
    def details(self) -> _Details | None:
        if self.parent is not None and self.parent.subscription_details is not None:
            return self.parent.subscription_details
        if not self.subscription:
            return None
        return _Details(subscription=self.subscription, metadata=dig(self.subscription_details, "metadata"))


class Stripe:
    """`customer_with` answers which customer of ours has this `crm_ref`."""

    system: Final = System.STRIPE

    def __init__(
        self, secrets: list[str], mapping: StripeMapping | None, customer_with: Callable[[str], Awaitable[str | None]]
    ) -> None:
        self._signed = Signed(secrets, "BILLHOOK_STRIPE_SECRET", _SIGNATURE)
        self.is_on = self._signed.is_on
        self._mapping, self._customer_with = mapping, customer_with

    def verify(self, call: Call) -> None:
        parts = [part.partition("=")[::2] for part in call.headers.get(_SIGNATURE, "").split(",")]
        at = next((value for name, value in parts if name.strip() == "t"), "")
        self._signed.check(f"{at}.".encode() + call.body, [value for name, value in parts if name.strip() == "v1"])
        fresh(_seconds(int(at)) if _SECONDS.fullmatch(at) else None, call.at, FIVE_MINUTES, f"{_SIGNATURE} t")

    def read(self, call: Call) -> list[Notice]:
        body = object_of(call.body)
        created, about = body.get("created"), dig(body, "data", "object", "id")
        at = created * 1000 if isinstance(created, int) else None
        lane = f"object:{about}" if about else ""
        kind = str(body.get("type") or "")
        return [notice(call, self.system, str(body.get("id") or ""), kind, call.body, lane=lane, at=at)]

    async def meaning(self, row: Due) -> Meaning:
        if row.type != _CREATED:
            return Nothing(f"{row.type} bills nothing; {_CREATED} does, when a period ends")
        if self._mapping is None:
            return Nothing("motions.toml has no [stripe]")
        invoice = made(_Invoice, dig(object_of(row.raw), "data", "object"))
        details = invoice.details
        if details is None or invoice.billing_reason not in _REASONS:
            return Nothing(f"billing_reason {invoice.billing_reason}: no subscription's period begins or ends")
        metadata = details.metadata or {}
        if metadata.get(self._mapping.metadata_key) != self._mapping.metadata_value:
            key, value = self._mapping.metadata_key, self._mapping.metadata_value
            return Nothing(
                f"the metadata of {details.subscription} does not say {key} = {value!r} "
                "(stripe.metadata_key and stripe.metadata_value in motions.toml)"
            )
        if invoice.total == 0:
            return Nothing("there is nothing to bill: its total is 0")
        self._only_once(invoice)
        return _usage(row, invoice, details, await self._customer(invoice, metadata), self._mapping)

    def _only_once(self, invoice: _Invoice) -> None:
        """Raises BadInput where Stripe would bill the same."""
        if invoice.auto_advance and not (self._mapping and self._mapping.also_if_stripe_collects):
            raise BadInput(
                "auto_advance",
                f"Stripe finalizes and collects {invoice.id} itself, so the customer would be billed twice",
                "pause the subscription's collection at Stripe (pause_collection keep_as_draft) and void that invoice, "
                "set stripe.also_if_stripe_collects in motions.toml, then replay",
            )

    async def _customer(self, invoice: _Invoice, metadata: dict[str, str]) -> str:
        mapping = self._mapping or StripeMapping()
        found = mapping.customers.get(invoice.customer) or metadata.get(mapping.customer_key)
        found = found or await self._customer_with(invoice.customer)
        if not found:
            raise NotYet(
                "customer",
                f"nobody knows whose {invoice.customer} is",
                "name it under stripe.customers in motions.toml, as crm_ref of a customer, "
                f"or in the subscription's metadata as {mapping.customer_key}",
            )
        return found


def _usage(row: Due, invoice: _Invoice, details: _Details, customer: str, mapping: StripeMapping) -> UsageTrigger:
    """Raises BadInput where the lines do not sum to what Stripe says, or a month is no key."""
    currency = invoice.currency.upper()
    lines, off = _lines(invoice)
    billed = sum(line.amount for line in lines) - off
    if invoice.lines.has_more or billed != invoice.total:
        raise BadInput(
            "lines",
            f"they come to {_major(billed, currency)} {currency}, and {invoice.id} says "
            f"{_major(invoice.total, currency)} (more lines than an event holds, or taxes)",
            "bill this period by hand: POST /triggers/usage",
        )
    body = {
        "event_id": row.id,
        "occurred_at": row.created_at,
        "subscription_id": details.subscription,
        "period": _month(lines),
        "customer_id": customer,
        "currency": currency,
        "payment_terms": mapping.payment_terms,
        "line_items": [_line(line, currency) for line in lines],
        "discount": DiscountBody(type=DiscountType.FLAT, value=_major(off, currency)) if off else None,
    }
    return made(UsageTrigger, body)


def _lines(invoice: _Invoice) -> tuple[list[_Line], int]:
    """What is billed, and what is taken off: discounts, and lines below zero, which are credits of a proration."""
    credits_ = -sum(line.amount for line in invoice.lines.data if line.amount < 0)
    discounts = sum(discount.amount for discount in invoice.total_discount_amounts or ())
    return [line for line in invoice.lines.data if line.amount >= 0], credits_ + discounts


def _line(line: _Line, currency: str) -> LineBody:
    """At its amount: Stripe has multiplied and rounded already, and its word is what the customer agreed to there."""
    return LineBody(description=(line.description or "Subscription")[:2000], unit_price=_major(line.amount, currency))


def _month(lines: list[_Line]) -> str:
    latest = max(lines, key=lambda line: line.period.start).period
    start, end = _seconds(latest.start), _seconds(latest.end)
    if end - start < _SHORTEST:
        raise BadInput(
            "lines.period",
            f"{start.date()} to {end.date()} is shorter than a month, and one invoice a month is the most",
            "bill it monthly at Stripe, or send POST /triggers/project for each period",
        )
    return f"{start:%Y-%m}"


def _seconds(value: int) -> datetime:
    return datetime.fromtimestamp(value, UTC)


def decimals_at_stripe(currency: str) -> int:
    """How many decimals Stripe's integers have."""
    return 0 if currency in _ZERO else 3 if currency in _THREE else 2


def _major(amount: int, currency: str) -> str:
    """Major units as a plain decimal string; more decimals than ISO's are dropped only where they are zeros."""
    return plain_text(Decimal(amount).scaleb(-decimals_at_stripe(currency)))
