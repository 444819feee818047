"""Records and their spelling: chained, exact, and without secrets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from console.errors import CouldNotRun
from console.secrets import Secret
from console.session.log import ZERO, SessionLog, verify
from console.session.record import canonical, parse, plain, seal
from tests.unit.session_kit import ID, filled, log

__all__ = ["log"]

AT = datetime(2026, 2, 8, 2, 14, 9, 123456, tzinfo=UTC)


def test_every_record_names_the_hash_of_the_one_before(log: SessionLog) -> None:
    """A reader with nothing but a JSON library and SHA-256 can follow the chain."""
    lines = filled(log)
    before = ZERO
    for number, line in enumerate(lines, start=1):
        fields = json.loads(line)
        assert (fields["seq"], fields["prev"], fields["session"]) == (number, before, ID)
        before = fields.pop("hash")
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == before
    assert (log.count, log.head) == (len(lines), before)


def test_a_log_is_gone_on_with_after_opening_it_again(log: SessionLog) -> None:
    """Opening finds the head; the chain runs through."""
    filled(log)
    log.close()
    again = SessionLog.open(log.path)
    head = again.append("note", {"text": "later"})
    result = verify(log.path)
    assert result.ok
    assert (result.records, result.head.hash) == (7, head)
    again.close()


def test_time_stamps_are_utc_with_microseconds(tmp_path: Path) -> None:
    """One spelling of a moment, whatever the clock's fraction."""
    log = SessionLog.create(tmp_path, ID, clock=lambda: AT.replace(microsecond=0))
    log.append("note", {})
    assert json.loads(log.path.read_bytes())["at"] == "2026-02-08T02:14:09.000000Z"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.text(st.characters(categories=["Cs", "Cc", "Zl", "Zp", "Cf"]))
    | st.decimals(allow_nan=False)
    | st.uuids(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_a_line_has_exactly_one_spelling(data: dict[str, object]) -> None:
    """Reading a line and writing it again gives the same bytes, one line, ASCII only."""
    record, line = seal(None, AT, ID, "note", data)
    assert line.isascii()
    assert len(line.splitlines()) == line.count(b"\n") == 1
    assert len(line[:-1].decode().splitlines()) == 1
    again = parse(line)
    assert canonical(json.loads(line)) + b"\n" == line
    assert (again.hash, again.at, again.prev) == (record.hash, AT, ZERO)


@dataclass(frozen=True)
class Thing:
    amount: Decimal
    at: datetime
    id: UUID


def test_values_keep_their_exact_spelling() -> None:
    """Money is text, moments are UTC, dataclasses are objects."""
    thing = Thing(Decimal("1284.10"), AT, UUID(int=7))
    assert plain({"thing": thing, "path": Path("a/b"), "many": {2, 1}}) == {
        "thing": {
            "amount": "1284.10",
            "at": "2026-02-08T02:14:09.123456Z",
            "id": "00000000-0000-0000-0000-000000000007",
        },
        "path": "a/b",
        "many": [1, 2],
    }


@pytest.mark.parametrize(
    "value",
    [b"raw", object(), float("nan"), float("inf"), datetime(2026, 2, 8), {"a": {1: 0, "1": 1}}],
    ids=["bytes", "object", "nan", "infinity", "no-zone", "equal-keys"],
)
def test_a_value_that_cannot_be_logged_stops_the_action(log: SessionLog, value: object) -> None:
    """What has no exact spelling is refused before anything is written."""
    with pytest.raises(CouldNotRun, match="cannot be logged"):
        log.append("note", {"value": value})
    assert log.path.read_bytes() == b""


def test_no_secret_reaches_the_file(log: SessionLog) -> None:
    """By type, by known value, by shape and by the name of the field."""
    canary = "kanarienvogel-71"
    log.append(
        "note",
        {
            "typed": Secret(canary),
            "settings": SecretStr(canary),
            "text": f"connection to host failed: password={canary} rejected",
            "url": f"postgresql://ops:{canary}@db/billing",
            "keys": {f"key {canary}": 1},
            "nested": [{"deep": (f"x{canary}x",)}],
            "password": "unknown-canary",
            "pgpassword": "unknown-canary",
            "other": "postgresql://ops:unknown-canary@db/billing",
        },
    )
    assert b"canary" not in log.path.read_bytes()
    assert canary.encode() not in log.path.read_bytes()


def test_what_identifies_a_plan_survives_the_filter() -> None:
    """A digest, a token, a run id and a UUID are no secrets."""
    digest = hashlib.sha256(b"plan").hexdigest()
    for text in (digest, f"1284/41207.55/{digest[:8]}", "manual-20260208-fix42", str(UUID(int=9))):
        assert plain({"token": text, "digest": text}) == {"token": text, "digest": text}
