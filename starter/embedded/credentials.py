"""`DATA_DIR/credentials.env`: what the stack made up for itself, for its owner alone, and used again next time."""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from billing.errors import Unreadable

FILE_NAME: Final = "credentials.env"
ADDRESSES: Final = "addresses.env"
# Apart from the secrets: whoever sources those must not point the next `up` at this one's own sandbox.
WEBHOOK_SECRETS: Final = "BILLHOOK_WEBHOOK_SECRETS"
API_KEY: Final = "BILLHOOK_JUPITER_API_KEY"
SESSION_SECRET: Final = "BILLHOOK_SESSION_SECRET"  # noqa: S105 - a variable's name
TOKEN: Final = "BILLHOOK_TOKEN"  # noqa: S105 - a variable's name
API_URL: Final = "BILLHOOK_API_URL"
MOTIONS_FILE: Final = "BILLHOOK_MOTIONS_FILE"
POLICY_FILE: Final = "BILLHOOK_POLICY_FILE"


def read(data_dir: Path, name: str = FILE_NAME) -> dict[str, str]:
    """The file's variables; empty when there is none. Raises Unreadable naming the file."""
    path = data_dir / name
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        step = "correct it, or set BILLHOOK_DATA_DIR to where `billhook up` keeps its data directory"
        raise Unreadable(name, path, error, step) from None
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def write(data_dir: Path, values: Mapping[str, str], name: str = FILE_NAME) -> None:
    """Replace the file at once, mode 600 from its first byte."""
    path, fresh = data_dir / name, data_dir / f"{name}.new"
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as text:
        text.write("# Written by `billhook up` for this data directory.\n")
        text.writelines(f"{name}={value}\n" for name, value in values.items())
        text.flush()
        os.fsync(text.fileno())
    fresh.replace(path)


def ensure(data_dir: Path) -> dict[str, str]:
    """The file's variables, with the webhook secret, the API key and the desk's secret made where they were missing.

    Raises BadInput where the folder or the file cannot be used.
    """
    from settings import make_folder, no_folder  # noqa: PLC0415 - who only reads needs no settings

    make_folder(data_dir)
    known = read(data_dir)
    made = {
        WEBHOOK_SECRETS: _webhook_secret(),
        API_KEY: f"jk_live_{secrets.token_hex(16)}",
        SESSION_SECRET: secrets.token_urlsafe(32),
    }
    values = {**made, **{name: value for name, value in known.items() if value}}
    if values != known:
        try:
            write(data_dir, values)
        except OSError as error:
            raise no_folder(data_dir, error) from error
    return values


def _webhook_secret() -> str:
    # Standard Webhooks: 24 to 64 random bytes, base64, behind the prefix.
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
