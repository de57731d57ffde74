"""Models out of what somebody else sent: a complaint names the field and is a refusal, not a fault of ours."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from billing.errors import BadInput

M = TypeVar("M", bound=BaseModel)


def made(model: type[M], found: Any) -> M:
    """Raises BadInput naming the first field that cannot be used."""
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise BadInput.of(error) from None
