"""The recipient's page: what counts as a view, what a recipient may do, and that his text stays text."""

import io
from typing import Any

import pytest
from pypdf import PdfReader

from tests.sandbox.sandbox_bench import AUTH, Bench

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def bench(in_process: Bench) -> Bench:
    """No test here needs a socket."""
    return in_process


async def test_the_first_look_at_each_version_is_told_once(bench: Bench) -> None:
    sent = await bench.sent()
    page = f"/i/{sent['share_token']}"
    assert (await bench.client.get(page)).status_code == 200
    assert (await bench.client.get(page, headers={"Accept": "application/json"})).json()["status"] == "viewed"
    assert await bench.events() == ["invoice.sent", "invoice.viewed"]
    await bench.call("POST", f"/invoices/{sent['id']}/versions", {"payment_terms": "net_60"})
    await bench.client.get(page)
    assert (await bench.events())[2:] == ["invoice.sent", "invoice.viewed"]


@pytest.mark.parametrize(
    "headers",
    [{"User-Agent": "Slackbot-LinkExpanding 1.0"}, {"User-Agent": "Proofpoint URL Defense"}, {"Purpose": "prefetch"}],
)
async def test_a_scanner_is_no_view(bench: Bench, headers: dict[str, str]) -> None:
    sent = await bench.sent()
    assert (await bench.client.get(f"/i/{sent['share_token']}", headers=headers)).status_code == 200
    assert await bench.events() == ["invoice.sent"]


async def test_neither_head_nor_the_senders_preview_is_a_view(bench: Bench) -> None:
    sent = await bench.sent()
    head = await bench.client.head(f"/i/{sent['share_token']}")
    assert (head.status_code, head.content) == (200, b"")
    await bench.client.get(f"/i/{sent['share_token']}?preview=1")
    assert await bench.events() == ["invoice.sent"]


async def test_a_draft_is_not_shown_to_its_recipient(bench: Bench) -> None:
    draft = await bench.draft()
    for query in ("", "?preview=1"):
        assert (await bench.client.get(f"/i/{draft['share_token']}{query}")).status_code == 404
    assert (await bench.act(draft, "approve", version=1)).status_code == 404
    assert (await bench.client.get(f"/i/{draft['share_token']}/pdf")).status_code == 404


async def test_an_amendment_keeps_the_version_and_tells_only_what_really_changed(bench: Bench) -> None:
    sent = await bench.sent(po_number="PO-1")
    fields = {
        "po_number": "PO-1",
        "billing_entity": "Acme Ltd",
        "address_city": "Cork",
        "ap_contact_email": "x@a.example",
    }
    answer = (await bench.act(sent, "amend", **fields, tax_id="", name="Ann")).json()
    assert (answer["version"], answer["recipient"]["billing_entity"]) == (1, "Acme Ltd")
    event = (await bench.audit())["events"][-1]
    assert event["type"] == "invoice.amended"
    assert event["data"]["changes"] == {
        "billing_entity": {"from": None, "to": "Acme Ltd"},
        "address": {"from": None, "to": {"city": "Cork"}},
        "ap_contact": {"from": None, "to": {"email": "x@a.example"}},
    }
    assert event["data"]["actor"] == {"name": "Ann", "email": None}
    await bench.act(sent, "amend", **fields)
    assert await bench.events() == ["invoice.sent", "invoice.amended"]


async def test_a_stale_version_is_not_approved_and_an_approved_one_is_locked(bench: Bench) -> None:
    sent = await bench.sent()
    await bench.call("POST", f"/invoices/{sent['id']}/versions", {"payment_terms": "net_60"})
    stale = await bench.act(sent, "approve", version=1)
    assert (stale.status_code, stale.json()["field"]) == (409, "version")
    for _ in range(2):
        approved = await bench.act(sent, "approve", version=2, name="Ann", email="ann@acme.example")
        assert approved.json()["status"] == "approved"
    assert (await bench.act(sent, "amend", po_number="late")).status_code == 409
    assert (await bench.act(sent, "change-request", message="late")).status_code == 409
    assert (await bench.call("POST", f"/invoices/{sent['id']}/versions", {"due_date": "2027-01-01"})).status_code == 409
    events = (await bench.audit())["events"]
    assert [one["type"] for one in events] == ["invoice.sent", "invoice.sent", "invoice.approved"]
    assert (events[-1]["data"]["version"], events[-1]["data"]["status"]) == (2, "approved")
    paid = await bench.client.post(f"/_sandbox/invoices/{sent['id']}/pay")
    assert paid.json()["status"] == "paid"
    assert (await bench.events())[-1] == "invoice.paid"


async def test_event_times_strictly_grow_to_the_microsecond(bench: Bench) -> None:
    for _ in range(10):
        await bench.act(await bench.sent(), "approve", version=1)
    times = [one["created_at"] for one in (await bench.audit())["events"]]
    assert times == sorted(set(times))
    assert all(len(one) == len("2026-11-23T11:05:57.000001Z") for one in times)


async def test_no_outside_text_becomes_markup(bench: Bench) -> None:
    address = dict.fromkeys(("line1", "line2", "line3", "city", "state", "postal_code", "country"), SCRIPT)
    contact = {"name": SCRIPT, "email": SCRIPT}
    recipient: dict[str, Any] = {"company": SCRIPT, "email": SCRIPT, "address": address, "ap_contact": contact}
    lines = [{"description": SCRIPT, "quantity": 1, "unit_price_cents": 100}]
    sent = await bench.sent(recipient=recipient, line_items=lines, footer_note=SCRIPT, po_number='"><img src=x>')
    for deed, fields in (
        ("amend", {"tax_id": SCRIPT, "billing_entity": SCRIPT}),
        ("comment", {"message": SCRIPT, "name": SCRIPT}),
        ("forward", {"email": f"{SCRIPT}@x", "message": SCRIPT}),
        ("change-request", {"message": SCRIPT, "email": SCRIPT}),
    ):
        assert (await bench.act(sent, deed, **fields)).status_code == 200
    page = await bench.client.get(f"/i/{sent['share_token']}")
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert page.text.count("&lt;script&gt;") > 15
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_a_browsers_form_goes_back_to_the_page_and_a_refusal_is_shown_on_it(bench: Bench) -> None:
    sent = await bench.sent()
    page = f"/i/{sent['share_token']}"
    done = await bench.client.post(f"{page}/comment", data={"message": "Thanks", "name": "Ann"})
    assert (done.status_code, done.headers["Location"]) == (303, f"{page}#thread")
    refused = await bench.client.post(f"{page}/approve", data={"version": "7"})
    assert refused.status_code == 409
    assert "is not the current one" in refused.text
    changed = await bench.client.post(f"{page}/change-request", data={"message": "x", "discount_percent": "7.5"})
    assert changed.status_code == 303
    proposed = (await bench.audit())["events"][-1]["data"]["change_request"]["proposed"]
    assert proposed == {"discount": {"type": "percent", "value": 7.5}}


@pytest.mark.parametrize("company", ["Café Zürich", "Łódź Σίγμα Київ", "株式会社 🚀 \u202e\x07"])
async def test_the_pdf_can_be_read_in_any_script(bench: Bench, company: str) -> None:
    sent = await bench.sent(recipient={"company": company}, footer_note="Thank you")
    document = await bench.client.get(f"/api/v1/invoices/{sent['id']}/pdf", headers=AUTH)
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(document.content)).pages)
    assert sent["number"] in text
    assert "EUR 250.03" in text
    assert "Thank you" in text
    public = await bench.client.get(f"/i/{sent['share_token']}/pdf")
    assert public.headers["Content-Type"] == "application/pdf"
