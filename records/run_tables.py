"""The tables of monthly runs: how far each is, and what it made of every subscription.

A run's own workflow is gone with its retention, and its history names no subscription; what was skipped or refused, and
what is still on its way to its recipient, is asked of these.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Index, Text, text
from sqlmodel import Field, SQLModel

from records.tables import Utc

_ON_THE_WAY: Final = text("key IS NOT NULL AND out_at IS NULL")


class UsageRunRow(SQLModel, table=True):
    """The last run of a group's month. `run_id` tells a repeat of the same run from a run that was started again.

    `read` subscriptions up to `cursor` are closed, built and registered. `held_ms`: for so long no further ones were
    begun since as many invoices as may be were on their way.
    """

    __tablename__ = "usage_runs"

    billing_group: str = Field(primary_key=True, max_length=100)
    period: str = Field(primary_key=True, max_length=7)
    run_id: str = Field(max_length=100)
    started_by: str = Field(max_length=200)
    started_at: datetime = Field(sa_type=Utc)
    told_at: datetime = Field(sa_type=Utc)
    finished_at: datetime | None = Field(default=None, sa_type=Utc)
    expected: int
    read: int
    pages: int
    cursor: str = Field(max_length=100)
    held_ms: int = Field(sa_type=BigInteger)


class EarlierRunRow(SQLModel, table=True):
    """A run of a month that was run again since: who started it, when, and how far it came."""

    __tablename__ = "usage_runs_earlier"

    billing_group: str = Field(primary_key=True, max_length=100)
    period: str = Field(primary_key=True, max_length=7)
    run_id: str = Field(primary_key=True, max_length=100)
    started_by: str = Field(max_length=200)
    started_at: datetime = Field(sa_type=Utc)
    finished_at: datetime | None = Field(default=None, sa_type=Utc)
    expected: int
    read: int


class UsageRunOutcomeRow(SQLModel, table=True):
    """What a month's runs made of one subscription: `billed` (then with its key), `skipped` or `refused`, and why.

    `out_at`: when a run saw that the invoice was through with the invoicing API or waits for a person.
    """

    __tablename__ = "usage_run_outcomes"
    __table_args__ = (
        Index("ix_usage_run_outcomes_group", "billing_group", "period", "outcome", "subscription_id"),
        Index("ix_usage_run_outcomes_way", "key", sqlite_where=_ON_THE_WAY, postgresql_where=_ON_THE_WAY),
    )

    period: str = Field(primary_key=True, max_length=7)
    subscription_id: str = Field(primary_key=True, foreign_key="subscriptions.id", max_length=100)
    billing_group: str = Field(max_length=100)
    outcome: str = Field(max_length=10)
    reason: str = Field(sa_type=Text)
    key: str | None = Field(default=None, foreign_key="intents.key", max_length=400)
    at: datetime = Field(sa_type=Utc)
    out_at: datetime | None = Field(default=None, sa_type=Utc)
