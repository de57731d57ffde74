"""What a recipient proposes, read into an edit that a person may accept: in whole, in part, or not at all.

The proposal is outside text in the invoicing API's spelling, kept as it came. It is read only here, part by part, so
that one unreadable part does not take the others with it; and here again when a person accepts, inside the workflow,
so that every face accepts the same whatever it showed. Nothing in it can raise; what cannot be accepted says why.
"""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict

from billing.errors import BadInput
from billing.intent import MAX_PERCENT, Commercial, Discount, DiscountType, Line, Patch
from billing.money import MAX_MINOR, parse_decimal
from billing.motions import MAX_LINES, MAX_TEXT
from billing.provider import JSON_DIGITS, as_sent, from_wire
from billing.untrusted import TEXT_LIMIT, one_line

_T = TypeVar("_T")


class Part(StrEnum):
    """What a change request can be about, by the contract's field names."""

    LINE_ITEMS = "line_items"
    DISCOUNT = "discount"
    PAYMENT_TERMS = "payment_terms"
    DUE_DATE = "due_date"
    CURRENCY = "currency"


_PATCHED: Final = {
    Part.LINE_ITEMS: ("lines",),
    Part.DISCOUNT: ("discount", "remove_discount"),
    Part.PAYMENT_TERMS: ("payment_terms",),
    Part.DUE_DATE: ("due_date",),
}
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOST_REFUSED: Final = 20
# Unknown fields beyond these are noise.
_LONGEST_NUMBER: Final = 40


class Refused(BaseModel):
    """A part that cannot be accepted. `part` is a field's name, perhaps one that we do not know."""

    model_config = ConfigDict(frozen=True)

    part: str
    cause: str


class Proposal(BaseModel):
    """`patch` holds every part that can be accepted, and together they hold; `parts` names them."""

    model_config = ConfigDict(frozen=True)

    patch: Patch = Patch()
    parts: tuple[Part, ...] = ()
    refused: tuple[Refused, ...] = ()

    def only(self, parts: Iterable[str]) -> Patch:
        """The patch of these parts. Raises BadInput naming the first that cannot be accepted, and why."""
        wanted = [self._acceptable(part) for part in parts]
        if not wanted:
            raise BadInput("parts", "it names none", self._next_step)
        return Patch(**{name: getattr(self.patch, name) for part in wanted for name in _PATCHED[part]})

    def _acceptable(self, name: str) -> Part:
        found = next((part for part in self.parts if part == name), None)
        if found is not None:
            return found
        causes = {one.part: one.cause for one in self.refused}
        raise BadInput("parts", f"{one_line(name, 100)}: {causes.get(name, 'it is not proposed')}", self._next_step)

    def whole(self) -> Patch:
        """The patch of everything that can be accepted. Raises BadInput where that is nothing."""
        if self.parts:
            return self.patch
        if self.refused:
            causes = "; ".join(f"{one.part}: {one.cause}" for one in self.refused)
            raise BadInput("proposed", f"nothing of it can be accepted; {causes}", _WRITE_IT)
        raise BadInput("proposed", "the recipient asks in words alone and proposes no content", _WRITE_IT)

    @property
    def _next_step(self) -> str:
        return f"name some of {', '.join(self.parts)}" if self.parts else _WRITE_IT


_WRITE_IT: Final = "send the next version's content as `patch`, or decline with an answer"


def read(proposed: object, present: Commercial) -> Proposal:
    """A change request's `proposed`, whatever it holds, against the content that it asks to change. Never raises."""
    if proposed is None:
        return Proposal()
    if not isinstance(proposed, dict):
        return Proposal(refused=(Refused(part="proposed", cause="cannot be read: it is no object"),))
    reading = _Reading(present)
    for name, value in proposed.items():
        if value is not None:
            reading.read(name, value, proposed)
    return reading.result()


def accepted(present: Commercial, proposed: object, patch: Patch | None, parts: Iterable[str] | None) -> Patch:
    """What an acceptance makes of `present`: the person's own edit, else these parts of the proposal, else all of it.

    Raises BadInput naming the part and the cause where there is nothing to accept, or where both are given.
    """
    if patch is not None and parts is not None:
        raise BadInput("parts", "an edit is the whole answer; it cannot come with parts of the proposal", "send one")
    if patch is not None:
        if present.patched(patch) == present:
            raise BadInput("patch", "it changes nothing of what stands", _WRITE_IT)
        return patch
    proposal = read(proposed, present)
    return proposal.whole() if parts is None else proposal.only(parts)


def is_in_part(before: Commercial, proposed: object, now: Commercial) -> bool:
    """Whether the version `now` that answers the request differs from what was proposed for `before`."""
    proposal = read(proposed, before)
    in_words_alone = not proposal.parts and not proposal.refused
    return not in_words_alone and (bool(proposal.refused) or now != before.patched(proposal.patch))


class _Reading:
    """One pass over a proposal's parts."""

    def __init__(self, present: Commercial) -> None:
        self._present = present
        self._patch: dict[str, Any] = {}
        self._parts: list[Part] = []
        self._refused: list[Refused] = []

    def read(self, name: object, value: Any, proposed: dict[Any, Any]) -> None:
        if name not in set(Part):
            self._refuse(one_line(name, 100), "not a commercial field; a change request cannot change it")
            return
        part = Part(str(name))
        try:
            self._patch |= self._content(part, value, proposed.get(Part.CURRENCY))
        except BadInput as error:
            self._refuse(part, f"cannot be read: {error.cause if error.field == part else error.detail}")
        except _Unacceptable as error:
            self._refuse(part, str(error))
        else:
            if part is not Part.CURRENCY:
                self._parts.append(part)

    def _content(self, part: Part, value: Any, currency: Any) -> dict[str, Any]:
        match part:
            case Part.CURRENCY:
                self._check_currency(value)
                return {}
            case Part.LINE_ITEMS:
                self._check_amounts(currency)
                return {"lines": _lines(value, self._present)}
            case Part.DISCOUNT:
                return self._discount(value, currency)
            case Part.PAYMENT_TERMS:
                return {"payment_terms": _terms(value)}
            case Part.DUE_DATE:
                return {"due_date": _day(value)}

    def _check_currency(self, value: Any) -> None:
        if not isinstance(value, str):
            raise BadInput(Part.CURRENCY, "it is no text")
        if value != self._present.currency:
            shown, present = one_line(value, 20), self._present.currency
            raise _Unacceptable(f"an invoice keeps its currency, {present}; cancel it and bill anew in {shown!r}")

    def _check_amounts(self, currency: Any) -> None:
        """Minor units of another currency are other amounts."""
        if currency is not None and currency != self._present.currency:
            shown = one_line(currency, 20)
            raise _Unacceptable(f"its amounts are in {shown!r}, and the invoice is in {self._present.currency}")

    def _discount(self, value: Any, currency: Any) -> dict[str, Any]:
        fields = _checked(value, dict, Part.DISCOUNT, "object")
        if fields.get("type") == DiscountType.FLAT:
            self._check_amounts(currency)
        discount = _discount_of(fields, self._present.currency)
        if discount is not None:
            return {"discount": discount}
        return {"remove_discount": self._present.discount is not None}

    def _refuse(self, part: str, cause: str) -> None:
        if len(self._refused) < _MOST_REFUSED:
            self._refused.append(Refused(part=part, cause=cause))

    def result(self) -> Proposal:
        """Parts that are sound alone may contradict each other, or what stays as it is; then one gives way."""
        while self._parts:
            try:
                self._present.patched(Patch(**self._patch))
                break
            except BadInput as error:
                lines = error.field == Part.LINE_ITEMS or Part.DISCOUNT not in self._parts
                self._give_way(Part.LINE_ITEMS if lines else Part.DISCOUNT, error.detail)
        return Proposal(patch=Patch(**self._patch), parts=tuple(self._parts), refused=tuple(self._refused))

    def _give_way(self, part: Part, cause: str) -> None:
        self._parts.remove(part)
        for name in _PATCHED[part]:
            self._patch.pop(name, None)
        self._refuse(part, f"cannot be accepted: {cause}")


class _Unacceptable(Exception):
    """Readable, and yet not something that a version can become."""


def _lines(value: Any, present: Commercial) -> tuple[Line, ...]:
    items = _checked(value, list, "line_items", "list")
    if not 0 < len(items) <= MAX_LINES:
        raise BadInput("line_items", f"there are {len(items)}; one to {MAX_LINES} are expected")
    # What comes back as it went out is still our line, with the metering that the API was only told in words.
    ours = {_shown(as_sent(line, present.currency)): line for line in present.lines}
    found = [_line(item, f"line_items.{index}", present.currency) for index, item in enumerate(items)]
    for index, line in enumerate(found):
        if line not in ours and len(line.description) > MAX_TEXT:
            raise BadInput(f"line_items.{index}.description", f"it is longer than {MAX_TEXT} characters")
    return tuple(ours.get(line, line) for line in found)


def _line(value: Any, at: str, currency: str) -> Line:
    """What is accepted is the text that a person is shown, without what he cannot see."""
    fields = _checked(value, dict, at, "object")
    words = one_line(_checked(fields.get("description"), str, f"{at}.description", "text"), TEXT_LIMIT)
    if not words:
        raise BadInput(f"{at}.description", "it is empty")
    quantity = _number(fields.get("quantity"), f"{at}.quantity")
    if quantity <= 0:
        raise BadInput(f"{at}.quantity", "it is not positive")
    price = _amount(fields.get("unit_price_cents"), f"{at}.unit_price_cents", currency)
    return Line(description=words, quantity=quantity, unit_price=price)


def _shown(line: Line) -> Line:
    return line.model_copy(update={"description": one_line(line.description, TEXT_LIMIT)})


def _discount_of(fields: dict[str, Any], currency: str) -> Discount | None:
    """None where it takes nothing off."""
    kind = fields.get("type")
    if kind == DiscountType.FLAT:
        value = _amount(fields.get("value_cents"), "discount.value_cents", currency)
    elif kind == DiscountType.PERCENT:
        value = _number(fields.get("value"), "discount.value")
        if not 0 <= value <= MAX_PERCENT:
            raise BadInput("discount.value", f"it is not between 0 and {MAX_PERCENT}")
    else:
        raise BadInput("discount.type", "it is neither percent nor flat")
    return Discount(type=DiscountType(kind), value=value) if value else None


def _terms(value: Any) -> str:
    try:
        return Patch(payment_terms=_checked(value, str, "payment_terms", "text")).payment_terms or ""
    except ValueError as error:
        raise BadInput("payment_terms", "it is neither due_on_receipt nor net_N") from error


def _day(value: Any) -> date:
    text = _checked(value, str, "due_date", "text")
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadInput("due_date", "it is no date such as 2026-11-30")


def _amount(value: Any, field: str, currency: str) -> Decimal:
    """An amount in the API's minor units, as major units."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInput(field, "it is no whole number of minor units")
    if not 0 <= value < MAX_MINOR:
        raise BadInput(field, "it is negative" if value < 0 else "it is too large")
    try:
        return from_wire(value, currency).major
    except BadInput as error:
        raise BadInput(field, error.cause) from error


def _number(value: Any, field: str) -> Decimal:
    """A quantity or a percentage. JSON may have made a double of it; within 15 digits that holds what was written."""
    if isinstance(value, str):
        return parse_decimal(one_line(value, _LONGEST_NUMBER), field)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(field, "it is no number")
    number = Decimal(repr(value)) if abs(value) < MAX_MINOR else None
    if number is None or len(number.normalize().as_tuple().digits) > JSON_DIGITS:
        raise BadInput(field, f"it is no number of at most {JSON_DIGITS} digits")
    return parse_decimal(f"{number:f}", field)


def _checked(value: Any, kind: type[_T], field: str, words: str) -> _T:
    if not isinstance(value, kind):
        raise BadInput(field, f"it is no {words}")
    return value
