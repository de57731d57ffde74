"""What a recipient sends, as a browser's form or as JSON, brought into one shape and checked."""

import re
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from sandbox.models import Address, Contact, Proposal, given
from sandbox.problems import Invalid, Malformed
from sandbox.wire import read_body

LONGEST_FIELD = 500
LONGEST_MESSAGE = 5000
ADDRESS = tuple(Address.model_fields)
CONTACT = tuple(Contact.model_fields)


class Form:
    """The fields that were sent; text is stripped, and a field that is absent changes nothing."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def text(self, name: str, *, needed: bool = False) -> str:
        """A text field. Raises `Invalid` when it is too long, no text, or needed and empty."""
        value = self._fields.get(name)
        value = "" if value is None else value
        longest = LONGEST_MESSAGE if name == "message" else LONGEST_FIELD
        if not isinstance(value, str) or len(value) > longest:
            raise Invalid(f"A text of at most {longest} characters is expected.", name)
        if needed and not value.strip():
            raise Invalid("This field is needed.", name)
        return value.replace("\x00", "").strip()

    def email(self, name: str) -> str:
        """A field that looks like an address. Raises `Invalid`."""
        value = self.text(name, needed=True)
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
            raise Invalid("This is no mail address.", name)
        return value

    def version(self) -> int:
        """The version that the recipient saw. Raises `Invalid` when it is missing."""
        value = self._fields.get("version")
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", str(value)):
            raise Invalid("Say which version this is about.", "version")
        return int(str(value))

    def actor(self) -> dict[str, Any] | None:
        """Who acted, where he says so."""
        return self._person("name", "email")

    def sender(self) -> dict[str, Any] | None:
        """Who forwarded; `email` is the other person there."""
        return self._person("name", "from_email")

    def _person(self, name: str, email: str) -> dict[str, Any] | None:
        found = {"name": self.text(name) or None, "email": self.text(email) or None}
        return found if any(found.values()) else None

    def amendment(self) -> dict[str, Any]:
        """The recipient-owned fields that were sent, `address` and `ap_contact` as objects."""
        wanted: dict[str, Any] = {
            name: self.text(name) for name in ("po_number", "billing_entity", "tax_id") if name in self._fields
        }
        for name, parts in (("address", ADDRESS), ("ap_contact", CONTACT)):
            if found := self._group(name, parts):
                wanted[name] = found
        return wanted

    def _group(self, name: str, parts: tuple[str, ...]) -> dict[str, str]:
        flat = {part: self.text(f"{name}_{part}") for part in parts if f"{name}_{part}" in self._fields}
        nested = self._fields.get(name)
        if nested is None:
            return flat
        if not isinstance(nested, dict) or set(nested) - set(parts):
            raise Invalid(f"Expected an object with {', '.join(parts)}.", name)
        return flat | {part: Form(nested).text(part) for part in nested}

    def proposal(self) -> dict[str, Any]:
        """The commercial fields that the recipient proposes. Raises `Invalid`."""
        wanted = {name: self._fields[name] for name in Proposal.model_fields if self._fields.get(name)}
        for name in ("line_items", "discount"):
            if isinstance(wanted.get(name), str):
                wanted[name] = _json(name, wanted[name])
        if self._fields.get("discount_percent"):
            wanted["discount"] = {"type": "percent", "value": self.text("discount_percent")}
        return given(_checked(Proposal, wanted))


def _json(name: str, text: str) -> Any:
    try:
        return read_body(text.encode())
    except Malformed as error:
        raise Invalid("This is not valid JSON.", name) from error


def _checked(model: type[BaseModel], fields: dict[str, Any]) -> BaseModel:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"] if part not in ("percent", "flat"))
        raise Invalid(first["msg"], path) from error


async def read_form(request: Request) -> Form:
    """The request's fields, whichever of the two shapes it has. Raises `Malformed` or `Invalid`."""
    if "application/json" in request.headers.get("content-type", ""):
        fields = read_body(await request.body())
        if not isinstance(fields, dict):
            raise Invalid("An object is expected.")
        return Form(fields)
    async with request.form(max_files=0, max_fields=100) as form:
        return Form({name: value for name, value in form.items() if isinstance(value, str)})
