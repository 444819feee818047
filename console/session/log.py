"""The append-only, hash-chained log of one session: one JSON object a line.

`hash` is the SHA-256 of the record's canonical form without `hash`; `prev` is the hash of the
record before, 64 zeros for the first. The head of a log is the hash of its last record.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console.errors import BadInput, CouldNotRun, Refused
from console.session import files
from console.session.chain import Anchor, Fault, Head, VerifyResult, read, verify
from console.session.record import ZERO, Record, altered, parse, seal

__all__ = [
    "ZERO",
    "Anchor",
    "Fault",
    "Head",
    "Record",
    "SessionLog",
    "VerifyResult",
    "read",
    "utc_now",
    "verify",
]

SUFFIX = ".jsonl"
TORN = ".torn"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{7,63}")

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class SessionLog:
    """One session's file; when an append raises, what it announces must not happen."""

    def __init__(self, path: Path, descriptor: int, session: str, clock: Clock = utc_now) -> None:
        self.path = path
        self.session = session
        self.last: Record | None = None
        self._fd = descriptor
        self._clock = clock
        self._size = 0
        self._unusable = ""
        self._thread = threading.RLock()

    @classmethod
    def create(cls, directory: Path, session_id: str, *, clock: Clock = utc_now) -> SessionLog:
        """Start an empty log in a private folder; an existing one is refused."""
        if not _ID.fullmatch(session_id):
            raise BadInput("A session id is 8 to 64 of a-z, 0-9 and '-', not beginning with '-'.")
        path = Path(directory).absolute() / f"{session_id}{SUFFIX}"
        with files.told(f"The session log {path} cannot be created"):
            files.make_directory(path.parent)
            return cls(path, files.create(path), session_id, clock)

    @classmethod
    def open(cls, path: Path, *, clock: Clock = utc_now) -> SessionLog:
        """Open a log to go on with it; a torn last line is repaired, a broken chain is refused."""
        path = Path(path).absolute()
        with files.told(f"The session log {path} cannot be opened"):
            descriptor = files.open_for_append(path)
        log = cls(path, descriptor, path.name.removesuffix(SUFFIX), clock)
        try:
            log.refresh()
        except BaseException:
            log.close()
            raise
        return log

    @property
    def head(self) -> str:
        """The hash of the last record, 64 zeros while there is none."""
        return self.last.hash if self.last else ZERO

    @property
    def count(self) -> int:
        return self.last.seq if self.last else 0

    def append(self, kind: str, data: Mapping[str, Any], durable: bool = True) -> str:
        """Write one record, flushed to disk when durable; return the new head."""
        with self._thread, files.told(f"The session log {self.path} cannot be written"):
            self._usable()
            with files.locked(self._fd):
                self._catch_up()
                self._write(kind, data, durable)
        return self.head

    def refresh(self) -> None:
        """Take in what other processes have appended since."""
        with self._thread, files.told(f"The session log {self.path} cannot be read"):
            self._usable()
            with files.locked(self._fd):
                self._catch_up()

    def close(self) -> None:
        """Give the file back."""
        with self._thread:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _usable(self) -> None:
        if self._fd < 0:
            raise CouldNotRun(f"The session log {self.path} is closed.")
        if self._unusable:
            raise CouldNotRun(self._unusable, next_step="Leave the session and resume it.")

    def _write(self, kind: str, data: Mapping[str, Any], durable: bool) -> None:
        try:
            record, line = seal(self.last, self._clock(), self.session, kind, data)
        except (TypeError, ValueError, RecursionError) as error:
            raise CouldNotRun(f"A {kind} record cannot be logged: {error}.") from error
        try:
            files.write_all(self._fd, line)
            if durable:
                self._flush()
        except OSError:
            # Half a line, or one that may not be on the disk, must not look like a fact.
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self.last = record
        self._size += len(line)

    def _flush(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError:
            # After a failed flush the system may forget the loss: a later success proves nothing.
            self._unusable = f"The session log {self.path} could not be flushed to disk."
            raise

    def _catch_up(self) -> None:
        """Read on from where this process stopped; called under the lock."""
        info = os.fstat(self._fd)
        if not self._still_there(info):
            raise CouldNotRun(f"The session log {self.path} was deleted or replaced while in use.")
        if info.st_size < self._size:
            raise Refused(f"The session log {self.path} was cut shorter while in use.")
        if info.st_size > self._size:
            self._read_on()

    def _still_there(self, info: os.stat_result) -> bool:
        try:
            return os.path.samestat(info, self.path.stat(follow_symlinks=False))
        except FileNotFoundError:
            return False

    def _read_on(self) -> None:
        fragment = b""
        with open(self._fd, "rb", closefd=False) as stream:
            stream.seek(self._size)
            for line in stream:
                if line.endswith(b"\n"):
                    self._follow(line)
                else:
                    fragment = line
        if fragment:
            self._repair(fragment)

    def _follow(self, line: bytes) -> None:
        try:
            record = parse(line)
        except ValueError as error:
            raise self._broken(str(error)) from None
        if why := altered(record, line):
            raise self._broken(why)
        if (record.seq, record.prev) != (self.count + 1, self.head):
            raise self._broken("it does not follow the record before")
        if self.last and record.session != self.session:
            raise self._broken("it belongs to another session")
        self.session = record.session
        self.last = record
        self._size += len(line)

    def _broken(self, why: str) -> Refused:
        return Refused(
            f"The session log {self.path} has been altered: line {self.count + 1}, {why}.",
            next_step=f"Look at it with: ops-console session verify {self.session}",
        )

    def _repair(self, fragment: bytes) -> None:
        """Move a torn last line aside and say so in the next record."""
        aside = self.path.with_name(self.path.name + TORN)
        target = files.open_for_append(aside, make=True)
        try:
            offset = os.fstat(target).st_size
            files.write_all(target, fragment)
            os.fsync(target)
        finally:
            os.close(target)
        files.sync_directory(aside.parent)
        os.ftruncate(self._fd, self._size)
        digest = hashlib.sha256(fragment).hexdigest()
        told = {"bytes": len(fragment), "sha256": digest, "file": aside.name, "offset": offset}
        self._write("repaired", told, durable=True)
