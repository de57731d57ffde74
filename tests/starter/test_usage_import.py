"""A file of usage: every line counted once or refused by name and kept, in memory that does not grow with the file."""

import io
import json
import os
import tracemalloc
from pathlib import Path

import pytest
import pytest_asyncio

from billing.errors import BadInput
from records.session import Database
from starter.usage_file import MOST_LINE, Format, pieces, read_header
from starter.usage_import import LISTED, Importer, Rejects, Summary
from tests.postgres import postgres_server, postgres_url
from tests.records.conftest import database_url, db, empty
from tests.records.metered import GROUPS, OVERAGE, close, drift, used, with_subscription

__all__ = ["database_url", "db", "empty", "postgres_server", "postgres_url"]

HEADER = "event_id,subscription_id,meter,quantity,at\n"
AT = "2026-10-14T12:00:00Z"


@pytest_asyncio.fixture(autouse=True)
async def subscribed(db: Database) -> None:
    """One subscription to count for."""
    await with_subscription(db)


def line(name: str, quantity: str = "1", at: str = AT, meter: str = "api") -> str:
    return f"{name},sub_1,{meter},{quantity},{at}\n"


def jsonl(name: str, quantity: object = "1", at: str = AT) -> str:
    body = {"event_id": name, "subscription_id": "sub_1", "meter": "api", "quantity": quantity, "at": at}
    return json.dumps(body) + "\n"


async def imported(db: Database, content: str | bytes, folder: Path, written: Format = Format.CSV) -> Summary:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    with Rejects(folder / "rejected") as rejects:
        return await Importer(db, GROUPS, rejects, lambda _: None).run(file, written)


async def total(db: Database, period: str = "2026-10") -> str:
    found = (await used(db, period)).get("api")
    async with db.session() as s:
        assert await drift(s) == []
    return "0" if found is None else f"{found.used.normalize():f}"


@pytest.mark.parametrize("written", list(Format))
async def test_each_event_counts_once_however_often_the_file_is_imported(
    db: Database, tmp_path: Path, written: Format
) -> None:
    rows = [(f"e{number}", "0.25") for number in range(2_500)] + [("e7", "0.25")]
    content = HEADER if written is Format.CSV else ""
    content += "".join((line if written is Format.CSV else jsonl)(*row) for row in rows)
    first = await imported(db, content, tmp_path, written)
    again = await imported(db, content, tmp_path, written)
    assert (first.read, first.counted, first.known, first.refused) == (2_501, 2_500, 1, 0)
    assert (again.read, again.counted, again.known, again.refused) == (2_501, 0, 2_501, 0)
    assert await total(db) == "625"
    assert (first.rejects, "rejected" in os.listdir(tmp_path)) == (None, False)


async def test_a_refused_line_stops_none_and_can_be_mended_and_sent_again(db: Database, tmp_path: Path) -> None:
    bad = [line("b", "1,5"), line("c", meter="cpu"), line("d", "x"), "e,sub_1\n", line("f", at="yesterday")]
    told = await imported(db, HEADER + line("a") + "".join(bad) + line("g"), tmp_path)
    assert (told.read, told.counted, told.refused) == (7, 2, 5)
    assert [(one.line, one.event_id, one.field) for one in told.refusals] == [
        (3, "", "line"), (4, "c", "meter"), (5, "d", "quantity"), (6, "", "line"), (7, "f", "at"),
    ]  # fmt: skip
    rejected = (tmp_path / "rejected").read_text()
    assert rejected == HEADER + "".join(bad)
    mended = rejected.replace("1,5", "1.5").replace("cpu", "api").replace(",x,", ",2,")
    mended = mended.replace("e,sub_1\n", line("e")).replace("yesterday", AT)
    (tmp_path / "again").mkdir()
    assert (await imported(db, mended, tmp_path / "again")).counted == 5
    assert await total(db) == "8.5"


async def test_what_comes_late_is_counted_and_said_into_which_month(db: Database, tmp_path: Path) -> None:
    await close(db, "2026-09")
    await close(db, "2026-10")
    told = await imported(db, HEADER + line("a") + line("b", at="2026-09-02T00:00:00Z") + line("c"), tmp_path)
    assert (told.counted, dict(told.late)) == (3, {"2026-11": 3})
    assert await total(db, "2026-11") == "3"


async def test_an_overage_that_a_file_comes_to_is_registered_once(db: Database, tmp_path: Path) -> None:
    await with_subscription(db, charges=[OVERAGE])
    content = HEADER + "".join(line(f"e{number}", "0.2") for number in range(1_500))
    assert (await imported(db, content, tmp_path)).overages == 1
    assert (await imported(db, content, tmp_path)).overages == 0


CSV_FORMS = {
    "byte order mark": b"\xef\xbb\xbf" + (HEADER + line("a")).encode(),
    "CRLF": (HEADER + line("a")).replace("\n", "\r\n").encode(),
    "quoted": HEADER.encode() + f'"a","sub_1","api","1","{AT}"\n'.encode(),
    "a comma in quotes": HEADER.encode() + f'"a,""b""",sub_1,api,1,{AT}\n'.encode(),
    "another order": f"at,quantity,meter,subscription_id,event_id\n{AT},1,api,sub_1,a\n".encode(),
    "no end of line at the end": (HEADER + line("a")).rstrip().encode(),
    "empty lines": (HEADER + "\n\r\n" + line("a") + "\n").encode(),
}


async def test_csv_is_read_as_programs_write_it(db: Database, tmp_path: Path) -> None:
    for name, content in CSV_FORMS.items():
        told = await imported(db, content, tmp_path)
        assert (told.read, told.refused) == (1, 0), (name, told)
    assert await total(db) == "2"


HEADERS = {
    "empty": ("", "the file is empty"),
    "none": (line("a"), "does not name event_id, subscription_id, meter, quantity, at"),
    "one is missing": (HEADER.replace(",quantity", ""), "does not name quantity"),
    "other separators": (HEADER.replace(",", ";"), "does not name event_id"),
    "one too many": ("amount," + HEADER, "it names 'amount', which is no field"),
    "one twice": ("at," + HEADER, "it names 'at', twice"),
    "no UTF-8": (HEADER.encode("utf-16"), "no UTF-8"),
    "too long": ("a" * 2 * MOST_LINE, "longer than"),
}


@pytest.mark.parametrize(("content", "words"), HEADERS.values(), ids=HEADERS.keys())
def test_a_wrong_header_is_refused_by_what_it_lacks(content: str | bytes, words: str) -> None:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BadInput, match=words) as refused:
        read_header(next(pieces(file), None))
    assert refused.value.next_step


async def test_under_a_wrong_header_nothing_counts(db: Database, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not name quantity"):
        await imported(db, HEADER.replace("quantity", "amount") + line("a"), tmp_path)
    assert await total(db) == "0"


HOSTILE_JSON = {
    "no JSON": (b"{", "line"),
    "NaN": (jsonl("x").replace('"1"', "NaN").encode(), "line"),
    "infinity": (jsonl("x").replace('"1"', "-Infinity").encode(), "line"),
    "a number": (jsonl("x", 1.5).encode(), "quantity"),
    "a huge number": (jsonl("x").replace('"1"', "9" * 5_000).encode(), "line"),
    "a huge exponent": (jsonl("x").replace('"1"', "1e999").encode(), "quantity"),
    "a huge quantity": (jsonl("x", "9" * 15).encode(), "quantity"),
    "an exponent": (jsonl("x", "1e5").encode(), "quantity"),
    "negative": (jsonl("x", "-1").encode(), "quantity"),
    "a name twice": (jsonl("x").replace('"meter"', '"quantity": "5", "meter"').encode(), "quantity"),
    "a list": (b"[]", "body"),
    "nothing": (b"null", "body"),
    "nested deeply": (b"[" * 10_000, "line"),
    "no UTF-8": (b'{"event_id": "\xff"}', "line"),
    "half of a letter": (jsonl("\ud800").encode(), "event_id"),
    "a NUL": (jsonl("a\x00b").encode(), "event_id"),
    "too long": (jsonl("x" * 3 * MOST_LINE).encode(), "line"),
    "other fields": (b'{"price": 1}', "event_id"),
    "year 0": (jsonl("x", at="0000-01-01T00:00:00Z").encode(), "at"),
    "year 1": (jsonl("x", at="0001-01-01T00:00:00Z").encode(), "at"),
    "before year 1 in UTC": (jsonl("x", at="0001-01-01T00:00:00+12:00").encode(), "at"),
    "after year 9999 in UTC": (jsonl("x", at="9999-12-31T23:59:59-12:00").encode(), "at"),
    "the last second": (jsonl("x", at="9999-12-31T23:59:59Z").encode(), "at"),
    "no zone": (jsonl("x", at="2026-10-14T12:00:00").encode(), "at"),
    "yet to come": (jsonl("x", at="2999-10-14T12:00:00Z").encode(), "at"),
}


async def test_a_hostile_line_is_refused_by_field_kept_whole_and_stops_nothing(db: Database, tmp_path: Path) -> None:
    hostile = b"".join(content.rstrip(b"\n") + b"\n" for content, _ in HOSTILE_JSON.values()).rstrip(b"\n")
    content = jsonl("a").encode() + hostile + b"\n" + jsonl("b").encode() + hostile
    told = await imported(db, content, tmp_path, Format.JSONL)
    fields = [field for _, field in HOSTILE_JSON.values()]
    assert (told.counted, told.refused) == (2, 2 * len(fields))
    assert [one.field for one in told.refusals] == 2 * fields
    assert [one.line for one in told.refusals[: len(fields)]] == list(range(2, 2 + len(fields)))
    assert (tmp_path / "rejected").read_bytes() == hostile + b"\n" + hostile


async def test_a_quote_that_nobody_closes_costs_its_own_line(db: Database, tmp_path: Path) -> None:
    told = await imported(db, HEADER + f'"x,sub_1,api,1,{AT}\n' + line("a") + line("b"), tmp_path)
    assert (told.counted, [(one.line, one.field) for one in told.refusals]) == (2, [(2, "line")])


async def test_a_file_of_rejects_is_never_written_over(db: Database, tmp_path: Path) -> None:
    (tmp_path / "rejected").write_text("waits to be mended")
    with pytest.raises(BadInput, match="rejects"):
        await imported(db, HEADER + line("a") + line("b", "x"), tmp_path)
    assert (tmp_path / "rejected").read_text() == "waits to be mended"
    assert await total(db) == "1"


async def test_an_import_that_ends_in_its_middle_is_ended_by_importing_again(db: Database, tmp_path: Path) -> None:
    class Breaks(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 100_000:
                raise InterruptedError("the disk was pulled out")
            return super().readline(size)

    content = HEADER + "".join(line(f"e{number}") for number in range(3_500))
    said: list[str] = []
    with pytest.raises(InterruptedError), Rejects(tmp_path / "rejected") as rejects:
        await Importer(db, GROUPS, rejects, said.append).run(Breaks(content.encode()), Format.CSV)
    counted = int(await total(db))
    assert 0 < counted < 3_500
    assert said == [f"ended behind line {counted + 1:,}: what it says up to there is counted, or among the rejects"]
    told = await imported(db, content, tmp_path)
    assert (told.known, told.counted, await total(db)) == (counted, 3_500 - counted, "3500")


async def test_memory_does_not_grow_with_the_file_nor_with_what_is_refused(db: Database, tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        """So many lines that are refused, none of which is ever held."""

        def __init__(self, lines: int) -> None:
            self.left = lines

        def readline(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            return b'{"event_id": "%d", "quantity": 1}\n' % self.left if self.left >= 0 else b""

    async def peak(lines: int) -> int:
        tracemalloc.start()
        try:
            with Rejects(tmp_path / f"rejected_{lines}") as rejects:
                told = await Importer(db, GROUPS, rejects, lambda _: None).run(Endless(lines), Format.JSONL)  # type: ignore[arg-type]
            assert (told.refused, len(told.refusals)) == (lines, LISTED)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    await peak(1_001)
    assert await peak(5_000) < 1.5 * await peak(2_000)
