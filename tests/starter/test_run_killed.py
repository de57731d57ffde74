"""The month's run whose worker is killed with -9: what `make bench-run` measures with thousands, here with forty."""

import asyncio
import sys


async def test_a_run_whose_worker_is_killed_in_the_middle_bills_everybody_once_and_numbers_follow_one_another() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.run", "--subscriptions", "40", "--most-open", "10",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert "worker ended with code -9" in err.decode()
    assert "40 of 40" in out.decode()
