"""What the policy said of invoices, read again: to judge them under another policy."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from records.sql import table
from records.tables import AssessmentRow, CaseRow

_A, _K = table(AssessmentRow), table(CaseRow)
_PAGE: Final = 500


@dataclass(frozen=True)
class Judged:
    """An invoice's first assessment, and how often its recipient asked for a change afterwards."""

    key: str
    assessed_at: datetime
    body: dict[str, Any]
    changes_later: int


async def since(s: AsyncSession, start: datetime) -> AsyncIterator[Judged]:
    """The first assessment of every invoice whose first was made at `start` or later, in the order of time."""
    after: ColumnElement[bool] | None = None
    while True:
        rows = (await s.execute(_page(start, after))).all()
        for row in rows:
            yield Judged(row.key, row.assessed_at, row.body, row.changes_later)
        if len(rows) < _PAGE:
            return
        last = rows[-1]
        after = or_(
            _A.c.assessed_at > last.assessed_at, and_(_A.c.assessed_at == last.assessed_at, _A.c.key > last.key)
        )


def _page(start: datetime, after: ColumnElement[bool] | None) -> Any:
    earlier = _A.alias()
    is_first = ~(
        select(earlier.c.key)
        .where(
            earlier.c.key == _A.c.key,
            or_(
                earlier.c.assessed_at < _A.c.assessed_at,
                and_(earlier.c.assessed_at == _A.c.assessed_at, earlier.c.revision < _A.c.revision),
            ),
        )
        .exists()
    )
    later = (
        select(func.count())
        .select_from(_K)
        .where(_K.c.key == _A.c.key, _K.c.opened_at >= _A.c.assessed_at)
        .scalar_subquery()
    )
    query = select(_A.c.key, _A.c.assessed_at, _A.c.body, later.label("changes_later"))
    query = query.where(_A.c.assessed_at >= start, is_first)
    query = query if after is None else query.where(after)
    return query.order_by(_A.c.assessed_at, _A.c.key).limit(_PAGE)
