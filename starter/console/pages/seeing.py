"""One invoice as a page shows it: our records' view, with what its change requests propose beside what stands."""

from billing.errors import NotFound
from records.comparing import with_comparisons
from records.views import CaseView, InvoiceView
from starter.console.desk import Desk


async def whole_view(desk: Desk, key: str) -> InvoiceView:
    """Raises NotFound."""
    view = await desk.parts.deciding.view(key)
    async with desk.parts.database.session() as session:
        return await with_comparisons(session, view)


def case_of(view: InvoiceView, case_id: str) -> CaseView:
    """Raises NotFound."""
    found = next((one for one in view.cases if one.id == case_id), None)
    if found is None:
        raise NotFound(f"{view.key} has no change request {case_id!r}", next_step="go back to the invoice")
    return found
