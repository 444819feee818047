"""One line of a session log: its canonical form, its hash, and what values may enter it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr

from console.secrets import Secret, redact

ZERO = "0" * 64
MASK = "***"
KEYS = frozenset({"seq", "prev", "hash", "at", "session", "kind", "data"})
_SECRET_KEY = re.compile(
    r"passw|passphrase|^pwd$|secret|api_?key|authorization|private_?key|credential", re.I
)


class Name(str):
    """A word of the program's own (a field, a verb, a step): never from outside, never blotted out.

    Without it a password such as `operator` would make the log unreadable.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One fact in a session log; `hash` covers every other field, `prev` is the hash before it."""

    seq: int
    prev: str
    hash: str
    at: datetime
    session: str
    kind: str
    data: Mapping[str, Any]


def rfc3339(moment: datetime) -> str:
    """The moment in UTC with microseconds; a moment without a zone is refused."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Read an RFC 3339 time stamp back, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold exactly, with every secret blotted out."""
    if isinstance(value, Secret | SecretStr | SecretBytes):
        return MASK
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Name | Decimal):
        return str(value)
    if isinstance(value, str | UUID | PurePath):
        return redact(str(value))
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    return _container(value)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"the number {value}")
    return value


def _container(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _object((Name(f.name), getattr(value, f.name)) for f in dataclasses.fields(value))
    if isinstance(value, BaseModel):
        return _object((Name(name), item) for name, item in value)
    if isinstance(value, Mapping):
        return _object(value.items())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    # Anything else, bytes included, could hide a secret from the filter above.
    raise TypeError(f"a value of type {type(value).__name__}")


def _object(items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in items:
        name = str(plain(key))
        if name in result:
            raise ValueError(f"two values named {name!r}")
        hidden = _SECRET_KEY.search(name) and value is not None and not isinstance(value, bool)
        result[name] = MASK if hidden else plain(value)
    return result


def canonical(fields: Mapping[str, Any]) -> bytes:
    """The one spelling of a record: ASCII, sorted keys, no spaces."""
    text = json.dumps(
        fields, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return text.encode("ascii")


def seal(
    previous: Record | None, at: datetime, session: str, kind: str, data: Mapping[str, Any]
) -> tuple[Record, bytes]:
    """Make the record that follows `previous`, and its full line."""
    fields: dict[str, Any] = {
        "seq": previous.seq + 1 if previous else 1,
        "prev": previous.hash if previous else ZERO,
        "at": rfc3339(at),
        "session": session,
        "kind": kind,
        "data": _object((Name(name), item) for name, item in data.items()),
    }
    fields["hash"] = hashlib.sha256(canonical(fields)).hexdigest()
    return _record(fields), canonical(fields) + b"\n"


def parse(line: bytes) -> Record:
    """Read one full line; `ValueError` says why it is not a record, its hash is not looked at."""
    try:
        fields = json.loads(line)
    except (RecursionError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError("not JSON") from error
    if not isinstance(fields, dict) or fields.keys() != KEYS:
        raise ValueError("not the fields of a record")
    texts = (fields[name] for name in ("prev", "hash", "at", "session", "kind"))
    if type(fields["seq"]) is not int or not all(isinstance(text, str) for text in texts):
        raise ValueError("a field of the wrong type")
    if not isinstance(fields["data"], dict):
        raise ValueError("a field of the wrong type")
    return _record(fields)


def altered(record: Record, line: bytes) -> str:
    """Say how the line differs from what its own hash covers, or nothing."""
    fields: dict[str, Any] = {name: getattr(record, name) for name in KEYS - {"hash", "at"}}
    fields["at"] = rfc3339(record.at)
    try:
        if hashlib.sha256(canonical(fields)).hexdigest() != record.hash:
            return "its content does not fit its hash"
        if canonical({**fields, "hash": record.hash}) + b"\n" != line:
            return "it is not in canonical form"
    except (ValueError, RecursionError):
        return "it is not in canonical form"
    return ""


def _record(fields: Mapping[str, Any]) -> Record:
    try:
        at = moment(fields["at"])
    except OverflowError as error:
        raise ValueError("an impossible time") from error
    return Record(
        seq=fields["seq"],
        prev=fields["prev"],
        hash=fields["hash"],
        at=at,
        session=fields["session"],
        kind=fields["kind"],
        data=fields["data"],
    )
