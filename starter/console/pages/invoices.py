"""The list of invoices, and one invoice: what it is, what it waits for, what can be done, and all that happened."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from billing.record import Status
from records import invoices
from records.tokens import Scope
from records.views import InvoiceView
from starter.console.desk import Desk, UseDesk
from starter.console.pages import acts
from starter.console.pages.proposed import open_proposals
from starter.console.pages.seeing import whole_view
from starter.console.pages.versions import version_pairs
from starter.console.render import page
from starter.console.route import DeskRoute
from starter.console.temporal_ui import workflow_url
from starter.dossiers import dossier, file_name
from starter.http.auth import needs

router = APIRouter(route_class=DeskRoute, prefix="/invoices")

PAGE: Final = 50
Word = Annotated[str, Query(max_length=400)]
Cursor = Annotated[str | None, Query(max_length=1000)]


@router.get("", **needs(Scope.READ))
async def list_invoices(
    request: Request, desk: UseDesk, status: Word = "", customer: Word = "", cursor: Cursor = None
) -> Response:
    """The newest first; an unknown `status` shows all, and says so."""
    wanted = Status(status) if status in set(Status) else None
    async with desk.parts.database.session() as session:
        found = await invoices.list_views(
            session, status=wanted, customer_id=customer.strip() or None, cursor=cursor, limit=PAGE
        )
    asked = {name: value for name, value in {"status": status, "customer": customer}.items() if value}
    more = urlencode({**asked, "cursor": found.next_cursor}) if found.next_cursor else ""
    return page(
        request,
        "invoices.html",
        rows=found.data,
        states=list(Status),
        state=wanted,
        unknown="" if wanted else status,
        customer=customer,
        more=more,
    )


@router.get("/{key}", **needs(Scope.READ))
async def show(request: Request, key: str, desk: UseDesk, kind: Word = "") -> Response:
    """`kind` keeps the lines of the timeline of one kind."""
    view = await whole_view(desk, key)
    return page(request, "invoice.html", proposed=await open_proposals(desk, view), **_shown(view, desk, kind))


@router.get("/{key}/dossier", **needs(Scope.READ))
async def download(key: str, desk: UseDesk) -> Response:
    """All that is known of the invoice, as the file that `billhook invoice verify` checks."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name(key)}"'}
    return Response(await dossier(desk.parts.database, key), media_type="application/json", headers=headers)


def _shown(view: InvoiceView, desk: Desk, kind: str) -> dict[str, Any]:
    kinds = sorted({entry.kind for entry in view.timeline})
    return {
        "invoice": view,
        "acts": acts.possible(view),
        "case_acts": {case.id: acts.possible_for(view, case) for case in view.cases},
        "kinds": kinds,
        "kind": kind if kind in kinds else "",
        "lines": [entry for entry in view.timeline if kind not in kinds or entry.kind == kind],
        "versions": version_pairs(view),
        "link": view.link if (view.link or "").startswith(("https://", "http://")) else "",
        "temporal_url": workflow_url(desk.parts.settings.temporal_ui_url, view.workflow_id),
    }
