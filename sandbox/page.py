"""The recipient's page: what a person without an account sees behind a share link, and the forms on it.

Everything a stranger wrote is text to the template, never markup. The page runs no script at all.
"""

import asyncio
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.forms import Form, read_form
from sandbox.money import discount_amount, formatted, line_amount, subtotal
from sandbox.parts import Parts
from sandbox.pdf import recipient_lines, render
from sandbox.problems import Problem
from sandbox.recipient import change_requests, issued
from sandbox.store import Tx
from sandbox.wire import answer

SCANNERS = re.compile(
    r"bot\b|crawler|spider|scanner|preview|proofpoint|mimecast|barracuda|safelinks|urldefense|ironport|trendmicro|"
    r"symantec|forcepoint|fortinet|sophos|messagelabs|facebookexternalhit|whatsapp|slack|googleimageproxy|"
    r"microsoft office|ms-office|headlesschrome",
    re.IGNORECASE,
)
# Mail gateways and chat previews open every link before its reader does; theirs is no view.
PREFETCH = ("purpose", "sec-purpose", "x-purpose", "x-moz")
TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
PRIVATE = {
    "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}  # fmt: skip

Deed = Callable[[Tx, str, Form], dict[str, Any]]


def counts_as_view(request: Request) -> bool:
    """Whether a person seems to be looking: no HEAD, no prefetch, no known scanner, no sender's preview."""
    prefetched = any("prefetch" in request.headers.get(name, "").lower() for name in PREFETCH)
    scanned = SCANNERS.search(request.headers.get("user-agent", "")) is not None
    return request.method == "GET" and not prefetched and not scanned and "preview" not in request.query_params


def page(parts: Parts) -> APIRouter:
    """Routes under `/i/{share_token}`."""
    router = APIRouter(include_in_schema=False)
    desk = parts.desk

    @router.api_route("/i/{token}", methods=["GET", "HEAD"])
    async def look(request: Request, token: str) -> Response:
        with parts.store.transaction() as tx:
            doc = desk.look(tx, token, counts=counts_as_view(request))
        return _show(parts, request, doc)

    @router.get("/i/{token}/pdf")
    async def pdf(token: str) -> Response:
        doc = issued(parts.store.reading(), token)
        name = re.sub(r"[^A-Za-z0-9-]", "", doc["number"] or "draft")
        headers = PRIVATE | {"Content-Disposition": f'inline; filename="{name}.pdf"'}
        return Response(await asyncio.to_thread(render, doc, parts.config), 200, headers, media_type="application/pdf")

    deeds: dict[str, Deed] = {
        "amend": lambda tx, token, form: desk.amend(tx, token, form.amendment(), form.actor()),
        "change-request": lambda tx, token, form: desk.request_change(
            tx, token, form.text("message", needed=True), form.proposal(), form.actor()
        ),
        "approve": lambda tx, token, form: desk.approve(tx, token, form.version(), form.actor()),
        "comment": lambda tx, token, form: desk.comment(tx, token, form.text("message", needed=True), form.actor()),
        "forward": lambda tx, token, form: desk.forward(
            tx, token, form.email("email"), form.text("message"), form.sender()
        ),
    }
    for name, deed in deeds.items():
        router.add_api_route(f"/i/{{token}}/{name}", _form_route(parts, deed), methods=["POST"], name=name)
    return router


def _form_route(parts: Parts, deed: Deed) -> Callable[..., Any]:
    async def submit(request: Request, token: str) -> Response:
        try:
            form = await read_form(request)
            with parts.store.transaction() as tx:
                doc = deed(tx, token, form)
        except Problem as problem:
            return _refused(parts, request, token, problem)
        if wants_json(request):
            return answer(_view(parts, doc))
        return RedirectResponse(f"/i/{token}#thread", 303, PRIVATE)

    return submit


def _refused(parts: Parts, request: Request, token: str, problem: Problem) -> Response:
    """The page again with what went wrong, where there is a page; otherwise the plain refusal."""
    known = parts.store.reading().one("SELECT 1 FROM invoices WHERE share_token = ? AND status <> 'draft'", token)
    if wants_json(request) or known is None:
        raise problem
    return _html(parts, parts.store.reading().shared(token), problem)


def wants_json(request: Request) -> bool:
    """Whether the caller asked for JSON."""
    return "application/json" in request.headers.get("accept", "")


def _view(parts: Parts, doc: dict[str, Any]) -> dict[str, Any]:
    """The invoice as its recipient may see it: without the sender's own reference."""
    tx = parts.store.reading()
    shown = {name: value for name, value in doc.items() if name not in ("reference", "customer_id")}
    return shown | {"thread": tx.thread(doc["id"]), "change_requests": change_requests(tx, doc["id"])}


def _show(parts: Parts, request: Request, doc: dict[str, Any]) -> Response:
    if wants_json(request):
        return answer(_view(parts, doc), headers=PRIVATE)
    return _html(parts, doc, None)


def _html(parts: Parts, doc: dict[str, Any], problem: Problem | None) -> Response:
    nonce = secrets.token_urlsafe(16)
    code, lines = doc["currency"], doc["line_items"]
    body = TEMPLATES.get_template("invoice.html").render(
        invoice=_view(parts, doc), sender=parts.config, nonce=nonce, problem=problem,
        base=f"/i/{doc['share_token']}", recipient=recipient_lines(doc["recipient"]),
        rows=[line | {"amount": formatted(line_amount(line), code),
                      "unit_price": formatted(line["unit_price_cents"], code)} for line in lines],
        subtotal=formatted(subtotal(lines), code), discount=formatted(discount_amount(lines, doc["discount"]), code),
        total=formatted(doc["total_cents"], code), is_open=doc["status"] in ("sent", "viewed", "change_requested"),
    )  # fmt: skip
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = PRIVATE | {"Content-Security-Policy": policy, "X-Frame-Options": "DENY"}
    return Response(body, problem.status if problem else 200, headers, media_type="text/html")
