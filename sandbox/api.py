"""The sender's API under `/api/v1`: each route reads its body, names one action, and answers its result."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from sandbox import customers, endpoints, paging
from sandbox import models as m
from sandbox.parts import Parts
from sandbox.pdf import render
from sandbox.routing import ExactNumbers
from sandbox.wire import answer, loads

Limit = Annotated[int, Query(ge=1, le=paging.LONGEST_PAGE)]
LIST_INVOICES = """SELECT seq, doc FROM invoices WHERE seq > ? AND (? IS NULL OR status = ?)
  AND (? IS NULL OR reference = ?) ORDER BY seq LIMIT ?"""


def api(parts: Parts) -> APIRouter:
    """All routes of the API."""
    router = APIRouter(prefix="/api/v1", route_class=ExactNumbers, strict_content_type=False)
    _drafting(router, parts)
    _issued(router, parts)
    _reading(router, parts)
    _customers(router, parts)
    _endpoints(router, parts)
    return router


def _shape(model: Any, status: int = 200) -> dict[str, Any]:
    """Publish the answer's schema without checking each answer against it a second time."""
    return {"status_code": status, "response_model": None, "responses": {status: {"model": model}}}


def _drafting(router: APIRouter, parts: Parts) -> None:
    once, invoices = parts.once, parts.invoices

    @router.post("/invoices", **_shape(m.InvoiceOut, 201))
    async def create_invoice(request: Request, body: m.InvoiceDraft) -> Response:
        """Make a draft."""
        return await once.run(request, lambda tx: invoices.create(tx, m.given(body)), 201)

    @router.patch("/invoices/{invoice_id}", **_shape(m.InvoiceOut))
    async def patch_invoice(request: Request, invoice_id: str, body: m.InvoicePatch) -> Response:
        """Change a draft."""
        return await once.run(request, lambda tx: invoices.patch(tx, invoice_id, m.given(body)))

    @router.post("/invoices/{invoice_id}/issue", **_shape(m.InvoiceOut))
    async def issue_invoice(request: Request, invoice_id: str, body: m.IssueOrder | None = None) -> Response:
        """Assign the number and open the invoice to its recipient."""
        send = body is not None and body.send
        return await once.run(request, lambda tx: invoices.issue(tx, invoice_id, send=send))

    @router.delete("/invoices/{invoice_id}", status_code=204, response_model=None)
    async def discard_draft(invoice_id: str) -> Response:
        """Throw a draft away."""
        await parts.faults.linger()
        with parts.store.transaction() as tx:
            invoices.discard(tx, invoice_id)
        return Response(status_code=204)


def _issued(router: APIRouter, parts: Parts) -> None:
    once, invoices = parts.once, parts.invoices

    @router.post("/invoices/{invoice_id}/versions", **_shape(m.InvoiceOut, 201))
    async def revise_invoice(request: Request, invoice_id: str, body: m.VersionOrder) -> Response:
        """Make the next version."""
        return await once.run(request, lambda tx: invoices.revise(tx, invoice_id, m.given(body)), 201)

    @router.post("/invoices/{invoice_id}/change-requests/{request_id}/decline", **_shape(m.InvoiceOut))
    async def decline_change(
        request: Request, invoice_id: str, request_id: str, body: m.Decline | None = None
    ) -> Response:
        """Answer a change request with no."""
        message = body.message if body else ""
        return await once.run(request, lambda tx: invoices.decline(tx, invoice_id, request_id, message))

    @router.post("/invoices/{invoice_id}/void", **_shape(m.InvoiceOut))
    async def void_invoice(request: Request, invoice_id: str, body: m.VoidOrder | None = None) -> Response:
        """Take an issued invoice back."""
        reason = body.reason if body else ""
        return await once.run(request, lambda tx: invoices.void(tx, invoice_id, reason))


def _reading(router: APIRouter, parts: Parts) -> None:
    store = parts.store

    @router.get("/invoices", **_shape(m.InvoicePage))
    async def list_invoices(
        cursor: str | None = None, limit: Limit = 50, status: m.Status | None = None, reference: str | None = None
    ) -> Response:
        """Invoices in the order in which they were made."""
        await parts.faults.linger()
        after = paging.after(cursor)
        rows = store.reading().all(LIST_INVOICES, after, status, status, reference, reference, limit + 1)
        return answer(paging.page([loads(row["doc"]) for row in rows], [row["seq"] for row in rows], limit))

    @router.get("/invoices/{invoice_id}", **_shape(m.InvoiceOut))
    async def get_invoice(invoice_id: str) -> Response:
        """One invoice."""
        await parts.faults.linger()
        return answer(store.reading().invoice(invoice_id))

    @router.get("/invoices/{invoice_id}/versions", response_model=None)
    async def list_versions(invoice_id: str) -> Response:
        """The invoice's versions, oldest first, each as it was when it was sent."""
        await parts.faults.linger()
        tx = store.reading()
        tx.invoice(invoice_id)
        rows = tx.all("SELECT * FROM versions WHERE invoice_id = ? ORDER BY version", invoice_id)
        times = ("created_at", "viewed_at", "approved_at")
        data = [
            {"version": row["version"]} | {n: row[n] for n in times} | {"invoice": loads(row["doc"])} for row in rows
        ]
        return answer({"data": data, "next_cursor": None})

    @router.get("/invoices/{invoice_id}/pdf", response_class=Response)
    async def invoice_pdf(invoice_id: str) -> Response:
        """The current version as a PDF, rendered now."""
        await parts.faults.linger()
        document = await asyncio.to_thread(render, store.reading().invoice(invoice_id), parts.config)
        return Response(document, media_type="application/pdf")


def _customers(router: APIRouter, parts: Parts) -> None:
    store = parts.store

    @router.post("/customers", **_shape(m.CustomerOut, 201))
    async def create_customer(request: Request, body: m.CustomerIn) -> Response:
        """Register a customer."""
        return await parts.once.run(request, lambda tx: customers.create(tx, m.given(body)), 201)

    @router.patch("/customers/{customer_id}", **_shape(m.CustomerOut))
    async def patch_customer(request: Request, customer_id: int, body: m.CustomerPatch) -> Response:
        """Change a customer."""
        return await parts.once.run(request, lambda tx: customers.patch(tx, customer_id, m.given(body)))

    @router.get("/customers/{customer_id}", **_shape(m.CustomerOut))
    async def get_customer(customer_id: int) -> Response:
        """One customer."""
        await parts.faults.linger()
        return answer(customers.get(store.reading(), customer_id))

    @router.get("/customers", response_model=None)
    async def list_customers(cursor: str | None = None, limit: Limit = 50) -> Response:
        """Customers in the order in which they were registered."""
        await parts.faults.linger()
        found = customers.page(store.reading(), paging.after(cursor), limit + 1)
        return answer(paging.page(found, [item["id"] for item in found], limit))


def _endpoints(router: APIRouter, parts: Parts) -> None:
    @router.post("/webhook-endpoints", **_shape(m.EndpointOut, 201))
    async def subscribe(request: Request, body: m.EndpointIn) -> Response:
        """Subscribe a URL; the answer is the one place that names the secret."""
        events: list[str] = list(body.events)
        return await parts.once.run(request, lambda tx: endpoints.subscribe(tx, body.url, events, body.secret), 201)

    @router.get("/webhook-endpoints", response_model=None)
    async def list_endpoints() -> Response:
        """Who is subscribed."""
        await parts.faults.linger()
        return answer({"data": endpoints.listed(parts.store.reading()), "next_cursor": None})
