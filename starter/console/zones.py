"""In which zone a reader sees times: what he chose, kept in a cookie of his browser, else what the settings say."""

from typing import Final
from zoneinfo import ZoneInfo, available_timezones

FALLBACK: Final = "UTC"
_REGIONS: Final = frozenset(
    ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
)
ZONES: Final = frozenset(available_timezones())


def zone_named(*names: str | None) -> ZoneInfo:
    """The first of `names` that is a zone; a cookie may hold anything."""
    known = next((name for name in names if name in ZONES), FALLBACK)
    return ZoneInfo(known)


def choices() -> list[str]:
    """What a person can choose from: places by their region, without `US/Eastern` and its like that stand for one."""
    return [*sorted(name for name in ZONES if name.partition("/")[0] in _REGIONS and "/" in name), FALLBACK]
