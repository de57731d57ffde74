"""What SQLite and PostgreSQL spell differently about time and JSON, for the questions of a dashboard."""

from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, column, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.selectable import CTE


def day_of(s: AsyncSession, at: ColumnElement[Any]) -> ColumnElement[str]:
    """The UTC day of a time, as `2026-11-02`."""
    if _is_postgresql(s):
        return func.to_char(func.timezone("UTC", at), "YYYY-MM-DD")
    return func.strftime("%Y-%m-%d", at)


def week_of(s: AsyncSession, at: ColumnElement[Any]) -> ColumnElement[str]:
    """The Monday of its UTC week, as `2026-11-02`."""
    if _is_postgresql(s):
        return func.to_char(func.date_trunc("week", func.timezone("UTC", at)), "YYYY-MM-DD")
    # The next Sunday, or this day if it is one, and back to the Monday before it.
    return func.date(at, "weekday 0", "-6 days")


def seconds_between(s: AsyncSession, begins: ColumnElement[Any], ends: ColumnElement[Any]) -> ColumnElement[Any]:
    """From the one to the other, with fractions."""
    if _is_postgresql(s):
        return func.date_part("epoch", ends) - func.date_part("epoch", begins)
    return (func.julianday(ends) - func.julianday(begins)) * 86400.0


def reason_rules(s: AsyncSession, assessed: CTE) -> Select[Any]:
    """(key, rule) for every reason of the assessments in `assessed`, which has `key` and `body`."""
    if _is_postgresql(s):
        each = func.json_array_elements(assessed.c.body["reasons"]).table_valued(column("value", JSON), name="each")
        rule: ColumnElement[Any] = each.c.value["rule"].as_string()
    else:
        each = func.json_each(assessed.c.body, "$.reasons").table_valued(column("value"), name="each")
        rule = func.json_extract(each.c.value, "$.rule")
    return select(assessed.c.key, rule.label("rule")).select_from(assessed.join(each, true()))


def _is_postgresql(s: AsyncSession) -> bool:
    return s.get_bind().dialect.name == "postgresql"
