"""A dossier from the API to a file and through the check, as a person does it on a command line."""

import os
from pathlib import Path

import pytest

from starter.cli.exits import Exit
from tests import commands
from tests.audit import paths
from tests.stack import Stack


async def _run(stack: Stack, folder: Path, *arguments: str) -> tuple[int, str, str]:
    env = os.environ | {
        "BILLHOOK_DATA_DIR": str(folder),
        "BILLHOOK_API_URL": str(stack.api.base_url),
        "BILLHOOK_TOKEN": stack.tokens["admin"],
    }
    return await commands.answer(*arguments, env=env)


@pytest.fixture
async def key(stack: Stack) -> str:
    """A billed invoice."""
    await stack.customer()
    key = await paths.automatic(stack)
    await stack.client.get_workflow_handle(key).result()
    return key


async def test_a_dossier_is_written_checked_and_once_changed_refused(stack: Stack, key: str, tmp_path: Path) -> None:
    file = tmp_path / "dossier.json"
    code, out, err = await _run(stack, tmp_path, "invoice", "dossier", key, "--out", str(file))
    assert (code, out) == (Exit.OK, ""), err
    assert file.read_bytes() == (await stack.api.get(f"/invoices/{key}/dossier")).content
    code, out, err = await _run(stack, tmp_path, "invoice", "dossier", key)
    assert out.encode() == file.read_bytes()

    check = ("invoice", "verify", str(file))
    code, out, err = await _run(stack, tmp_path, *check)
    assert code == Exit.OK, err
    assert f"{key}  whole" in out
    assert "trail head" in out
    assert "trigger      1" in out

    file.write_bytes(file.read_bytes().replace(b'"status":"billed"', b'"status":"viewed"', 1))
    code, out, err = await _run(stack, tmp_path, *check)
    assert (code, out) == (Exit.NOT_IN_ORDER, "")
    assert "entry 2 (state)" in err
    assert "was changed" in err


async def test_a_file_that_is_not_there_and_an_invoice_that_is_not_ours_are_said_so(
    stack: Stack, tmp_path: Path
) -> None:
    code, _, err = await _run(stack, tmp_path, "invoice", "verify", "nowhere.json")
    assert (code, "cannot be read" in err) == (Exit.USAGE, True)
    code, _, err = await _run(stack, tmp_path, "invoice", "dossier", "invoice:no:such")
    assert (code, "no invoice" in err) == (Exit.NOT_FOUND, True)


async def test_an_invoice_is_shown_with_lines_versions_and_calls(stack: Stack, key: str, tmp_path: Path) -> None:
    code, out, err = await _run(stack, tmp_path, "invoice", "show", key)
    assert code == Exit.OK, err
    lines = out.splitlines()
    assert "line           1 x 12500 = 12500.00: Design approved" in lines
    assert "terms          net_30" in lines
    assert [line for line in lines if line.startswith("V1             12500.00, revision ")]
    assert [line for line in lines if "milestone of" in line and "to be billed over 12,500.00 USD" in line]
