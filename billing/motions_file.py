"""`motions.toml`: what starts billing, besides our own triggers. Read when a process starts."""

from typing import Self

from pydantic import ValidationError

from billing.mappings import Mappings
from billing.policy_file import complaint, load_toml


class MotionsFile(Mappings):
    """Every table of the file; the vendors' ones are in billing/mappings.py."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadInput naming the key, and the line where it can."""
        found = load_toml(text, "motions")
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            raise complaint(error, text, "motions") from None
