"""The check of the locks that `make check` runs finds what must not stand in one."""

import pytest

from tests.locks import LOCKS, faults, main

_HASH = "--hash=sha256:" + "0" * 64


def test_every_entry_of_our_locks_is_pinned_and_hashed() -> None:
    assert len(list(LOCKS.glob("*.lock"))) == 2
    assert main() == 0


def test_pinned_packages_with_their_hashes_are_in_order() -> None:
    marked = f"colorama==0.4.6 ; sys_platform == 'win32' \\\n    {_HASH}\n"
    assert (
        list(faults(f"httpx==0.28.1 \\\n    {_HASH} \\\n    {_HASH}\npsycopg[c]==3.1 \\\n    {_HASH}\n{marked}")) == []
    )


@pytest.mark.parametrize(
    "text",
    [
        "httpx==0.28.1\n",
        f"httpx>=0.28 \\\n    {_HASH}\n",
        f"httpx==0.* \\\n    {_HASH}\n",
        f"httpx \\\n    {_HASH}\n",
        "httpx==0.28.1 \\\n    --hash=md5:00\n",
        f"httpx @ git+https://git.example/httpx \\\n    {_HASH}\n",
        "-e git+https://git.example/httpx\n",
        "--extra-index-url https://index.example\n",
        f"httpx==0.28.1 \\\n    {_HASH}\nh11==0.16\n",
    ],
)
def test_what_is_not_pinned_hashed_and_ours_is_found(text: str) -> None:
    assert len(list(faults(text))) == 1
