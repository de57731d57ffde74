"""`motions.toml`: the example says every key, and what cannot be meant is refused by key and line."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from billing import mappings
from billing.errors import BadInput
from billing.motions_file import MotionsFile

EXAMPLE = Path("examples/motions.toml").read_text()
MILESTONE = """
[[github.milestones]]
repository = "acme/website"
customer = "acme"
amount = "1.00"
currency = "USD"
"""


def test_the_example_holds_and_says_every_key() -> None:
    MotionsFile.parse(EXAMPLE)
    parts = [part for part in vars(mappings).values() if isinstance(part, type) and issubclass(part, BaseModel)]
    ours = {name for part in parts if part.__module__ == mappings.__name__ for name in part.model_fields}
    said = set(re.findall(r"[a-z_]+", EXAMPLE))
    assert ours - said == set()


def test_the_examples_names_of_properties_are_those_that_hold_without_it() -> None:
    said, silent = MotionsFile.parse(EXAMPLE).hubspot, MotionsFile().hubspot
    assert (said.company_names, said.deal_names) == (silent.company_names, silent.deal_names)


def test_a_group_is_found_by_name_and_bills_its_currency_alone() -> None:
    found = MotionsFile.parse(EXAMPLE)
    assert found.group_for("europe", "EUR").zone == "Europe/Berlin"
    assert found.group_for("us-west", "JPY").currency is None
    for name, currency, field in (("europe", "USD", "currency"), ("asia", "JPY", "billing_group")):
        with pytest.raises(BadInput) as refused:
            found.group_for(name, currency)
        assert refused.value.field == field
        assert refused.value.next_step


def test_no_file_maps_nothing() -> None:
    found = MotionsFile.parse("")
    assert found.billing_groups == ()
    assert found.github.of("acme/website", "Phase 1") is None
    assert found.stripe is None


WRONG = [
    ('amount = "1.00"', 'amount = "1.005"', "github.milestones.0", "more than the 2 decimals"),
    ('amount = "1.00"', "amount = 1.0", "github.milestones.0.amount", "decimal string"),
    ('amount = "1.00"', 'amount = "0"', "github.milestones.0", "nothing to bill"),
    ('currency = "USD"', 'currency = "XXQ"', "github.milestones.0.currency", "ISO 4217"),
    (
        'repository = "acme/website"',
        'repository = "website"',
        "github.milestones.0.repository",
        "write it as owner/name",
    ),
    ('customer = "acme"', 'custommer = "acme"', "github.milestones.0", ""),
]


@pytest.mark.parametrize(("old", "new", "field", "words"), WRONG, ids=[one[1] for one in WRONG])
def test_what_cannot_be_meant_is_refused_by_key_and_line(old: str, new: str, field: str, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        MotionsFile.parse(MILESTONE.replace(old, new))
    assert refused.value.field.startswith(field)
    assert words in refused.value.cause
    assert "(line " in refused.value.cause
    assert "examples/motions.toml" in refused.value.next_step


MORE = [
    ('[[billing_groups]]\nname = "eu"\nzone = "Europe/Berlin"\n' * 2, "'eu' is named twice (line 5)"),
    ('[[billing_groups]]\nname = "eu"\nzone = "Berlin"', "no time zone; use a name such as Europe/Berlin (line 3)"),
    ('[[billing_groups]]\nname = "eu"\nzone = "Europe/Berlin"\ncurrency = "EURO"', "no ISO 4217 currency (line 4)"),
    ('[[billing_groups]]\nname = "eu west"\nzone = "Europe/Berlin"', "it is no id; use 1 to 100 of"),
    ('[[billing_groups]]\nname = "eu"', "it is missing; send it"),
    ("[githubb]", "no such key"),
    ('[generic.types."x"]\nmotion = "manual"', "manual has no trigger"),
    ('[generic.types."x"]\nmotion = "quote"\nset = { milestone_id = "1" }', "milestone_id is no field"),
    ('[hubspot.company_properties]\nphone = "x"', "phone is none of"),
    ('[[jira.versions]]\nproject = "1"\ncustomer = "a"\ncurrency = "USD"', "either amount or lines"),
    ("[github", "no TOML"),
]


@pytest.mark.parametrize(("text", "words"), MORE, ids=[one[1] for one in MORE])
def test_a_table_that_contradicts_itself_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        MotionsFile.parse(text)
    assert words in refused.value.cause


def test_the_first_entry_that_fits_holds_whatever_the_case() -> None:
    found = MotionsFile.parse(MILESTONE.replace('amount = "1.00"', 'amount = "1.00"\ntitle = "phase *"') + MILESTONE)
    for title, index in (("Phase 1", 0), ("PHASE 2", 0), ("Chores", 1)):
        assert found.github.of("Acme/Website", title) == found.github.milestones[index]
