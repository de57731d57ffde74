"""The refusals of this API, each with its status and, where there is one, the field that is wrong.

They all leave as the same body, `{"error": ..., "field": ...}`.
"""


class Problem(Exception):
    """A refusal with an HTTP status; `field` is a dotted path into the body, or None."""

    status = 400

    def __init__(self, error: str, field: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.error, self.field, self.headers = error, field, headers or {}


class Malformed(Problem):
    """The request cannot be read at all."""


class Unauthorized(Problem):
    """No key, or not ours."""

    status = 401


class NotFound(Problem):
    """Nothing lives under that id."""

    status = 404


class Conflict(Problem):
    """The thing exists, but not in a state that allows this."""

    status = 409


class Invalid(Problem):
    """A field holds what it may not hold."""

    status = 422
