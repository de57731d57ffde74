"""The short simulation: two months of a small company, and the plan that a seed draws."""

import pytest

from tests.drills import simulation
from tests.drills.report import SWITCHES
from tests.drills.seeds import kept
from tests.drills.simulation_plan import STEPS, drawn


@pytest.mark.parametrize("seed", [1, *kept("simulation")])
async def test_two_months_of_random_billing_under_random_faults_end_with_clean_books(seed: int) -> None:
    report = await simulation.short(invoices=6, seed=seed, steps=12)
    assert report.violations == [], f"seed {seed}: {report.facts}"
    assert sum(report.faults.values()) > 0
    assert report.events["applied"] > 0


def test_a_seed_draws_the_same_year_again_and_another_seed_another() -> None:
    assert drawn(7, 50) == drawn(7, 50)
    assert drawn(7, 50) != drawn(8, 50)


def test_a_year_turns_every_switch_and_has_every_motion() -> None:
    plan = drawn(1, 50)
    turned = {name.removesuffix("_rate").removesuffix("_ms") for step in plan for name in step.faults}
    assert turned >= set(SWITCHES)
    assert {one.motion for step in plan for one in step.triggers} == {
        "milestone",
        "project",
        "quote",
        "usage",
        "overage",
    }
    assert len(plan) == STEPS
    assert sum(len(step.triggers) for step in plan) == 50
