"""What is wrong with a field, in words: every complaint says what to do, and none speaks of Python."""

from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictInt, TypeAdapter, ValidationError

from billing.assessment import Segment
from billing.complaints import complaint
from billing.intent import PaymentTerms
from billing.motions import Day, Id, Moment, Text


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


CASES = [
    (Body, {}, "it is missing", "send it"),
    (Body, {"name": "x", "more": 1}, "there is no such field", "leave it out"),
    (Body, {"name": 12.5}, "it is a number, and only text is exact", '"1250.00"'),
    (Body, {"name": []}, "it is no text", "JSON string"),
    (Body, [], "it is no JSON object", "send an object"),
    (Id, "a:b", "it is no id", "use 1 to 100 of"),
    (Text, "", "it is empty", "fill it"),
    (Text, "a\0", "it holds a NUL", "leave the NUL out"),
    (Annotated[str, Field(max_length=3)], "abcd", "it is longer than 3 characters", "or fewer"),
    (Annotated[str, Field(min_length=3)], "ab", "it is shorter than 3 characters", "or more"),
    (Annotated[str, Field(pattern="^[^@]+@[^@]+$")], "ap", "it is no mail address", "ap@example.com"),
    (Annotated[str, Field(pattern="^x$")], "y", "it is not spelled as it must be", "^x$"),
    (Annotated[list[int], Field(max_length=1)], [1, 2], "it holds more than 1", "or fewer"),
    (Annotated[list[int], Field(min_length=2)], [1], "it holds 1, which is fewer than 2", "or more"),
    (list[int], 3, "it is no list", "JSON list"),
    (Annotated[int, Field(ge=1)], 0, "it is under 1", "from 1 on"),
    (Annotated[int, Field(le=100)], 101, "it is over 100", "up to 100"),
    (Annotated[Decimal, Field(gt=0)], 0, "it is not over 0", "over 0"),
    (int, "x", "it is no whole number", "whole number"),
    (StrictInt, 1.5, "it is no whole number", "whole number"),
    (StrictBool, "yes", "it is neither true nor false", "true or false"),
    (Segment, "vip", "it is none of the values that there are", "'standard' or 'enterprise'"),
    (Literal["a", "b"], "c", "it is none of the values that there are", "'a' or 'b'"),
    (AwareDatetime, "2026-10-01T00:00:00", "it is a time without a zone", "RFC 3339"),
    (Moment, "2026-10-40T00:00:00Z", "it is no such time", "RFC 3339"),
    (Moment, 17, "it is not written as it must be", "RFC 3339"),
    (Day, "2026-02-30", "it is no such time", "RFC 3339"),
    (date, "soon", "it is no such time", "RFC 3339"),
    (time, "nine", "it is no time of day", "09:00:00"),
    (Decimal, "1,5", "it is no plain decimal", '"1250.00"'),
    (PaymentTerms, "soon", "'soon' are no payment terms", "send due_on_receipt or net_N"),
]


@pytest.mark.parametrize(("kind", "value", "cause", "step"), CASES, ids=[str(case[2]) for case in CASES])
def test_a_complaint_says_what_is_wrong_and_what_to_send(kind: Any, value: object, cause: str, step: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(value)
    found = complaint(refused.value.errors()[0])
    assert found.cause == cause
    assert step in found.next_step


def test_what_pydantic_may_yet_say_is_passed_on_with_a_next_step() -> None:
    found = complaint({"type": "of_tomorrow", "msg": "Input should be better"})
    assert found == ("Input should be better", "the fields are listed at /docs")
