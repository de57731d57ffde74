"""`docs/motions.md` is what the code says, and the code says where every field of a motion comes from."""

import pytest

from billing.mappings import System
from billing.motions import TRIGGERS
from starter.vendors.motion_docs import FILLS, TARGET, text


def test_the_document_is_what_the_code_says() -> None:
    assert TARGET.read_text() == text(), "run `make motions-doc`"


@pytest.mark.parametrize("system", [*System])
def test_every_needed_field_is_filled_and_no_other_is_named(system: System) -> None:
    assert FILLS[system]
    for motion, filled in FILLS[system].items():
        fields = TRIGGERS[motion].model_fields
        assert filled.keys() <= fields.keys()
        assert {name for name, field in fields.items() if field.is_required()} <= filled.keys()
