"""Ports, credentials, the data directory's lock and the mail sink."""

import asyncio
import os
import socket
import stat
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from settings import load_settings
from starter.embedded import credentials
from starter.embedded.errors import DirectoryInUse, PortTaken
from starter.embedded.mailsink import file_name, serve
from starter.embedded.ports import HOST, Ports
from starter.embedded.stack import Outside, Stack
from starter.embedded.up import rules, running, sole_owner


def test_a_taken_port_is_refused_naming_port_and_flag() -> None:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        number = holder.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            Ports(sandbox=number).check({"sandbox": "sandbox"})
    assert str(number) in caught.value.detail
    assert "--sandbox-port" in caught.value.next_step


def test_credentials_are_for_the_owner_alone_and_the_same_next_time(tmp_path: Path) -> None:
    made = credentials.ensure(tmp_path)
    assert stat.S_IMODE((tmp_path / credentials.FILE_NAME).stat().st_mode) == 0o600
    assert credentials.ensure(tmp_path) == made
    assert made[credentials.WEBHOOK_SECRETS].startswith("whsec_")


def test_two_stacks_never_share_a_data_directory(tmp_path: Path) -> None:
    with sole_owner(tmp_path), pytest.raises(DirectoryInUse), sole_owner(tmp_path):
        pass
    with sole_owner(tmp_path):
        pass


def test_what_stands_outside_is_not_started(tmp_path: Path) -> None:
    outside = Outside(temporal="temporal.example:7233", jupiter="https://api.example")
    stack = Stack(tmp_path, Ports(), outside, credentials.ensure(tmp_path))
    assert [part.name for part in stack.parts()] == ["mail", "worker", "api"]
    assert stack.environment["TEMPORAL_ADDRESS"] == "temporal.example:7233"
    assert stack.environment["BILLHOOK_JUPITER_URL"] == "https://api.example"
    assert set(stack.needed_ports) == {"api", "smtp"}


def test_another_terminal_is_told_addresses_and_rules_from_any_folder_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BILLHOOK_MOTIONS_FILE", "examples/motions.toml")
    monkeypatch.delenv("BILLHOOK_POLICY_FILE", raising=False)
    secrets = credentials.ensure(tmp_path)
    stack = Stack(tmp_path, Ports(), Outside(), secrets, rules=rules(load_settings()))
    assert stack.surroundings["BILLHOOK_MOTIONS_FILE"] == str(tmp_path / "examples/motions.toml")
    assert stack.surroundings["TEMPORAL_ADDRESS"] == stack.temporal_address
    assert "BILLHOOK_POLICY_FILE" not in stack.surroundings
    assert not set(secrets.values()) & set(stack.surroundings.values())


async def test_a_stack_tells_other_terminals_of_itself_and_says_that_it_stops_when_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TEMPORAL_ADDRESS", "BILLHOOK_JUPITER_URL", "BILLHOOK_SMTP_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BILLHOOK_MOTIONS_FILE", str(tmp_path / "motions.toml"))
    # No part is needed to be told of.
    monkeypatch.setattr(Stack, "parts", lambda _: [])
    said: list[str] = []
    with suppress(asyncio.CancelledError):
        async with running(tmp_path, Ports.free(), said.append) as (stack, _):
            told = credentials.read(tmp_path, credentials.ADDRESSES)
            assert told["TEMPORAL_ADDRESS"] == stack.temporal_address
            assert told[credentials.MOTIONS_FILE] == str(tmp_path / "motions.toml")
            raise asyncio.CancelledError
    assert said == ["stopping"]


def test_parts_start_in_the_order_of_the_design(tmp_path: Path) -> None:
    stack = Stack(tmp_path, Ports(), Outside(), credentials.ensure(tmp_path))
    assert [part.name for part in stack.parts()] == ["temporal", "sandbox", "mail", "worker", "api"]


def test_no_secret_stands_on_a_command_line(tmp_path: Path) -> None:
    secrets = credentials.ensure(tmp_path)
    stack = Stack(tmp_path, Ports(), Outside(), secrets)
    shown = " ".join(word for part in stack.parts() for word in part.command)
    assert not [value for value in secrets.values() if value in shown]


@pytest.mark.parametrize("message_id", ["<a/../../b@x>", "<.hidden@x>", "<invoice:p:m:mail@x>"])
def test_a_message_id_never_leaves_the_mail_directory(message_id: str) -> None:
    name = file_name(message_id)
    assert "/" not in name
    assert not name.startswith(".")
    assert file_name(message_id + "2") != name


async def test_mails_are_kept_by_message_id_and_a_second_copy_shows(tmp_path: Path) -> None:
    port = Ports.free().smtp
    task = asyncio.create_task(serve(tmp_path, port))
    try:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Message-ID"] = "a@example.com", "b@example.com", "<one@billhook>"
        mail.set_content("Grüße")
        for _ in range(2):
            await _send(mail, port)
        assert sorted(await asyncio.to_thread(os.listdir, tmp_path)) == ["one@billhook.2.eml", "one@billhook.eml"]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _send(mail: EmailMessage, port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await aiosmtplib.send(mail, hostname=HOST, port=port)
            except aiosmtplib.SMTPConnectError:
                await asyncio.sleep(0)
            else:
                return
