"""doctor's comparison of the live API's own description with what our client needs."""

from typing import Any

from starter.cli.checks.finding import State
from starter.cli.checks.invoicing import CALLS, FIELDS, compare


def document() -> dict[str, Any]:
    spelled = {path: f"/api/v1{path}".replace("{id}", "{invoice_id}", 1) for path in CALLS}
    paths: dict[str, Any] = {spelled[path]: {method: {} for method in methods} for path, methods in CALLS.items()}
    return {"paths": paths, "components": {"schemas": {"Invoice": {"properties": {field: {} for field in FIELDS}}}}}


def test_everything_that_is_there_is_confirmed() -> None:
    assert {one.state for one in compare(document())} == {State.CONFIRMED}


def test_an_absent_path_another_method_and_an_absent_field_are_each_named() -> None:
    published = document()
    del published["paths"]["/api/v1/invoices/{invoice_id}/void"]
    published["paths"]["/api/v1/invoices/{invoice_id}/issue"] = {"put": {}}
    del published["components"]["schemas"]["Invoice"]["properties"]["reference"]
    wrong = {one.item: one.state for one in compare(published) if one.state is not State.CONFIRMED}
    assert wrong == {
        "POST /invoices/{id}/void": State.ABSENT,
        "POST /invoices/{id}/issue": State.DIFFERENT,
        "invoice.reference": State.ABSENT,
    }
