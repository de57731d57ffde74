"""The seeds that once found something, for the short versions to play again."""

import tomllib
from pathlib import Path
from typing import Final

_KEPT: Final = Path(__file__).with_name("seeds.toml")


def kept(drill: str) -> list[int]:
    """Those of one drill, in the order in which they were kept."""
    return [int(seed) for seed in tomllib.loads(_KEPT.read_text()).get(drill, {})]
