"""What pydantic finds wrong with a field, in words for whoever sent it: the cause, and what to send instead.

Its own messages name types of Python and never say what to do. Ours say both; a rule of our own that raises ValueError
writes `cause; next step`, and is taken as it is.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

TIMES: Final = "write it as in RFC 3339, for example 2026-10-01T09:30:00Z, or 2026-10-01 where only a day counts"
_LISTED: Final = "the fields are listed at /docs"
_NO_TEXT: Final = ("it is no text", "send a JSON string")
_NO_NUMBER: Final = ("it is no number", "send a number")
_WHOLE: Final = ("it is no whole number", "send a whole number, without a decimal point")
_NO_BOOL: Final = ("it is neither true nor false", "send true or false")
_NO_OBJECT: Final = ("it is no JSON object", f"send an object; {_LISTED}")
_NO_LIST: Final = ("it is no list", "send a JSON list")
_NO_TIME: Final = ("it is no such time", TIMES)
_NO_DECIMAL: Final = ("it is no plain decimal", 'send a decimal string such as "1250.00"')
_OTHER_VALUE: Final = ("it is none of the values that there are", "send {expected}")
_WORDS: Final[dict[str, tuple[str, str]]] = {
    "json_invalid": ("it is no JSON", "send a JSON object in UTF-8"),
    "missing": ("it is missing", "send it"),
    "extra_forbidden": ("there is no such field", f"leave it out; {_LISTED}"),
    "string_type": _NO_TEXT,
    "string_unicode": _NO_TEXT,
    "string_too_short": ("it is shorter than {min_length} characters", "send that many or more"),
    "string_too_long": ("it is longer than {max_length} characters", "send that many or fewer"),
    "too_short": ("it holds {actual_length}, which is fewer than {min_length}", "send that many or more"),
    "too_long": ("it holds more than {max_length}", "send that many or fewer"),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NO_NUMBER,
    "float_parsing": _NO_NUMBER,
    "finite_number": _NO_NUMBER,
    "greater_than": ("it is not over {gt}", "send a value over {gt}"),
    "greater_than_equal": ("it is under {ge}", "send a value from {ge} on"),
    "less_than": ("it is not under {lt}", "send a value under {lt}"),
    "less_than_equal": ("it is over {le}", "send a value up to {le}"),
    "bool_type": _NO_BOOL,
    "bool_parsing": _NO_BOOL,
    "enum": _OTHER_VALUE,
    "literal_error": _OTHER_VALUE,
    "dict_type": _NO_OBJECT,
    "model_type": _NO_OBJECT,
    "model_attributes_type": _NO_OBJECT,
    "list_type": _NO_LIST,
    "tuple_type": _NO_LIST,
    "set_type": _NO_LIST,
    "frozen_set_type": _NO_LIST,
    "timezone_naive": _NO_TIME,
    "timezone_aware": ("it is a time without a zone", TIMES),
    "datetime_type": _NO_TIME,
    "datetime_parsing": _NO_TIME,
    "datetime_from_date_parsing": _NO_TIME,
    "date_type": _NO_TIME,
    "date_parsing": _NO_TIME,
    "date_from_datetime_parsing": _NO_TIME,
    "date_from_datetime_inexact": _NO_TIME,
    "time_type": ("it is no time of day", "write it as 09:00:00"),
    "time_parsing": ("it is no time of day", "write it as 09:00:00"),
    "decimal_type": _NO_DECIMAL,
    "decimal_parsing": _NO_DECIMAL,
}
_PATTERNS: Final = {
    r"^[A-Za-z0-9_.-]{1,100}$": ("it is no id", "use 1 to 100 of A-Z a-z 0-9 _ . -"),
    r"^[^\x00]*$": ("it holds a NUL", "leave the NUL out"),
    r"^[^/\s]+/[^/\s]+$": ("it is no repository", "write it as owner/name"),
    r"^[0-9]+$": ("it is no number", "use digits alone"),
}
# The first is that of billing/keys.py, which stands above this.
_MAIL_SIGN: Final = "@"
# Of all patterns only those of addresses hold one.


class Complaint(NamedTuple):
    """`next_step` is never empty."""

    cause: str
    next_step: str

    def __str__(self) -> str:
        """In one line, for a file's reader: the fields of a file are not listed at /docs."""
        return self.cause if self.next_step.endswith(_LISTED) else f"{self.cause}; {self.next_step}"


def complaint(item: Mapping[str, Any]) -> Complaint:
    """One of a ValidationError's `errors()` in words."""
    kind, context = str(item["type"]), item.get("ctx") or {}
    if kind == "value_error":
        return _ours(str(item["msg"]).removeprefix("Value error, "))
    if kind == "string_pattern_mismatch":
        return _pattern(str(context.get("pattern", "")))
    if kind == "string_type" and isinstance(item.get("input"), int | float):
        return Complaint("it is a number, and only text is exact", 'send a string such as "1250.00"')
    if kind in {"too_short", "string_too_short"} and context.get("min_length") == 1:
        return Complaint("it is empty", "send one at least" if kind == "too_short" else "fill it")
    cause, step = _WORDS.get(kind, (str(item["msg"]), _LISTED))
    return Complaint(_filled(cause, context), _filled(step, context))


def _ours(words: str) -> Complaint:
    cause, _, step = words.partition("; ")
    if not step and words.startswith(("write ", "send ", "use ", "name ", "say ")):
        return Complaint("it is not written as it must be", words)
    return Complaint(cause, step or f"correct it; {_LISTED}")


def _pattern(pattern: str) -> Complaint:
    if pattern in _PATTERNS:
        return Complaint(*_PATTERNS[pattern])
    if _MAIL_SIGN in pattern:
        return Complaint("it is no mail address", "send an address such as ap@example.com")
    return Complaint("it is not spelled as it must be", f"send what matches {pattern}")


def _filled(words: str, context: Mapping[str, Any]) -> str:
    """`words` with what pydantic says beside them; a name that it does not say is left as it stands."""
    for name, value in context.items():
        words = words.replace(f"{{{name}}}", str(value))
    return words
