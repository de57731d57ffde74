"""The tables of what is metered: subscriptions, what was used, what it adds up to, which months are closed.

The sums are kept by the transaction that stores an event (docs/decisions/0016-sums-kept-at-write.md), so the table of
events is read by nobody but who looks at single events.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index
from sqlmodel import Field, SQLModel

from records.tables import Utc


class SubscriptionRow(SQLModel, table=True):
    """A subscription and its plan; `charges` as billing/plans.py has them."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        Index("ix_subscriptions_group", "billing_group", "id"),
        Index("ix_subscriptions_customer", "customer_id", "id"),
    )

    id: str = Field(primary_key=True, max_length=100)
    customer_id: str = Field(foreign_key="customers.id", max_length=100)
    billing_group: str = Field(max_length=100)
    currency: str = Field(max_length=3)
    started_on: date
    ended_on: date | None = None
    payment_terms: str = Field(max_length=20)
    charges: list[dict[str, Any]] = Field(sa_type=JSON)
    created_at: datetime = Field(sa_type=Utc)
    updated_at: datetime = Field(sa_type=Utc)


class UsageEventRow(SQLModel, table=True):
    """What was used once, in millionths. `used_in` is the month of `at`, `billed_in` the one that bills it."""

    __tablename__ = "usage_events"
    __table_args__ = (Index("ix_usage_events_billed", "subscription_id", "billed_in"),)

    event_id: str = Field(primary_key=True, max_length=200)
    subscription_id: str = Field(foreign_key="subscriptions.id", max_length=100)
    meter: str = Field(max_length=100)
    quantity: int = Field(sa_type=BigInteger)
    at: datetime = Field(sa_type=Utc)
    used_in: str = Field(max_length=7)
    billed_in: str = Field(max_length=7)
    told_at: datetime = Field(sa_type=Utc)


class UsageTotalRow(SQLModel, table=True):
    """The sum of the events of one meter, kept in the transaction that stores them."""

    __tablename__ = "usage_totals"

    subscription_id: str = Field(primary_key=True, foreign_key="subscriptions.id", max_length=100)
    billed_in: str = Field(primary_key=True, max_length=7)
    meter: str = Field(primary_key=True, max_length=100)
    used_in: str = Field(primary_key=True, max_length=7)
    quantity: int = Field(sa_type=BigInteger)


class UsageClosingRow(SQLModel, table=True):
    """A month of a subscription that takes no more usage: its invoice is built."""

    __tablename__ = "usage_closings"

    subscription_id: str = Field(primary_key=True, foreign_key="subscriptions.id", max_length=100)
    period: str = Field(primary_key=True, max_length=7)
    closed_at: datetime = Field(sa_type=Utc)


class UsageOverageRow(SQLModel, table=True):
    """The first units over the included ones, in millionths, which an overage invoice of their own bills."""

    __tablename__ = "usage_overages"

    subscription_id: str = Field(primary_key=True, foreign_key="subscriptions.id", max_length=100)
    period: str = Field(primary_key=True, max_length=7)
    meter: str = Field(primary_key=True, max_length=100)
    quantity: int = Field(sa_type=BigInteger)
    found_at: datetime = Field(sa_type=Utc)
