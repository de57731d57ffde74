"""The sender's API: drafts, numbers, versions, voids, lists."""

import asyncio
from datetime import date, timedelta

import pytest

from sandbox.numbering import next_number
from sandbox.outbox import Outbox
from tests.sandbox.sandbox_bench import INVOICE, Bench


@pytest.fixture
async def bench(in_process: Bench) -> Bench:
    """No test here needs a socket."""
    return in_process


async def test_numbers_have_no_gap_under_fifty_issues_at_once_with_drafts_discarded_between(bench: Bench) -> None:
    drafts = [await bench.draft(reference=f"r{n}") for n in range(60)]
    issue = [
        bench.call("POST", f"/invoices/{one['id']}/issue", {"send": False}, f"k{one['id']}") for one in drafts[:50]
    ]
    discard = [bench.call("DELETE", f"/invoices/{one['id']}") for one in drafts[50:]]
    answers = await asyncio.gather(*issue, *discard)
    assert {one.status_code for one in answers} == {200, 204}
    truth = await bench.audit()
    assert truth["numbers"]["contiguous"] is True
    assert truth["numbers"]["count"] == 50
    assert len({one["number"] for one in truth["invoices"]}) == 50


async def test_an_issue_that_fails_after_its_number_was_drawn_uses_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = await bench.draft()

    def breaks(*args: object, **more: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "emit", breaks)
        assert (await bench.call("POST", f"/invoices/{draft['id']}/issue")).status_code == 500
    issued = (await bench.call("POST", f"/invoices/{draft['id']}/issue")).json()
    assert issued["number"] == "INV-00001"
    assert next_number.__module__ == "sandbox.numbering"


async def test_a_draft_has_no_number_and_issuing_sets_number_dates_and_status_once(bench: Bench) -> None:
    draft = await bench.draft()
    assert (draft["number"], draft["due_date"], draft["status"], draft["version"]) == (None, None, "draft", 1)
    first = await bench.call("POST", f"/invoices/{draft['id']}/issue", {"send": True})
    again = await bench.call("POST", f"/invoices/{draft['id']}/issue", {"send": True})
    issued = first.json()
    assert again.json() == issued
    issue_date = date.fromisoformat(issued["issue_date"])
    assert date.fromisoformat(issued["due_date"]) == issue_date + timedelta(days=30)
    assert (await bench.audit())["invoices"][0]["mailed"] == 1
    assert await bench.events() == ["invoice.sent"]


@pytest.mark.parametrize(
    ("quantity", "price", "total"),
    [("5.311", 1500, 7967), ("0.5", 1, 1), ("1.005", 1000, 1005), ("0.1", 5, 1), ("3", 1000, 3000)],
)
async def test_a_line_is_rounded_half_up_without_a_float(bench: Bench, quantity: str, price: int, total: int) -> None:
    raw = f'{{"description": "x", "quantity": {quantity}, "unit_price_cents": {price}}}'
    body = '{"recipient": {"company": "A"}, "payment_terms": "net_1", "currency": "KWD", "line_items": [' + raw + "]}"
    made = await bench.client.post(
        "/api/v1/invoices", content=body, headers={"Authorization": f"Bearer {bench.config.api_key}"}
    )
    assert made.json()["total_cents"] == total
    assert f'"quantity":{quantity}' in made.text


async def test_a_percent_discount_is_rounded_once_on_the_subtotal(bench: Bench) -> None:
    lines = [{"description": "x", "quantity": 1, "unit_price_cents": 5}] * 3
    made = await bench.draft(line_items=lines, discount={"type": "percent", "value": 10})
    assert made["total_cents"] == 13
    flat = await bench.draft(line_items=lines, discount={"type": "flat", "value_cents": 4})
    assert flat["total_cents"] == 11


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"currency": "XAU"}, "currency"),
        ({"currency": "ABC"}, "currency"),
        ({"recipient": {}}, "recipient"),
        ({"line_items": []}, "line_items"),
        ({"payment_terms": "soon"}, "payment_terms"),
        ({"payment_terms": None}, "due_date"),
        (
            {"line_items": [{"description": "x", "quantity": 1, "unit_price_cents": 1.5}]},
            "line_items.0.unit_price_cents",
        ),
        ({"discount": {"type": "percent", "value": 101}}, "discount.value"),
        ({"discount": {"type": "flat", "value_cents": 10**9}}, "discount"),
        (
            {"line_items": [{"description": "x", "quantity": "1E400000000", "unit_price_cents": 1}]},
            "line_items.0.quantity",
        ),
        ({"customer_id": 999}, "customer_id"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
async def test_a_wrong_field_is_named(bench: Bench, change: dict[str, object], field: str) -> None:
    refused = await bench.call("POST", "/invoices", INVOICE | change)
    assert refused.status_code == 422
    assert refused.json()["field"] == field
    assert set(refused.json()) == {"error", "field"}


async def test_what_cannot_be_read_is_400_and_a_wrong_key_401_everywhere(bench: Bench) -> None:
    headers = {"Authorization": f"Bearer {bench.config.api_key}"}
    for garbage in (b"{", b'{"quantity": NaN}', b"\xff", b'{"po_number": "\\ud800"}'):
        assert (await bench.client.post("/api/v1/invoices", content=garbage, headers=headers)).status_code == 400
    for path in ("/api/v1/invoices", "/api/v1/nothing"):
        refused = await bench.client.get(path, headers={"Authorization": "Bearer other"})
        assert (refused.status_code, refused.json()["field"]) == (401, None)
    assert (await bench.call("GET", "/invoices/nobody")).json() == {"error": "There is no such invoice.", "field": None}


async def test_only_a_draft_is_patched_or_discarded(bench: Bench) -> None:
    draft = await bench.draft()
    patched = await bench.call("PATCH", f"/invoices/{draft['id']}", {"due_date": "2027-01-31", "po_number": "PO-1"})
    assert (patched.json()["due_date"], patched.json()["po_number"]) == ("2027-01-31", "PO-1")
    issued = (await bench.call("POST", f"/invoices/{draft['id']}/issue")).json()
    assert issued["due_date"] == "2027-01-31"
    assert (await bench.call("PATCH", f"/invoices/{draft['id']}", {"po_number": "x"})).status_code == 409
    assert (await bench.call("DELETE", f"/invoices/{draft['id']}")).status_code == 409


async def test_a_new_version_keeps_number_and_issue_date_and_settles_the_change_request(bench: Bench) -> None:
    sent = await bench.sent()
    asked = (
        await bench.act(sent, "change-request", message="Cheaper", discount={"type": "percent", "value": 5})
    ).json()
    request = asked["change_requests"][0]
    assert (asked["status"], request["proposed"]) == ("change_requested", {"discount": {"type": "percent", "value": 5}})
    body = {"discount": {"type": "percent", "value": 5}, "change_request_id": request["id"]}
    made = await bench.call("POST", f"/invoices/{sent['id']}/versions", body)
    second = made.json()
    assert made.status_code == 201
    assert (second["version"], second["status"], second["number"]) == (2, "sent", sent["number"])
    assert second["issue_date"] == sent["issue_date"]
    history = (await bench.call("GET", f"/invoices/{sent['id']}/versions")).json()["data"]
    assert [one["invoice"]["total_cents"] for one in history] == [25003, 23753]
    assert (await bench.audit())["invoices"][0]["change_requests"][0]["status"] == "accepted"
    assert await bench.events() == ["invoice.sent", "invoice.change_requested", "invoice.sent"]


async def test_declining_goes_back_to_where_the_invoice_was(bench: Bench) -> None:
    for looks, status in ((False, "sent"), (True, "viewed")):
        sent = await bench.sent()
        if looks:
            await bench.client.get(f"/i/{sent['share_token']}")
        asked = (await bench.act(sent, "change-request", message="Later")).json()
        path = f"/invoices/{sent['id']}/change-requests/{asked['change_requests'][0]['id']}/decline"
        assert (await bench.call("POST", path, {"message": "No"})).json()["status"] == status
        assert (await bench.call("POST", path, {"message": "No"})).status_code == 409


async def test_a_voided_invoice_keeps_its_number_and_an_approved_one_is_not_voided(bench: Bench) -> None:
    sent = await bench.sent()
    voided = (await bench.call("POST", f"/invoices/{sent['id']}/void", {"reason": "twice"})).json()
    assert (voided["status"], voided["number"]) == ("voided", sent["number"])
    approved = await bench.sent()
    await bench.act(approved, "approve", version=1)
    assert (await bench.call("POST", f"/invoices/{approved['id']}/void", {"reason": "x"})).status_code == 409
    assert (await bench.audit())["numbers"]["contiguous"] is True


async def test_the_list_walks_by_cursor_and_filters_by_status_and_reference(bench: Bench) -> None:
    made = [await bench.draft(reference=f"r{n}") for n in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = (await bench.call("GET", f"/invoices?limit=2{f'&cursor={cursor}' if cursor else ''}")).json()
        seen += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert seen == [one["id"] for one in made]
    by_reference = (await bench.call("GET", "/invoices?reference=r3")).json()["data"]
    assert [one["id"] for one in by_reference] == [made[3]["id"]]
    assert (await bench.call("GET", "/invoices?status=sent")).json()["data"] == []
    assert (await bench.call("GET", "/invoices?cursor=nonsense")).json()["field"] == "cursor"


async def test_customers_are_kept_and_fill_a_missing_recipient(bench: Bench) -> None:
    made = (await bench.call("POST", "/customers", {"company": "Beta", "contact": {"email": "b@b.example"}})).json()
    assert (made["company"], made["po_required"], made["cc_emails"]) == ("Beta", False, [])
    patched = await bench.call("PATCH", f"/customers/{made['id']}", {"billing_entity": "Beta GmbH"})
    assert patched.json() == (await bench.call("GET", f"/customers/{made['id']}")).json()
    assert len((await bench.call("GET", "/customers")).json()["data"]) == 1
    body = {name: value for name, value in INVOICE.items() if name != "recipient"} | {"customer_id": made["id"]}
    recipient = (await bench.call("POST", "/invoices", body)).json()["recipient"]
    assert (recipient["company"], recipient["billing_entity"]) == ("Beta", "Beta GmbH")


async def test_the_contract_is_published(bench: Bench) -> None:
    published = (await bench.client.get("/.well-known/openapi.json")).json()
    assert "/api/v1/invoices/{invoice_id}/issue" in published["paths"]
    assert "share_url" in published["components"]["schemas"]["InvoiceOut"]["properties"]
    assert (await bench.client.get("/healthz")).json() == {"status": "ok"}
