"""Every refusal Billhook can give, in one small tree.

BillhookError            carries an HTTP status and a slug
├── BadInput             422  a field of outside text is wrong: names field, cause, next step
│   ├── UnknownCustomer
│   └── Unreadable             a file that is named cannot be read as text
├── NotFound             404
├── Conflict             409
│   ├── KeyTaken               same key, other payload or other motion
│   ├── StaleRevision          a decision on content that is no longer the present one
│   └── NotPossible            the action is not open in the present state
├── Forbidden            403  known caller, wrong scope or wrong person
└── Unauthorized         401
"""

from typing import ClassVar, Self

from pydantic import ValidationError

from billing.complaints import complaint


class BillhookError(Exception):
    """A refusal in business words. `str()` is fit for a caller; `field` and `next_step` may be empty."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    is_kept: bool = True
    # False where a workflow refused before the wish stood in its history or in a trail.

    def __init__(self, detail: str, *, field: str = "", next_step: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.next_step = next_step


class BadInput(BillhookError):
    """One field of what came in from outside cannot be used."""

    status = 422
    slug = "bad-input"

    def __init__(self, field: str, cause: str, next_step: str = "") -> None:
        super().__init__(f"{field}: {cause}", field=field, next_step=next_step)
        self.cause = cause

    @classmethod
    def of(cls, error: ValidationError) -> Self:
        """The first complaint of a model, under the caller's spelling of the field (`line_items.0.unit_price`)."""
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        return cls(field, *complaint(first))


class UnknownCustomer(BadInput):
    """A trigger names a customer that we do not have."""

    slug = "unknown-customer"

    def __init__(self, customer_id: str) -> None:
        super().__init__(
            "customer_id",
            f"no customer {customer_id!r}",
            f"create it first: PUT /customers/{customer_id}",
        )


class Unreadable(BadInput):
    """A file that somebody named cannot be read as text. Raise it from None: what was read may be a secret."""

    def __init__(self, field: str, file: object, error: OSError | UnicodeDecodeError, next_step: str) -> None:
        cause = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else "is no text in UTF-8"
        super().__init__(field, f"{file} {cause}", next_step)


class NotFound(BillhookError):
    """Nothing of ours has that name."""

    status = 404
    slug = "not-found"


class Conflict(BillhookError):
    """The request is well formed and contradicts what stands."""

    status = 409
    slug = "conflict"


class KeyTaken(Conflict):
    """The idempotency key already stands for something else."""

    slug = "key-taken"

    def __init__(self, key: str, motion: str, *, other_motion: bool) -> None:
        what = f"by motion {motion!r}" if other_motion else "with another payload"
        super().__init__(
            f"{key} is already used {what}",
            next_step=f"look at it with `billhook invoice show {key}`; bill something else under an id of its own",
        )


class StaleRevision(Conflict):
    """A decision was made on content that has changed since."""

    slug = "stale-revision"

    def __init__(self, given: str, present: str) -> None:
        super().__init__(
            f"revision {given} is not the present one; the present revision is {present}",
            field="revision",
            next_step="read the invoice again and decide on what it says now",
        )
        self.present = present


class NotPossible(Conflict):
    """The action is not among `available_actions` of the invoice's present state."""

    slug = "not-possible"

    def __init__(self, action: str, state: str, available: str = "nothing") -> None:
        open_now = "" if available == "nothing" else f"; open now: {available}"
        super().__init__(
            f"cannot {action}: the invoice is {state}; open now: {available}",
            next_step=f"read the invoice again{open_now}",
        )


class Forbidden(BillhookError):
    """A known caller without the right."""

    status = 403
    slug = "forbidden"


class Unauthorized(BillhookError):
    """No caller that we know."""

    status = 401
    slug = "unauthorized"
