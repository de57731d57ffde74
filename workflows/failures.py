"""Failures as Temporal carries them: a refusal of ours on its way out, what an activity could not do on its way in."""

from temporalio.exceptions import ActivityError, ApplicationError

from billing.errors import BillhookError


def as_failure(error: BillhookError, *, is_kept: bool = True) -> ApplicationError:
    """A refusal as Temporal carries it: the slug is its type, field and next step are its details.

    `is_kept`: the wish stands in the history, and its refusal in the trail.
    """
    details = {"field": error.field, "next_step": error.next_step, "is_kept": is_kept}
    return ApplicationError(error.detail, details, type=error.slug, non_retryable=True)


def words_of(error: ActivityError) -> str:
    """The cause as the connector said it, without Temporal's wrapping."""
    cause = error.cause
    return cause.message if isinstance(cause, ApplicationError) else str(cause or error)
