"""policy.toml, from the model that reads it: every key, its default, and what its table is for."""

import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

from pydantic import BaseModel

from billing.policy import Policy
from docs.site.markdown import code, codes, page, prose, table


def text() -> str:
    about = "`billing/policy.py`; `examples/policy.toml` shows a whole file"
    return page("policy.toml", about, prose(Policy.__doc__), *(_section(name) for name in Policy.model_fields))


def _section(name: str) -> str:
    field = Policy.model_fields[name]
    inner = model_of(field.annotation)
    many = isinstance(field.get_default(call_default_factory=True), tuple)
    head = f"## [[{name}]]" if many else f"## [{name}]"
    if inner is None:
        return f"{head}\n\nDecimal strings in major units by ISO 4217 currency, and `default` for the others."
    return f"{head}\n\n{prose(inner.__doc__)}\n\n{table(('key', 'default', 'type'), keys(inner))}"


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation, however it is wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := model_of(part))), None)


def keys(model: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        yield code(name), _default(field), _type(field.annotation)


def _default(field: Any) -> str:
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, Enum):
        return code(default.value)
    if isinstance(default, tuple | list):
        return codes(getattr(one, "value", one) for one in default) or "none"
    if isinstance(default, BaseModel):
        return "the table's own defaults"
    if isinstance(default, bool):
        return code(str(default).lower())
    return code(default) if default not in (None, "", {}) else "none"


def _type(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return codes(one.value for one in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a table as [{annotation.__name__}]"
    if isinstance(annotation, type):
        return {"bool": "true or false", "int": "whole number", "str": "text"}.get(
            annotation.__name__, annotation.__name__
        )
    parts = [_type(part) for part in typing.get_args(annotation) if part not in {type(None), Ellipsis}]
    if typing.get_origin(annotation) is dict:
        return "amounts by currency"
    if typing.get_origin(annotation) in {tuple, list, frozenset}:
        return f"list of {parts[0]}"
    return " or ".join(dict.fromkeys(part for part in parts if part))
