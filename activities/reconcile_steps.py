"""What the reconciling workflow may know of its activities: names, what they take, what they answer."""

from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from billing.reconcile_report import Tally

PAGE: Final = "reconcile_page"
LOOK: Final = "reconcile_look"
UNSEEN: Final = "reconcile_unseen"


class _Asked(BaseModel):
    """`run` names the run in our records; `grace` is how long a change counts as under way."""

    model_config = ConfigDict(frozen=True)

    run: str
    grace: timedelta
    dry_run: bool = False


class Page(_Asked):
    cursor: str | None = None


class PageDone(BaseModel):
    tally: Tally
    next_cursor: str | None = None


class Look(_Asked):
    """One invoice, closely."""

    external_id: str


class Unseen(BaseModel):
    """Invoices of ours that the API's list did not have, by key, after `after`."""

    run: str
    after: str = ""


class UnseenDone(BaseModel):
    external_ids: tuple[str, ...] = ()
    after: str = ""
