"""Text that somebody outside wrote, made fit to be shown: the one home for terminal, mail, page, log and Temporal UI.

A recipient's message may hold anything: HTML, escape sequences, text that turns the reading direction, instructions to
a program that reads it. Markup is the template's to escape; what is taken away here is what no escaping helps against,
because a person cannot see it: control characters, and format characters that hide or reorder what stands beside them.
What is left is plain text, word for word. No function here raises.
"""

import hashlib
import math
import re
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

from pydantic import AfterValidator

LINE_LIMIT: Final = 500
# About as much as a table or a subject can hold.
TEXT_LIMIT: Final = 5_000
# What the invoicing API takes as a message; more is shown shortened, and kept whole in our records.
_CUT: Final = " [...]"
_FAR: Final = 4
_BREAKS: Final = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_MANY_BREAKS: Final = re.compile(r"\n{3,}")
_JOINERS: Final = frozenset("\u200c\u200d")
_UNSEEN: Final = frozenset({"Cf", "Cs", "Co", "Cn"})
# Format characters (bidi overrides, zero-width, tags), halves of surrogate pairs, private use, unassigned.
_UNSEEN_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Letters and a symbol by category, and blank all the same.
_FENCE: Final = re.compile(r"<(?=\s*/?\s*untrusted)", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r]")
_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9.,]*|-")


def one_line(value: object, limit: int = LINE_LIMIT) -> str:
    """`value` as one line of at most `limit` characters: for a cell, a subject, a sentence of ours."""
    text, more = _looked_at(value, limit)
    return _cut(" ".join(printable(text).split()), limit, more=more)


def plain(value: object, limit: int = TEXT_LIMIT) -> str:
    """`value` with its line breaks, at most one empty line after another: where a block of text has its own place."""
    text, more = _looked_at(value, limit)
    lines = "\n".join(line.rstrip() for line in printable(text).split("\n"))
    return _cut(_MANY_BREAKS.sub("\n\n", lines).strip("\n"), limit, more=more)


def printable(text: str) -> str:
    """`text` without what nobody sees, its lines where they were: for what is laid out already."""
    return "\n".join(_visible(line) for line in _BREAKS.sub("\n", text).split("\n"))


def quoted(value: object, limit: int = TEXT_LIMIT) -> str:
    """`value` as a mail quotes it: no line of it can pass for one of ours."""
    return "\n".join(f"> {line}".rstrip() for line in plain(value, limit).split("\n"))


def fenced(value: object, limit: int = TEXT_LIMIT) -> str:
    """`value` for a program that reads text as instructions: between two marks that name its own hash, so that no text
    holds the mark that would end it. What looks like a mark inside is taken apart too. Of nothing nothing is said."""
    words = _FENCE.sub("(", plain(value, limit))
    if not words:
        return ""
    mark = hashlib.sha256(words.encode()).hexdigest()[:16]
    while mark in words:
        mark = hashlib.sha256(mark.encode()).hexdigest()[:16]
    return f"<untrusted {mark}>{words}</untrusted {mark}>"


def fenced_values(value: Any) -> Any:
    """A JSON value with every text in it fenced; names of fields are ours, or are told as a text beside it."""
    if isinstance(value, dict):
        return {_field_name(name, at): fenced_values(part) for at, (name, part) in enumerate(value.items())}
    if isinstance(value, list | tuple):
        return [fenced_values(part) for part in value]
    return fenced(value) if isinstance(value, str) else value


def _field_name(name: object, at: int) -> str:
    """A name that somebody outside chose may be a sentence."""
    text = str(name)
    return text if _NAME.fullmatch(text) else f"field_{at + 1}"


def in_markdown(value: object, limit: int = LINE_LIMIT) -> str:
    """`value` as a code span of Markdown: nothing in it acts as markup, nor becomes a link."""
    words = one_line(value, limit).replace("`", "'")
    return f"`{words}`" if words else ""


def no_formula(text: str) -> str:
    """A table's cell that a spreadsheet takes for text: https://owasp.org/www-community/attacks/CSV_Injection.

    Plain numbers and a lone dash stay as they are.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def shown(value: Any) -> Any:
    """A JSON value with every text in it as `plain` has it, names of fields too."""
    if isinstance(value, dict):
        return {one_line(name): shown(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shown(part) for part in value]
    return plain(value) if isinstance(value, str) else value


def storable(value: Any) -> Any:
    """A JSON value that every database can hold: PostgreSQL refuses a NUL in text, and NaN in JSON, for ever."""
    if isinstance(value, dict):
        return {_without_nul(name): storable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [storable(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _without_nul(value) if isinstance(value, str) else value


def _without_nul(text: str) -> str:
    return text.replace("\x00", "\ufffd")


ShownText = Annotated[str, AfterValidator(plain)]
ShownLine = Annotated[str, AfterValidator(partial(one_line, limit=TEXT_LIMIT))]
ShownJson = Annotated[Any, AfterValidator(shown)]
"""For fields that people and programs read; our rows and the dossier keep what came as it came."""

FILTERS: Final[dict[str, Callable[..., str]]] = {"one_line": one_line, "plain": plain, "quoted": quoted}
"""For `Environment.filters` of Jinja; autoescape still escapes what they answer."""


def finalize(value: Any) -> Any:
    """For Jinja's `finalize`: no text reaches a template's output unseen, whoever wrote the template.

    Markup that a template made itself passes; it was plain before it was escaped.
    """
    return plain(value) if type(value) is str else value


def _looked_at(value: object, limit: int) -> tuple[str, bool]:
    """The text, and whether there is more of it, so far over the limit that nobody looks."""
    text = value if isinstance(value, str) else str(value)
    head = text[: _FAR * limit]
    return head, len(head) < len(text)


def _visible(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    return "".join(_seen(line, at, one) for at, one in enumerate(line))


def _seen(line: str, at: int, one: str) -> str:
    """`one`, a space in the place of a control character, nothing in the place of what nobody sees."""
    if one.isascii():
        return one if one.isprintable() else " "
    if one in _JOINERS:
        return one if _joins(line[at - 1 : at]) and _joins(line[at + 1 : at + 2]) else ""
    category = unicodedata.category(one)
    if category in _UNSEEN or one in _UNSEEN_LETTERS:
        return ""
    return " " if category == "Cc" or category.startswith("Z") else one


def _joins(neighbour: str) -> bool:
    """Joiners spell words in some scripts and make one emoji of several (RFC 5892, appendix A): there they stay."""
    return bool(neighbour) and not neighbour.isascii() and unicodedata.category(neighbour)[0] in "LMS"


def _cut(text: str, limit: int, *, more: bool) -> str:
    if len(text) <= limit and not more:
        return text
    return text[: limit - len(_CUT)].rstrip() + _CUT
