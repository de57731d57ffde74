"""What deploy/Dockerfile puts into the image: the package as a wheel, which must hold all that runs."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CODE: Final = (
    *("billing", "workflows", "activities", "connectors", "records", "starter", "sandbox", "audit", "examples"),
)


def test_the_wheel_holds_every_file_of_the_packages_and_no_test(tmp_path: Path) -> None:
    built = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {
        str(file.relative_to(ROOT))
        for package in CODE
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert (files | {"worker.py", "settings.py"}) - held == set()
    assert not [name for name in held if name.startswith(("tests/", "bench/"))]


def test_the_image_is_built_in_two_stages_and_runs_as_nobody_of_note() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    stages = [at for at, line in enumerate(lines) if line.startswith("FROM ")]
    assert len(stages) == 2
    last = lines[stages[-1] :]
    assert [line for line in last if line.startswith("USER ")] == ["USER 10001"]
    assert not [line for line in last if "pip " in line]
