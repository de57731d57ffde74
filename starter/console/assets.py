"""Static files, read once at start and served under the hash of their content: a browser keeps them for a year."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Final, Self

from fastapi import APIRouter, Request, Response

from billing.errors import NotFound

PREFIX: Final = "/desk/static/"
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_DIGITS: Final = 16

router = APIRouter()


@dataclass(frozen=True)
class Asset:
    """One file; `digest` is of its bytes."""

    digest: str
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Assets:
    """All files of the static folder, by name."""

    files: dict[str, Asset]

    @classmethod
    def load(cls) -> Self:
        """From the package. A file whose ending is not known here is not served."""
        folder = resources.files("starter.console") / "static"
        named = {file.name: file for file in folder.iterdir() if file.name.rpartition(".")[2] in _TYPES}
        return cls({name: _asset(name, file.read_bytes()) for name, file in sorted(named.items())})

    def url(self, name: str) -> str:
        """The address of a file's present content. Raises KeyError."""
        return f"{PREFIX}{self.files[name].digest}/{name}"


def _asset(name: str, body: bytes) -> Asset:
    return Asset(hashlib.sha256(body).hexdigest()[:_DIGITS], _TYPES[name.rpartition(".")[2]], body)


@router.get("/static/{path:path}")
async def static(request: Request, path: str) -> Response:
    """Another digest than the present one is another file, which is not here any more."""
    assets: Assets = request.app.state.desk.assets
    digest, _, name = path.partition("/")
    found = assets.files.get(name)
    if found is None or found.digest != digest:
        raise NotFound("no such file, or not of that content", next_step="load the page again")
    return Response(found.body, media_type=found.content_type, headers={"Cache-Control": _FOR_GOOD})
