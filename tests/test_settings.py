"""Limits and the queues' name come from the settings as they are written, and what cannot be used is told."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from billing.errors import BadInput
from billing.payload_keys import new_key
from billing.queues import Queue
from records.session import Database
from settings import SECRETS, Settings, load_settings


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


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to start in, with no setting around."""
    for name in [name for name in os.environ if name.startswith("BILLHOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_may_be_handed_over_as_a_file(name: str, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = new_key("2026-11") if name == "payload_keys" else "sqlite:///from-a-file"
    (alone / "secret").write_text(f"{text}\n")
    monkeypatch.setenv(f"BILLHOOK_{name.upper()}_FILE", "secret")
    found = getattr(load_settings(), name)
    assert (found.get_secret_value() if isinstance(found, SecretStr) else found) == text


def test_a_secrets_file_may_be_named_wherever_settings_stand(alone: Path) -> None:
    (alone / "one").write_text("from .env")
    (alone / ".env").write_text("BILLHOOK_SESSION_SECRET_FILE=one\n")
    (alone / "two").write_text("from billhook.toml")
    (alone / "billhook.toml").write_text('jupiter_api_key_file = "two"\nsession_secret = "further back"\n')
    found = load_settings()
    assert found.session_secret.get_secret_value() == "from .env"
    assert found.jupiter_api_key is not None
    assert found.jupiter_api_key.get_secret_value() == "from billhook.toml"


@pytest.mark.parametrize(
    ("content", "why"), [(None, "cannot be read: No such file"), (b" \n", "is empty"), (b"\xff\xfe", "is no text")]
)
def test_a_secrets_file_that_cannot_be_used_is_named_by_its_setting(
    content: bytes | None, why: str, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (alone / "secret").write_bytes(content)
    monkeypatch.setenv("BILLHOOK_STRIPE_SECRET_FILE", str(alone / "secret"))
    with pytest.raises(BadInput, match=f"BILLHOOK_STRIPE_SECRET_FILE: .*{why}"):
        load_settings()


def test_a_secret_that_is_set_twice_and_differently_is_refused(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (alone / "secret").write_text("one")
    monkeypatch.setenv("BILLHOOK_HUBSPOT_TOKEN_FILE", "secret")
    monkeypatch.setenv("BILLHOOK_HUBSPOT_TOKEN", "another")
    with pytest.raises(BadInput, match="BILLHOOK_HUBSPOT_TOKEN: it is set, and so is its file"):
        load_settings()
    monkeypatch.setenv("BILLHOOK_HUBSPOT_TOKEN", "one")
    assert load_settings().hubspot_token.get_secret_value() == "one"


def test_payload_keys_that_cannot_be_used_are_refused_at_start_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLHOOK_PAYLOAD_KEYS", "2026-11:hunter2")
    with pytest.raises(BadInput, match="BILLHOOK_PAYLOAD_KEYS: the key of entry 1") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value.detail)


def test_a_setting_that_should_be_json_and_is_none_is_named_and_not_told(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLHOOK_JUPITER_WIRE", "{hunter2")
    with pytest.raises(BadInput, match="jupiter_wire") as refused:
        load_settings()
    assert "hunter2" not in refused.value.detail


def test_a_file_where_the_folder_of_the_records_should_be_is_told(alone: Path) -> None:
    (alone / "file").touch()
    with pytest.raises(BadInput, match="BILLHOOK_DATA_DIR: file cannot be used as a folder: it is a file"):
        Database("sqlite:///file/billhook.db")
