"""`billhook policy`: a file is checked, a trigger explained, another policy tried, and nothing is started by it."""

import json
from pathlib import Path

import pytest

from billing.intent import Motion
from billing.motions import TRIGGERS
from starter.cli.exits import Exit
from starter.cli.policy import motion_of
from tests.stack import Stack, milestone_body
from tests.starter.cli.conftest import Billhook

STRICT = '[thresholds]\ndefault = "1000.00"\n'


async def test_a_sound_file_is_printed_with_its_hash_and_an_unsound_one_refused_by_key_and_line(
    billhook: Billhook, tmp_path: Path
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(STRICT)
    code, out, err = await billhook("policy", "check", str(file))
    assert (code, err) == (Exit.OK, "")
    assert out.startswith("content_hash")
    plain = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (plain["thresholds.default"], plain["motions.always"]) == ("1000.00", "none")
    assert (plain["business_hours.weekdays"], plain["other_currency.ask"]) == ("mon, tue, wed, thu, fri", "no")
    assert not {"{", "[", "None"} & {*out, *out.split()}
    file.write_text('[second_limits]\nUSD = "much"\n')
    code, out, err = await billhook("policy", "check", str(file))
    assert (code, out) == (Exit.NOT_IN_ORDER, "")
    assert "field: second_limits.USD" in err
    assert "line 2" in err


async def test_a_trigger_file_is_explained_by_its_fields_alone(
    stack: Stack, billhook: Billhook, tmp_path: Path
) -> None:
    await stack.customer()
    file = tmp_path / "trigger.json"
    file.write_text(json.dumps(milestone_body(amount="25000.01")))
    code, out, err = await billhook("policy", "explain", str(file))
    assert code == Exit.OK, err
    assert "wait for a person" in out
    assert "(over_threshold)" in out
    told = json.loads((await billhook("policy", "explain", str(file), "--json"))[1])
    assert (told["motion"], told["automatic"], told["exists"]) == ("milestone", False, False)
    assert (await stack.api.get("/invoices")).json()["data"] == []


async def test_a_trigger_that_cannot_be_billed_is_refused_by_field_and_a_riddle_asks_for_the_motion(
    stack: Stack, billhook: Billhook, tmp_path: Path
) -> None:
    await stack.customer()
    file = tmp_path / "trigger.json"
    file.write_text(json.dumps(milestone_body(amount="1.999")))
    code, _, err = await billhook("policy", "explain", str(file))
    assert (code, err.splitlines()[0]) == (Exit.REFUSED, "field: amount")
    file.write_text("{}")
    code, _, err = await billhook("policy", "explain", str(file))
    assert code == Exit.USAGE
    assert "--motion" in err
    file.write_text(json.dumps(milestone_body(quote_id="quote_1")))
    code, _, err = await billhook("policy", "explain", str(file))
    assert code == Exit.USAGE
    assert "its fields fit milestone and quote" in err
    code, _, err = await billhook("policy", "explain", str(file), "--motion", "milestone")
    assert (code, err.splitlines()[0]) == (Exit.REFUSED, "field: quote_id")


@pytest.mark.parametrize(
    ("name", "motion"),
    [
        ("milestone", "milestone"),
        ("project", "project"),
        ("quote", "quote"),
        ("overage", "overage"),
        ("usage", "usage"),
    ],
)
def test_the_fields_of_every_motion_s_trigger_tell_it(name: str, motion: str) -> None:
    needed = [field for field, of in TRIGGERS[Motion(name)].model_fields.items() if of.is_required()]
    assert motion_of(dict.fromkeys(needed)) == motion


async def test_another_policy_is_tried_on_what_was_assessed(stack: Stack, billhook: Billhook, tmp_path: Path) -> None:
    await stack.customer()
    key = await stack.milestone()
    await stack.until(key, "sent")
    file = tmp_path / "new.toml"
    file.write_text(STRICT)
    code, out, err = await billhook("policy", "simulate", "--policy", str(file), "--since", "2026-01-01")
    assert code == Exit.OK, err
    assert "invoices judged   1" in out
    assert "would newly wait  1 over 12500.00 USD; 0 were changed later" in out
    assert f"{key}  12500.00  USD       -           over_threshold  0" in out
    code, out, err = await billhook("policy", "simulate", "--policy", str(file), "--since", "2099-01-01")
    assert "nothing was assessed since then" in err
    told = json.loads(
        (await billhook("policy", "simulate", "--policy", str(file), "--since", "2026-01-01", "--json"))[1]
    )
    assert told["newly_ask"]["invoices"][0]["key"] == key
