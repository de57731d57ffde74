"""The desk's cookies and how they are set: sent back to the desk alone, and to nothing that a page runs."""

from dataclasses import dataclass
from typing import Final

PATH: Final = "/desk"
SESSION: Final = "billhook_desk"
FLASH: Final = "billhook_desk_flash"
ZONE: Final = "billhook_desk_zone"
OIDC: Final = "billhook_desk_oidc"
_YEAR_S: Final = 365 * 24 * 3600


@dataclass(frozen=True)
class Baker:
    """`secure`: the desk is reached by https, and its cookies travel by nothing else."""

    secure: bool

    def bake(self, name: str, value: str, max_age_s: int | None = None) -> str:
        """A Set-Cookie header; `value` has no space, comma or semicolon. Without an age it ends with the browser.

        Lax, since who comes back from an OpenID provider comes from another site, and must bring his cookie.
        """
        parts = [f"{name}={value}", f"Path={PATH}", "HttpOnly", "SameSite=Lax"]
        if max_age_s is not None:
            parts.append(f"Max-Age={max_age_s}")
        return "; ".join([*parts, "Secure"] if self.secure else parts)

    def keep(self, name: str, value: str) -> str:
        """The same for a wish that outlives a session."""
        return self.bake(name, value, _YEAR_S)

    def forget(self, name: str) -> str:
        """The header that takes it away."""
        return self.bake(name, "", 0)
