"""Everything one running sandbox consists of, joined once."""

from sandbox.config import SandboxConfig
from sandbox.endpoints import subscribe_from_start
from sandbox.faults import FaultBox
from sandbox.idempotency import Once
from sandbox.invoices import Invoices
from sandbox.outbox import Outbox
from sandbox.recipient import RecipientDesk
from sandbox.store import Store
from sandbox.webhooks import Courier


class Parts:
    """The composition root: the store and whatever works on it."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.faults = FaultBox()
        self.store = Store(config.database)
        self.outbox = Outbox(self.faults)
        self.invoices = Invoices(config, self.outbox)
        self.desk = RecipientDesk(self.outbox)
        self.once = Once(self.store, self.faults, config.idempotency_ttl_s)

    async def start(self) -> None:
        """Subscribe the endpoint given at start and begin to deliver."""
        self.courier = Courier(self.store, self.config)
        self.outbox.wake = self.courier.wake
        if self.config.webhook_url:
            with self.store.transaction() as tx:
                subscribe_from_start(tx, self.config.webhook_url, self.config.webhook_secret)
        self.once.sweep()
        await self.courier.start()

    async def stop(self) -> None:
        """Stop delivering; what is owed stays in the file."""
        await self.courier.stop()
        self.store.close()
