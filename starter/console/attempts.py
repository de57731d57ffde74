"""How often one address may try to sign in. In memory: it slows guessing down, what stops it is 256 bits of token."""

import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import ClassVar, Final

from billing.errors import BillhookError
from starter.http.rates import network_of

TRIES: Final = 10
WINDOW_S: Final = 300.0
# A person who pastes the wrong thing does so twice; a script is slowed to two tries a minute.
_ADDRESSES: Final = 10_000
# Beyond that the one seen longest ago is forgotten.


class TooManyAttempts(BillhookError):
    """This address tried too often; `retry_after_s` is when the next try counts."""

    status: ClassVar[int] = 429
    slug: ClassVar[str] = "too-many-attempts"

    def __init__(self, wait_s: float) -> None:
        self.retry_after_s = math.ceil(wait_s)
        super().__init__(
            "too many attempts to sign in from this address", next_step=f"try again in {int(wait_s // 60) + 1} minutes"
        )


class Attempts:
    """`clock` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[str, list[float]] = OrderedDict()

    def count(self, address: str) -> None:
        """One more try. Raises TooManyAttempts, and then counts none."""
        now, network = self._clock(), network_of(address)
        tries = [at for at in self._tries.get(network, []) if now - at < WINDOW_S]
        if len(tries) >= TRIES:
            raise TooManyAttempts(WINDOW_S - (now - tries[0]))
        self._tries[network] = [*tries, now]
        self._tries.move_to_end(network)
        if len(self._tries) > _ADDRESSES:
            self._tries.popitem(last=False)

    def forgive(self, address: str) -> None:
        """The last try was a good one."""
        tries = self._tries.get(network_of(address))
        if tries:
            tries.pop()
