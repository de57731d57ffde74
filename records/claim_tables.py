"""The table of claims: which dispatcher has which invoice's events in hand at this moment."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from records.tables import Utc


class ClaimRow(SQLModel, table=True):
    """While it stands nobody but `holder` signals what `name` (an invoice's key, or a lane that no invoice claims) is
    due. It ends with its deletion or at `until`, whichever comes first."""

    __tablename__ = "dispatch_claims"

    name: str = Field(primary_key=True, max_length=500)
    holder: str = Field(max_length=40)
    since: datetime = Field(sa_type=Utc)
    until: datetime = Field(sa_type=Utc)
