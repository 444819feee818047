"""Reading a session log, and finding out whether its chain of hashes holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from console.errors import CouldNotRun
from console.session.files import open_for_reading, told
from console.session.record import ZERO, Record, altered, parse

FaultKind = Literal["edited", "missing", "order", "duplicate", "inserted", "broken", "anchor"]
MAX_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log stood: its number of records and the hash of the last."""

    count: int
    hash: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head that was kept somewhere else; `source` says where, the count may be unknown."""

    hash: str
    count: int | None = None
    source: str = ""

    def __str__(self) -> str:
        where = f" ({self.source})" if self.source else ""
        number = "" if self.count is None else f"record {self.count}, "
        return f"{number}{self.hash[:12]}{where}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where the chain does not hold."""

    kind: FaultKind
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What the chain shows, what it was compared with, and what it cannot show."""

    path: Path
    records: int
    head: Head
    faults: tuple[Fault, ...]
    torn_bytes: int
    anchors_compared: tuple[Anchor, ...]
    unanchored: int
    not_proven: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def sentences(self) -> tuple[str, ...]:
        """The result in words, the verdict first."""
        verdict = "The chain holds" if self.ok else "The log has been altered"
        words = [f"{verdict}: {self.records} records, head {self.head.hash[:12]}."]
        words += [fault.message for fault in self.faults]
        if self.torn_bytes:
            words.append(
                f"The last line is torn ({self.torn_bytes} bytes), as after a crash while writing; "
                "opening the session repairs it."
            )
        words += [f"Compared with the anchor {anchor}." for anchor in self.anchors_compared]
        return (*words, *self.not_proven)


def raw_lines(path: Path) -> Iterator[bytes]:
    """The file's lines, split at newline bytes only, each with its newline."""
    with told(f"{path} cannot be read"), os.fdopen(open_for_reading(path), "rb") as stream:
        yield from stream


def read(path: Path) -> Iterator[Record]:
    """The records of a log in order; a torn last line is left out."""
    for number, line in enumerate(raw_lines(Path(path)), start=1):
        if not line.endswith(b"\n"):
            return
        try:
            yield parse(line)
        except ValueError as error:
            raise CouldNotRun(
                f"{path}, line {number} is not a log record: {error}.",
                next_step=f"Look at it with: ops-console session verify {Path(path).stem}",
            ) from None


def verify(path: Path, anchors: Iterable[Anchor | tuple[int, str]] = ()) -> VerifyResult:
    """Check the whole chain, then compare it with heads that were kept elsewhere."""
    path = Path(path)
    known = [a if isinstance(a, Anchor) else Anchor(a[1], a[0]) for a in anchors]
    if known and not path.exists():
        gone = Fault("anchor", f"{path} is gone, yet an anchor knows it: {known[0]}.")
        return VerifyResult(path, 0, Head(0, ZERO), (gone,), 0, tuple(known), 0, ())
    walk = _Walk()
    torn = 0
    for number, line in enumerate(raw_lines(path), start=1):
        if line.endswith(b"\n"):
            walk.look(number, line)
        else:
            torn = len(line)
    anchored = _compare(walk, known)
    unanchored = max(0, walk.top - anchored)
    return VerifyResult(
        path=path,
        records=walk.records,
        head=Head(walk.top, walk.hash),
        faults=tuple(walk.faults[:MAX_FAULTS]),
        torn_bytes=torn,
        anchors_compared=tuple(known),
        unanchored=unanchored,
        not_proven=_not_proven(unanchored, known),
    )


@dataclass(slots=True)
class _Walk:
    """One pass over the lines; `top` and `hash` belong to the highest record that followed on."""

    records: int = 0
    top: int = 0
    hash: str = ZERO
    session: str = ""
    lost: bool = False
    hashes: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def look(self, number: int, line: bytes) -> None:
        self.records += 1
        try:
            record = parse(line)
        except ValueError as error:
            self._fault("edited", number, f"it is not a record ({error})")
            self.lost = True  # what should follow is unknown, so the next link is not judged
            return
        if why := altered(record, line):
            self._fault("edited", number, why)
        self._place(number, record)
        self.hashes.setdefault(record.hash, record.seq)

    def _place(self, number: int, record: Record) -> None:
        self.session = self.session or record.session
        if record.session != self.session:
            return self._fault("inserted", number, "it belongs to another session")
        if record.hash in self.hashes:
            return self._fault("duplicate", number, f"it repeats record {record.seq}")
        if record.seq <= self.top:
            return self._fault("order", number, f"record {record.seq} stands behind {self.top}")
        if not self.lost:
            self._link(number, record)
        self.top, self.hash, self.lost = record.seq, record.hash, False
        return None

    def _link(self, number: int, record: Record) -> None:
        if record.seq > self.top + 1:
            gap = f"records {self.top + 1} to {record.seq - 1} are missing before it"
            self._fault("missing", number, gap)
        elif record.prev != self.hash:
            self._fault("broken", number, f"record {record.seq} does not follow the one before")

    def _fault(self, kind: FaultKind, number: int, why: str) -> None:
        self.faults.append(Fault(kind, f"Line {number}: {why}.", number))


def _compare(walk: _Walk, anchors: Sequence[Anchor]) -> int:
    """Judge each anchor; give back the highest record that one of them vouches for."""
    highest = 0
    for anchor in anchors:
        found = walk.hashes.get(anchor.hash)
        if found is not None and anchor.count in (None, found):
            highest = max(highest, found)
        elif anchor.count is not None and anchor.count > walk.top:
            why = f"The end is cut off: the anchor is {anchor}, the file ends at {walk.top}."
            walk.faults.append(Fault("anchor", why))
        else:
            why = f"The anchor {anchor} is not in this file: it was rewritten, or cut before it."
            walk.faults.append(Fault("anchor", why))
    return highest


def _not_proven(unanchored: int, anchors: Sequence[Anchor]) -> tuple[str, ...]:
    if not anchors:
        return (
            "Not proven, because no anchor was given (name the target to have its ledger asked, "
            "or give --anchor COUNT:HASH): that no records are cut off at the end, "
            "and that the whole file was not rewritten.",
        )
    if unanchored:
        return (
            f"Not proven: the last {unanchored} records lie behind the newest anchor (unanchored "
            f"{unanchored} records); they could be cut off, rewritten or forged.",
        )
    return ()
