"""What the workflow of a monthly run may know of its activity: its name, what it takes, what it answers."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

PAGE: Final = "usage_run_page"


class RunPage(BaseModel):
    """The next `page` subscriptions after `after`, at most `chunk` in one transaction.

    At most `most_open` invoices of all runs may be on their way, or as many as the worker's settings say. `run` names
    the run in our records, `at` is when it began.
    """

    model_config = ConfigDict(frozen=True)

    group: str
    period: str
    run: str
    by: str
    at: datetime
    after: str
    page: int
    chunk: int
    most_open: int | None = None


class RunPageDone(BaseModel):
    """`read` subscriptions, the last of them `after`; everything of them is started. `is_last`: none follow."""

    after: str
    read: int
    is_last: bool
