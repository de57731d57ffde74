"""What agents proposed for a person to do, read from the trail, which keeps it word for word."""

from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from billing.decisions import Action
from billing.intent import Patch
from billing.untrusted import ShownLine, ShownText
from records.sql import table
from records.tables import TrailRow

_T = table(TrailRow)


class AgentProposal(BaseModel):
    """One wish of an agent, as `billing.decisions.Propose` has it; `position` is its place in the invoice's trail.

    `revision` is the one that stood when it was made.
    """

    position: int
    at: datetime
    actor: ShownLine
    action: Action
    revision: str
    case_id: str = ""
    answer: Action | None = None
    note: ShownText = ""
    parts: tuple[str, ...] | None = None
    patch: Patch | None = None


async def proposals(s: AsyncSession, key: str) -> list[AgentProposal]:
    """All of the invoice, the oldest first."""
    wanted = (_T.c.key == key) & (_T.c.kind == "proposed")
    rows = await s.execute(select(_T).where(wanted).order_by(_T.c.position))
    return [AgentProposal.model_validate({**row["body"], **row}) for row in rows.mappings()]
