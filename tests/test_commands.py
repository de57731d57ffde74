"""Commands that tests fork: one that hangs holds up nobody."""

import os
import subprocess
from pathlib import Path

import pytest

from tests import commands


def test_a_command_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """Nobody ever writes into the pipe that it reads."""
    nobody = tmp_path / "policy.toml"
    os.mkfifo(nobody)
    with pytest.raises(subprocess.TimeoutExpired, match="'policy', 'check'"):
        commands.run("policy", "check", str(nobody), patience_s=0.5)
    assert commands.run("fields").returncode == 0
