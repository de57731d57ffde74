"""Tokens that the stack makes for itself, straight in the records: there is no call that could make the first one."""

import os
from typing import Final

from records.session import Database
from records.tokens import Scope, create_token, find_token
from settings import Settings
from starter.embedded import credentials
from starter.embedded.stack import Stack

ADMIN_NAME: Final = "admin"


def database_of(stack: Stack) -> Database:
    return Database(Settings(data_dir=stack.data_dir).database)


async def prepare_records(stack: Stack) -> str:
    """Bring the database up to date; the admin's token, made anew where the known one no longer opens anything."""
    database = database_of(stack)
    try:
        await database.upgrade()
        async with database.transaction() as session:
            known = stack.secrets.get(credentials.TOKEN)
            if known and await find_token(session, known):
                return known
            return await create_token(session, _unique(ADMIN_NAME), [Scope.ADMIN])
    finally:
        await database.close()


async def fresh_token(stack: Stack, name: str, scopes: list[Scope]) -> str:
    """A new token whose name begins with `name`, also on a data directory that has been played on before."""
    database = database_of(stack)
    try:
        async with database.transaction() as session:
            return await create_token(session, _unique(name), scopes)
    finally:
        await database.close()


def _unique(name: str) -> str:
    return f"{name}-{os.urandom(3).hex()}"
