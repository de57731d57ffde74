"""What takes the main loop out of whatever step it is in: an end before billing, or a content to be walked anew."""

from billing.record import Status


class Stopped(Exception):
    """The invoice ends before it is billed; `at_api` says that the API ended it already."""

    def __init__(self, actor: str, reason: str, *, status: Status = Status.CANCELLED, at_api: bool = False) -> None:
        super().__init__(reason)
        self.actor = actor
        self.reason = reason
        self.status = status
        self.at_api = at_api


class Edited(Exception):
    """Everything that depends on the revision is to be done again."""
