"""What stands around a command: the running stack that its data directory belongs to."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from settings import Settings


def use_embedded_credentials() -> None:
    """What `billhook up` keeps in its data directory counts for this command too, below the environment."""
    from starter.embedded import credentials  # noqa: PLC0415 - commands load what they need when they run

    data_dir = Path(os.environ.get("BILLHOOK_DATA_DIR") or ".billhook")
    for file in (credentials.FILE_NAME, credentials.ADDRESSES):
        for name, value in credentials.read(data_dir, file).items():
            if f"{name}_FILE" not in os.environ:
                os.environ.setdefault(name, value)


def settings_here() -> "Settings":
    """The settings of that stack where one is kept here. Raises BadInput naming the one that cannot be used."""
    from settings import load_settings  # noqa: PLC0415

    use_embedded_credentials()
    return load_settings()
