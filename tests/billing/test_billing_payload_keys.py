"""The keys' setting: what it takes, in which order, and that a refusal tells no key."""

import base64

import pytest

from billing.payload_keys import PayloadKeys, new_key

_ONE = base64.b64encode(b"1" * 32).decode()
_TWO = base64.b64encode(b"2" * 32).decode()


def test_the_first_key_seals_and_all_are_held_however_they_are_listed() -> None:
    for text in (f"b:{_TWO},a:{_ONE}", f"b:{_TWO}\na:{_ONE}\n", f" b:{_TWO} , a:{_ONE} "):
        keys = PayloadKeys.parse(text)
        assert keys.sealing == "b"
        assert keys.by_id == {"b": b"2" * 32, "a": b"1" * 32}


def test_no_key_seals_nothing() -> None:
    assert not PayloadKeys.parse(" \n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_ONE, "entry 1 is no id:key"),
        (f"a:{_ONE},b/c:{_TWO}", "entry 2 is no id:key"),
        (f"a:{_ONE},a:{_TWO}", "entry 2 has the id of an earlier one, a"),
        ("a:c2hvcnQ=", "the key of entry 1 is not 32 bytes"),
        (f"a:{_ONE},b:not*base64", "the key of entry 2 is not 32 bytes"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named_by_its_place_and_its_key_is_not_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        PayloadKeys.parse(text)
    assert not any(secret in str(refused.value) for secret in (_ONE, _TWO, "c2hvcnQ", "not*base64"))
    assert _ONE not in repr(PayloadKeys.parse(f"a:{_ONE}"))


def test_a_made_key_is_one_that_is_taken_and_no_two_are_the_same() -> None:
    made = [new_key("2026-12") for _ in range(2)]
    assert made[0] != made[1]
    assert PayloadKeys.parse(made[0]).sealing == "2026-12"
    with pytest.raises(ValueError, match="no id"):
        new_key("a b")
