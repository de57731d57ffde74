"""A change request with what it proposes beside the content that it is about; built only where somebody looks at one.

The content of a version is what was issued as that version; before the workflow has told one, it is the intent's own.
"""

from typing import Any, Final

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncSession

from billing.comparison import Comparison, compare
from billing.intent import Commercial, Intent
from billing.proposals import read
from records.invoices import OpenCase
from records.sql import table
from records.tables import CaseRow, ContentRow, IntentRow
from records.views import InvoiceView

_N, _K, _C = table(IntentRow), table(CaseRow), table(ContentRow)
_FIRST: Final = 1


async def with_comparisons(s: AsyncSession, view: InvoiceView) -> InvoiceView:
    """`view` with a comparison for each of its cases that proposes anything."""
    if not view.cases:
        return view
    found = {case.id: case.comparison for case in await _compared(s, view.key)}
    cases = [case.model_copy(update={"comparison": found.get(case.id)}) for case in view.cases]
    return view.model_copy(update={"cases": cases})


async def get_case(s: AsyncSession, key: str, case_id: str) -> OpenCase | None:
    """One case, open or closed, with its comparison."""
    found = await _compared(s, key, _K.c.id == case_id)
    return found[0] if found else None


async def _compared(s: AsyncSession, key: str, *where: Any) -> list[OpenCase]:
    rows = (await s.execute(select(_K).where(_K.c.key == key, *where))).mappings().all()
    contents = await _contents(s, key) if any(row["proposed"] for row in rows) else {}
    return [
        OpenCase.model_validate({**row, "comparison": _comparison(row["proposed"], contents.get(row["version"]))})
        for row in rows
    ]


def _comparison(proposed: Any, present: Commercial | None) -> Comparison | None:
    """Of the proposal as it came: what a reader is shown of it is not what is accepted."""
    return compare(present, read(proposed, present)) if proposed and present else None


async def _contents(s: AsyncSession, key: str) -> dict[int, Commercial]:
    """Per version the content that was issued as it, else the last that it came to."""
    payload = (await s.execute(select(_N.c.payload).where(_N.c.key == key))).scalar_one()
    intended = Intent.model_validate_json(payload).commercial
    order = (_C.c.issued_at.is_not(None), _C.c.made_at)
    rows = (await s.execute(select(_C).where(_C.c.key == key).order_by(*order))).mappings()
    return {_FIRST: intended} | {row["version"]: _commercial(row, intended) for row in rows}


def _commercial(row: RowMapping, intended: Commercial) -> Commercial:
    return intended if row["commercial"] is None else Commercial.model_validate(row["commercial"])
