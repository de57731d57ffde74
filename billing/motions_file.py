"""`motions.toml`: what starts billing, besides our own triggers. Read when a process starts."""

from typing import Self

from pydantic import ValidationError, model_validator

from billing.errors import BadInput
from billing.groups import BillingGroup
from billing.mappings import Mappings
from billing.toml_file import complaint, load_toml


class MotionsFile(Mappings):
    """Every table of the file; the vendors' ones are in billing/mappings.py."""

    billing_groups: tuple[BillingGroup, ...] = ()

    @model_validator(mode="after")
    def _groups_differ(self) -> Self:
        for index, group in enumerate(self.billing_groups):
            if self.group(group.name) is not group:
                raise BadInput(f"billing_groups.{index}.name", f"{group.name!r} is named twice")
        return self

    def group(self, name: str) -> BillingGroup | None:
        return next((group for group in self.billing_groups if group.name == name), None)

    def group_for(self, name: str, currency: str) -> BillingGroup:
        """The group of a subscription in `currency`. Raises BadInput if there is none, or it has another currency."""
        group = self.group(name)
        if group is None:
            known = ", ".join(group.name for group in self.billing_groups) or "none"
            step = f'add [[billing_groups]] with name = "{name}" and a zone, and start the API again'
            raise BadInput("billing_group", f"motions.toml has no {name!r}; it has {known}", step)
        if group.currency not in {None, currency}:
            raise BadInput("currency", f"the group {name!r} bills {group.currency}", "put it into a group of its own")
        return group

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadInput naming the key, and the line where it can."""
        found = load_toml(text, "motions")
        try:
            return cls.model_validate(found)
        except (ValidationError, BadInput) as error:
            raise complaint(error, text, "motions") from None
