"""A plan that contradicts itself, or is no money of its currency, is refused by the field that is wrong."""

from typing import Any

import pytest

from billing.errors import BadInput
from billing.plans import SubscriptionBody

UNIT = {"meter": "api", "model": "per_unit", "unit_price": "0.01"}
FLAT = {"meter": "api", "model": "flat", "amount": "9.00"}
LAST = {"unit_price": "1"}


def tiered(*tiers: dict[str, Any], model: str = "graduated", **more: Any) -> dict[str, Any]:
    return {"meter": "api", "model": model, "tiers": list(tiers), **more}


def a_body(*charges: dict[str, Any], **changes: Any) -> dict[str, Any]:
    body = {
        "customer_id": "acme",
        "billing_group": "europe",
        "currency": "USD",
        "started_on": "2026-01-01",
        "charges": list(charges) or [UNIT],
    }
    return body | changes


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"meter": "api", "model": "flat"}, "charges.0.amount", "a flat charge needs it"),
    ({"meter": "api", "model": "per_unit"}, "charges.0.unit_price", "needs it"),
    (tiered(), "charges.0.tiers", "needs it"),
    (FLAT | {"unit_price": "1"}, "charges.0.unit_price", "a flat charge has none"),
    (FLAT | {"included": "1"}, "charges.0.included", "has none"),
    (FLAT | {"minimum": "1"}, "charges.0.minimum", "has none"),
    (UNIT | {"amount": "1"}, "charges.0.amount", "has none"),
    (UNIT | {"tiers": [LAST]}, "charges.0.tiers", "has none"),
    (FLAT | {"amount": "9.005"}, "charges.0.amount", "more than the 2 decimals"),
    (FLAT | {"amount": "-1"}, "charges.0.amount", "negative"),
    (UNIT | {"minimum": "1.001"}, "charges.0.minimum", "more than the 2 decimals"),
    (UNIT | {"unit_price": "-0.01"}, "charges.0.unit_price", "negative"),
    (UNIT | {"unit_price": "0.000000001"}, "charges.0.unit_price", "more than 8 decimals"),
    (UNIT | {"unit_price": "1e-3"}, "charges.0.unit_price", "no plain decimal"),
    (UNIT | {"included": "0.0000001"}, "charges.0.included", "more than 6 decimals"),
    (UNIT | {"included": "-1"}, "charges.0.included", "negative"),
    (tiered({"up_to": "10", "unit_price": "1"}), "charges.0.tiers.0.up_to", "the last tier has no end"),
    (tiered(LAST, LAST), "charges.0.tiers.0.up_to", "only the last tier has no end"),
    (tiered({"up_to": "0", "unit_price": "1"}, LAST), "charges.0.tiers.0.up_to", "0 is not over 0"),
    (
        tiered({"up_to": "10", "unit_price": "1"}, {"up_to": "10", "unit_price": "1"}, LAST),
        "charges.0.tiers.1.up_to",
        "10 is not over 10",
    ),
    (tiered(LAST | {"flat_fee": "1.005"}), "charges.0.tiers.0.flat_fee", "more than the 2 decimals"),
    (tiered(LAST | {"unit_price": "-1"}), "charges.0.tiers.0.unit_price", "negative"),
    (tiered(LAST, model="volume", included="1", overage="invoice"), "charges.0.overage", "before the month ends"),
    (FLAT | {"overage": "invoice"}, "charges.0.overage", "before the month ends"),
    (UNIT | {"overage": "invoice"}, "charges.0.included", "overage begins where it ends"),
    (UNIT | {"included": "1", "overage_after": "5"}, "charges.0.overage_after", "belongs to overage"),
]


@pytest.mark.parametrize(
    ("charge", "field", "words"), REFUSED, ids=[f"{field}: {words}" for _, field, words in REFUSED]
)
def test_a_charge_that_cannot_be_meant_is_refused_by_its_field(charge: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        SubscriptionBody.model_validate(a_body(charge))
    assert refused.value.field == field
    assert words in refused.value.cause
    assert refused.value.next_step or "decimal" in refused.value.cause


def test_a_meter_is_charged_once() -> None:
    with pytest.raises(BadInput, match="charged twice") as refused:
        SubscriptionBody.model_validate(a_body(UNIT, UNIT | {"unit_price": "0.02"}))
    assert refused.value.field == "charges.1.meter"
    SubscriptionBody.model_validate(a_body(UNIT, UNIT | {"meter": "gb"}))


def test_it_does_not_end_before_it_begins() -> None:
    with pytest.raises(BadInput, match="before started_on"):
        SubscriptionBody.model_validate(a_body(ended_on="2025-12-31"))
    SubscriptionBody.model_validate(a_body(ended_on="2026-01-01"))


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_money_has_the_decimals_of_the_currency(currency: str) -> None:
    fine = {"JPY": "980", "KWD": "9.805"}[currency]
    SubscriptionBody.model_validate(a_body(FLAT | {"amount": fine}, currency=currency))
    with pytest.raises(BadInput, match="more than the"):
        SubscriptionBody.model_validate(
            a_body(FLAT | {"amount": f"{fine}5" if "." in fine else "980.5"}, currency=currency)
        )
