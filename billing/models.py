"""The two kinds of value that the domain is made of: both frozen; what people and outside systems write may hold no
field that nobody reads."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """What we wrote ourselves: a field of a newer release is passed over."""

    model_config = ConfigDict(frozen=True)


class Exact(BaseModel):
    """What came from outside: an unknown field is a mistake and is named."""

    model_config = ConfigDict(frozen=True, extra="forbid")
