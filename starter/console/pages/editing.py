"""The form of an edit: what the content says is filled in, and only what a person changed of it becomes a patch."""

from dataclasses import dataclass, field
from typing import Any, Final, Self

from pydantic import ValidationError
from starlette.datastructures import FormData

from billing.comparison import Comparison, DiscountSide, side_by_side
from billing.errors import BadInput
from billing.intent import Patch, canonical_hash
from billing.motions import PatchBody
from records.contents import ContentView
from starter.console.pages.versions import content_of

EMPTY_ROWS: Final = 3
# To write new lines in; whoever needs more lets the effect be shown, and has three more.
_LINE: Final = ("description", "quantity", "unit_price")


@dataclass(frozen=True)
class Edit:
    """What stands in the form: each line as its three texts, a discount, terms and a due date."""

    lines: list[dict[str, str]] = field(default_factory=list)
    discount_type: str = ""
    discount_value: str = ""
    payment_terms: str = ""
    due_date: str = ""

    @classmethod
    def of(cls, content: ContentView) -> Self:
        """The form as it is first shown."""
        return cls(
            lines=[{name: getattr(line, name) for name in _LINE} for line in content.lines],
            **_discount(content.discount),
            payment_terms=content.payment_terms,
            due_date=content.due_date.isoformat() if content.due_date else "",
        )

    @classmethod
    def proposed(cls, change: Comparison) -> Self:
        """The form with what a recipient asks for, as far as it can be accepted."""
        sides = [row.proposed for row in change.line_items if row.proposed is not None]
        return cls(
            lines=[{name: getattr(side, name) for name in _LINE} for side in sides],
            **_discount(change.discount.proposed),
            payment_terms=change.payment_terms.proposed,
            due_date=change.due_date.proposed.isoformat() if change.due_date.proposed else "",
        )

    @classmethod
    def sent(cls, form: FormData) -> Self:
        """The form as it came back; a line whose three texts are empty is gone."""
        columns = [[_text(value) for value in form.getlist(name)] for name in _LINE]
        rows = [dict(zip(_LINE, texts, strict=True)) for texts in zip(*columns, strict=False) if any(texts)]
        return cls(
            lines=rows,
            discount_type=_text(form.get("discount_type")),
            discount_value=_text(form.get("discount_value")),
            payment_terms=_text(form.get("payment_terms")),
            due_date=_text(form.get("due_date")),
        )

    @property
    def rows(self) -> list[dict[str, str]]:
        """The lines, and empty ones to write more in."""
        return [*self.lines, *[dict.fromkeys(_LINE, "")] * EMPTY_ROWS]

    @property
    def seal(self) -> str:
        """Names this edit by what it says: what is sent is what somebody saw the effect of, or it is shown again."""
        return canonical_hash(vars(self))[:16]

    def patch(self, content: ContentView) -> PatchBody:
        """What differs from `content`. Raises BadInput naming the field, or where nothing does."""
        before, given = Edit.of(content), dict[str, Any]()
        if self.lines != before.lines:
            given["line_items"] = self.lines
        if (self.discount_type, self.discount_value) != (before.discount_type, before.discount_value):
            given |= self._new_discount()
        if self.payment_terms != before.payment_terms:
            given["payment_terms"] = self.payment_terms
        if self.due_date != before.due_date:
            given["due_date"] = self._new_due_date()
        if not given:
            raise BadInput("edit", "nothing was changed", "change a line, the discount, the terms or the due date")
        try:
            return PatchBody.model_validate(given)
        except ValidationError as error:
            raise BadInput.of(error) from None

    def _new_discount(self) -> dict[str, Any]:
        if not self.discount_type:
            return {"remove_discount": True}
        return {"discount": {"type": self.discount_type, "value": self.discount_value}}

    def _new_due_date(self) -> str:
        if not self.due_date:
            raise BadInput("due_date", "a due date cannot be taken away", "write another one")
        return self.due_date


def effect(content: ContentView, patch: Patch, currency: str) -> Comparison:
    """What the edit makes of the content, side by side. Raises BadInput where the result does not hold."""
    present = content_of(content, currency)
    return side_by_side(present, present.patched(patch))


def _discount(discount: DiscountSide | None) -> dict[str, str]:
    if discount is None:
        return {}
    return {"discount_type": discount.type, "discount_value": discount.value}


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
