"""Limits and the queues' name come from the settings as they are written, and what cannot be used is told."""

import pytest
from pydantic import ValidationError

from billing.errors import BadInput
from billing.queues import Queue
from settings import Settings, load_settings


def test_nothing_is_limited_unless_somebody_names_a_limit() -> None:
    assert Settings().rates == {}


def test_each_outside_system_has_a_limit_of_its_own() -> None:
    found = Settings(jupiter_rate=45, crm_rate=2.5, mail_rate=12.6).rates
    assert found == {Queue.JUPITER: 45, Queue.CRM: 2.5, Queue.MAIL: 12.6}


def test_hubspot_hears_nine_tenths_of_what_it_takes_unless_another_limit_is_named_or_none() -> None:
    assert Settings(crm="hubspot").rates == {Queue.CRM: 9}
    assert Settings(crm="hubspot", crm_rate=17.1).rates == {Queue.CRM: 17.1}
    assert Settings(crm="hubspot", crm_rate=0).rates == {}


def test_a_limit_below_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="jupiter_rate"):
        Settings(jupiter_rate=-1)


def test_a_setting_that_cannot_be_used_is_named_and_its_value_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLHOOK_RECONCILE_MINUTES", "hunter2")
    with pytest.raises(BadInput, match=r"BILLHOOK_RECONCILE_MINUTES: .* valid integer") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value.detail) + refused.value.next_step
    assert "billhook.toml" in refused.value.next_step


def test_the_queues_name_may_not_end_like_the_queue_of_runs() -> None:
    with pytest.raises(ValidationError, match="ends like a queue of runs"):
        Settings(task_queue="acme-runs")
