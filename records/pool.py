"""Connections to the records, and what it means that none is to be had.

Whoever gets none is told so before anything was done on that session. What he did before on others stands, and so does
what he did elsewhere: to come again is right for whoever holds one session, or whose steps may all be repeated. Each
error is one of SQLAlchemy's too: who rides out a database that fails need not know them.

RecordsUnavailable       503
├── RecordsBusy
│   ├── PoolRanDry       all connections of this process are in use
│   └── ServerFull       the server lends no more to anybody
└── ServerAway           the server does not answer
"""

from typing import ClassVar, Final

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoneCameFree
from sqlalchemy.pool import AsyncAdaptedQueuePool

_TOO_MANY: Final = "53300"
# too_many_connections, of the server, the database or the role: PostgreSQL, appendix A


class RecordsUnavailable(SQLAlchemyError):
    """No connection to the records is to be had; nothing was done on that session. `str()` is fit for a caller."""

    status: ClassVar[int] = 503
    slug: ClassVar[str]

    def __init__(self, detail: str, next_step: str) -> None:
        super().__init__(f"{detail}; {next_step}")
        self.detail, self.next_step = detail, next_step


class RecordsBusy(RecordsUnavailable):
    """The records are well, and all connections to them in use."""

    slug = "database-busy"


class PoolRanDry(RecordsBusy):
    """All `most` connections of this process were in use for `wait_s` seconds."""

    def __init__(self, most: int, wait_s: float) -> None:
        super().__init__(
            f"all {most} connections of this process to our database were in use for {wait_s:g} s",
            "try again shortly; if it stays so, start another process or raise BILLHOOK_DATABASE_POOL_SIZE",
        )


class ServerFull(RecordsBusy):
    """The database server has lent all that it may."""

    def __init__(self) -> None:
        super().__init__(
            "our database takes no more connections",
            "try again shortly; if it stays so, lower BILLHOOK_DATABASE_POOL_SIZE or raise its max_connections",
        )


class ServerAway(RecordsUnavailable):
    """The database server does not answer. `orig` is what the network said."""

    slug = "database-unreachable"

    def __init__(self, orig: OSError) -> None:
        super().__init__("our database does not answer", "try again shortly; see /readyz")
        self.orig = orig


class ToldPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, which says in our words that there is nothing to lend."""

    def connect(self) -> PoolProxiedConnection:
        """Raises RecordsUnavailable."""
        try:
            return super().connect()
        except NoneCameFree as error:
            raise PoolRanDry(self.size() + self._max_overflow, self.timeout()) from error
        except OSError as error:
            raise ServerAway(error) from error
        except Exception as error:
            if getattr(error, "sqlstate", None) == _TOO_MANY:
                raise ServerFull from error
            raise
