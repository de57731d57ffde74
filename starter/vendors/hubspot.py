"""HubSpot: a deal that moves to a stage which means won is read over the CRM API and becomes a quote.

Signed in `X-HubSpot-Signature-v3`: HMAC-SHA256, base64, of method, public URL, body and `X-HubSpot-Request-Timestamp`
(milliseconds; five minutes). Events come up to a hundred at a time, in any order, and their `eventId` need not be
unique: an event is told by portal, subscription, object, property, time and value. The event says only that a stage
changed; what counts is how the deal stands when it is read, so late and repeated events change nothing.
"""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel

from billing.errors import BadInput
from billing.intent import Motion
from billing.mappings import HubSpotMapping, System
from billing.money import Money, line_minor, parse_decimal, plain_text
from billing.motions import LineBody, QuoteTrigger
from connectors.hubspot import Associated, HubSpot, Record
from records.events import Due, Notice
from starter.intake import Malformed
from starter.vendors.calls import Call, Meaning, Nothing, NotYet, json_of, moment, notice, object_of
from starter.vendors.made import made
from starter.vendors.signing import FIVE_MINUTES, Signed, as_base64, fresh

_SIGNATURE: Final = "x-hubspot-signature-v3"
_TIMESTAMP: Final = "x-hubspot-request-timestamp"
_IDENTITY: Final = ("portalId", "subscriptionId", "objectId", "propertyName", "occurredAt", "propertyValue")
_DEAL: Final = "0-3"
# The object type of deals, where subscriptions are of the generic kind.
_MOVED: Final = frozenset({"deal.propertyChange", "object.propertyChange"})
_MADE: Final = frozenset({"deal.creation", "object.creation"})
_DEAL_PROPERTIES: Final = ("dealname", "amount", "deal_currency_code", "pipeline", "dealstage", "closedate")
_LINE_PROPERTIES: Final = ("name", "quantity", "price", "amount", "hs_line_item_currency_code", "hs_position_on_quote")
_DECODED: Final = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$", "%27": "'", "%28": "(", "%29": ")",
    "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip
# HubSpot signs the URL with these decoded, and no others.
FILLS: Final = {
    Motion.QUOTE: {
        "event_id": "portal, subscription, object, property, time and value of the event",
        "occurred_at": "`occurredAt`",
        "quote_id": "`deal_` and the deal's id",
        "deal_id": "the deal's id",
        "customer_id": "`customers` of the mapping by company id, else the company's `customer_property`, else who has "
        "the company's id as `crm_ref`",
        "currency": "the deal's `deal_currency_code`, else its lines', else `currency` of the mapping",
        "line_items": "the deal's line items (`name`, `quantity`, `price`; `amount` where a discount makes it "
        "another), or one line of `dealname` and `amount` where there are none",
        "payment_terms": "`payment_terms` of the mapping",
    }
}


class _Event(BaseModel):
    objectId: int  # noqa: N815 - HubSpot's spelling
    occurredAt: int  # noqa: N815
    objectTypeId: str = _DEAL  # noqa: N815
    propertyName: str = ""  # noqa: N815
    propertyValue: str | None = None  # noqa: N815


class HubSpotDeals:
    """`customer_with` answers which customer of ours has this `crm_ref`; `hubspot` is None without a token."""

    system: Final = System.HUBSPOT

    def __init__(
        self,
        secrets: list[str],
        mapping: HubSpotMapping,
        hubspot: HubSpot | None,
        customer_with: Callable[[str], Awaitable[str | None]],
    ) -> None:
        self._signed = Signed(secrets, "BILLHOOK_HUBSPOT_SECRET", _SIGNATURE, as_base64)
        self.is_on = self._signed.is_on
        self._mapping, self._hubspot, self._customer_with = mapping, hubspot, customer_with

    def verify(self, call: Call) -> None:
        at = call.headers.get(_TIMESTAMP, "")
        message = f"{call.method}{_decoded(call.url)}".encode() + call.body + at.encode(errors="replace")
        self._signed.check(message, [call.headers.get(_SIGNATURE, "")])
        fresh(moment(int(at)) if at.isascii() and at.isdigit() else None, call.at, FIVE_MINUTES, _TIMESTAMP)

    def read(self, call: Call) -> list[Notice]:
        found = json_of(call.body)
        if not isinstance(found, list) or not all(isinstance(event, dict) for event in found):
            raise Malformed("the body is no JSON array of events", field="body", next_step="send an array of objects")
        return [self._notice(call, event) for event in found]

    def _notice(self, call: Call, event: dict[str, Any]) -> Notice:
        identity = json.dumps([event.get(name) for name in _IDENTITY])
        return notice(
            call,
            self.system,
            identity,
            str(event.get("subscriptionType") or ""),
            json.dumps(event).encode(),
            lane=f"{event.get('portalId')}:{event.get('objectId')}",
            at=event.get("occurredAt"),
        )

    async def meaning(self, row: Due) -> Meaning:
        event = made(_Event, object_of(row.raw))
        if row.type not in _MOVED | _MADE or event.objectTypeId != _DEAL:
            return Nothing(f"{row.type} bills nothing; a deal that is won does")
        if not self._mapping.won:
            return Nothing("motions.toml has no [[hubspot.won]]: no stage means won")
        if row.type in _MOVED and event.propertyName != "dealstage":
            return Nothing(f"a change of {event.propertyName} bills nothing; one of dealstage does")
        if row.type in _MOVED and not self._mapping.may_be_won(event.propertyValue or ""):
            return Nothing(f"no [[hubspot.won]] in motions.toml has stage = {event.propertyValue!r}")
        if self._hubspot is None:
            raise NotYet("hubspot_token", "the deal cannot be read without it", "set BILLHOOK_HUBSPOT_TOKEN")
        return await self._deal(row, self._hubspot, str(event.objectId))

    async def _deal(self, row: Due, hubspot: HubSpot, deal_id: str) -> Meaning:
        deal = await hubspot.record("deals", deal_id, _DEAL_PROPERTIES)
        pipeline, stage = deal.get("pipeline"), deal.get("dealstage")
        if not self._mapping.is_won(pipeline, stage):
            return Nothing(
                f"deal {deal_id} is in stage {stage!r} of pipeline {pipeline!r} now, and no [[hubspot.won]] in "
                "motions.toml names that"
            )
        customer = await self._customer(hubspot, deal_id)
        ends = await hubspot.associated("deals", deal_id, "line_items")
        items = await hubspot.records("line_items", [end.id for end in ends], _LINE_PROPERTIES)
        currency = self._currency(deal, items)
        body = {
            "event_id": row.id,
            "occurred_at": row.created_at,
            "customer_id": customer,
            "currency": currency,
            "payment_terms": self._mapping.payment_terms,
            "quote_id": f"deal_{deal_id}",
            "deal_id": deal_id,
            "line_items": _lines(deal, items, currency),
        }
        return made(QuoteTrigger, body)

    def _currency(self, deal: Record, items: list[Record]) -> str:
        """A portal with one currency names it nowhere, so that the mapping must."""
        named = {deal.get("deal_currency_code"), *(item.get("hs_line_item_currency_code") for item in items)} - {""}
        if len(named) > 1:
            raise BadInput("currency", f"deal and line items name several: {', '.join(sorted(named))}")
        currency = next(iter(named), self._mapping.currency or "")
        if not currency:
            raise NotYet("currency", f"deal {deal.id} names none", "set hubspot.currency in motions.toml")
        return currency

    async def _customer(self, hubspot: HubSpot, deal_id: str) -> str:
        """Raises NotYet where nobody says whose the deal is."""
        company = _company(deal_id, await hubspot.associated("deals", deal_id, "companies"))
        customer = self._mapping.customers.get(company, "")
        if not customer and (name := self._mapping.customer_property):
            customer = (await hubspot.record("companies", company, [name])).get(name)
        customer = customer or await self._customer_with(company) or ""
        if not customer:
            raise NotYet(
                "customer_id",
                f"nobody says which customer HubSpot's company {company} is",
                f"name it under hubspot.customers in motions.toml, or set crm_ref = {company!r} with PUT /customers/ID",
            )
        return customer


def _company(deal_id: str, companies: list[Associated]) -> str:
    """The only company, or the primary one."""
    chosen = companies if len(companies) == 1 else [company for company in companies if company.is_primary]
    if len(chosen) != 1:
        raise NotYet(
            "company",
            f"deal {deal_id} has {len(companies)} companies and {len(chosen)} primary ones",
            "give the deal one primary company in HubSpot",
        )
    return chosen[0].id


def _lines(deal: Record, items: list[Record], currency: str) -> list[LineBody]:
    if not items:
        amount = deal.get("amount")
        if not amount:
            raise NotYet("line_items", f"deal {deal.id} has no line items and no amount", "give it either in HubSpot")
        return [LineBody(description=(deal.get("dealname") or f"Deal {deal.id}")[:2000], unit_price=amount)]
    placed = sorted(items, key=lambda item: (_place(item), int(item.id) if item.id.isdigit() else 0))
    return [_line(item, currency) for item in placed]


def _place(item: Record) -> int:
    place = item.get("hs_position_on_quote")
    return int(place) if place.isascii() and place.isdigit() else 0


def _line(item: Record, currency: str) -> LineBody:
    """Quantity times price, unless HubSpot's own amount is another: then a discount is in it, and the amount holds."""
    name, price, net = item.get("name") or f"Line item {item.id}", item.get("price"), item.get("amount")
    quantity = item.get("quantity") or "1"
    if not price and not net:
        raise BadInput(f"line_items.{item.id}", "it has neither price nor amount", "give it a price in HubSpot")
    count = parse_decimal(quantity, f"line_items.{item.id}.quantity")
    unit = parse_decimal(price or net, f"line_items.{item.id}.price")
    agreed = line_minor(Decimal(1), parse_decimal(net, f"line_items.{item.id}.amount"), currency) if net else None
    if agreed is None or line_minor(count, unit, currency) == agreed:
        return LineBody(description=name[:2000], quantity=plain_text(count), unit_price=plain_text(unit))
    words = f"{name[:1900]} ({plain_text(count)} x {plain_text(unit)}, discounted)"
    return LineBody(description=words, unit_price=plain_text(Money(minor=agreed, currency=currency).major))


def _decoded(url: str) -> str:
    for code, sign in _DECODED.items():
        url = url.replace(code, sign).replace(code.lower(), sign)
    return url
