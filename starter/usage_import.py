"""Usage events from a file: counted in batches as if they had come over HTTP, and what is refused kept to be mended.

Nothing is held but one batch. What is counted stays counted when the import ends in its middle: the same file again
counts the rest, since each event counts once by its id.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from pydantic import BaseModel

from billing.errors import BadInput
from billing.metering import UsageEvent
from records.metering import Became, Groups, Taken
from records.session import Database
from starter.metering import MOST_EVENTS, Unusable, count, sendable
from starter.usage_file import Format, Piece, Read, event_of, pieces, read_header, read_json

LISTED: Final = 100
# Refusals that a summary names; the file of rejects has all of them.
_TALK_EVERY: Final = 20_000
# Lines; some seconds.


class Refusal(BaseModel):
    """Which line is not counted, and why."""

    line: int
    event_id: str
    field: str
    reason: str
    next_step: str


class Summary(BaseModel):
    """What became of a file: `read` is `counted` and `known` and `refused`. Empty lines are not read.

    `late` is the part of `counted` that another month bills than the one it was used in, by that month; `overages` how
    many invoices came of it; `refusals` the first of `refused`, all of which are in the file `rejects`.
    """

    read: int = 0
    counted: int = 0
    known: int = 0
    refused: int = 0
    late: Counter[str] = Counter()
    overages: int = 0
    refusals: list[Refusal] = []
    rejects: str | None = None


class Rejects(AbstractContextManager["Rejects"]):
    """Refused lines as they stood, under the header that they stood under; no file where there are none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: bytes = b""
        self._file: BinaryIO | None = None
        self._ends = True

    def write(self, piece: Piece) -> None:
        """Raises BadInput where it cannot be written, and rather than to write over what waits to be mended."""
        try:
            if self._file is None:
                self._file = self.path.open("xb")
                self._file.write(self.header)
            self._file.write(b"\n" + piece.content if piece.begins and not self._ends else piece.content)
        except OSError as error:
            step = "name another file with --rejects; what is counted is not counted again"
            raise BadInput("rejects", f"{self.path} cannot be written: {error.strerror}", step) from error
        self._ends = piece.content.endswith(b"\n")

    def flush(self) -> None:
        """So that what is counted and what is refused reach as far."""
        if self._file is not None:
            self._file.flush()

    @property
    def is_used(self) -> bool:
        return self._file is not None

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


class Entry(NamedTuple):
    """A line, and what it says."""

    piece: Piece
    event: UsageEvent | Unusable


class Importer:
    """One file's way into the records. `say` is told how far it is."""

    def __init__(self, database: Database, groups: Groups, rejects: Rejects, say: Callable[[str], None]) -> None:
        self._database, self._groups, self._rejects, self._say = database, groups, rejects, say
        self._summary, self._done, self._tell_at = Summary(), 0, _TALK_EVERY

    async def run(self, file: BinaryIO, written: Format) -> Summary:
        """Raises BadInput on a header that is none, and whatever the database or the file of rejects raises."""
        found = pieces(file)
        read = self._header(found) if written is Format.CSV else read_json
        try:
            await self._all(found, read)
        except BaseException:
            self._say(f"ended behind line {self._done:,}: what it says up to there is counted, or among the rejects")
            raise
        if self._rejects.is_used:
            self._summary.rejects = sendable(str(self._rejects.path))
        return self._summary

    def _header(self, found: Iterator[Piece]) -> Read:
        header = next(found, None)
        read = read_header(header)
        if header is not None:
            self._rejects.header = header.content.removesuffix(b"\n") + b"\n"
        return read

    async def _all(self, found: Iterator[Piece], read: Read) -> None:
        batch: list[Entry] = []
        for piece in found:
            if piece.begins and len(batch) == MOST_EVENTS:
                await self._count(batch)
                batch = []
            if piece.begins and not piece.is_whole:
                await self._count([*batch, Entry(piece, event_of(piece, read))])
                batch = []
            elif not piece.begins:
                self._rejects.write(piece)
            elif not piece.is_blank:
                batch.append(Entry(piece, event_of(piece, read)))
        await self._count(batch)

    async def _count(self, batch: list[Entry]) -> None:
        if not batch:
            return
        answers, overages = await count(self._database, self._groups, [entry.event for entry in batch])
        for entry, answer in zip(batch, answers, strict=True):
            self._note(entry.piece, answer)
        self._rejects.flush()
        self._summary.overages += len(overages)
        self._done = batch[-1].piece.line
        if self._summary.read >= self._tell_at:
            self._say(f"{self._summary.read:,} read, {self._summary.refused:,} refused")
            self._tell_at = self._summary.read + _TALK_EVERY

    def _note(self, piece: Piece, answer: Taken) -> None:
        told = self._summary
        told.read += 1
        told.counted += answer.status in {Became.CREATED, Became.LATE}
        told.known += answer.status is Became.KNOWN
        if answer.status is Became.LATE and answer.period:
            told.late[answer.period] += 1
        if answer.status is Became.REFUSED:
            self._rejects.write(piece)
            told.refused += 1
            if told.refused <= LISTED:
                told.refusals.append(_refusal(piece.line, answer))


def _refusal(line: int, answer: Taken) -> Refusal:
    return Refusal(
        line=line, event_id=answer.event_id, field=answer.field, reason=answer.reason, next_step=answer.next_step
    )
