"""What the chain of a session log shows, and what only an anchor shows."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.errors import CouldNotRun, Refused
from console.session.log import Anchor, SessionLog, verify
from console.session.record import canonical, parse, seal
from tests.unit.session_kit import ID, filled, log

__all__ = ["log"]

AT = datetime(2026, 2, 8, 2, 14, 9, 123456, tzinfo=UTC)


# The attacks of someone who can edit the file.


def edit(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"number 2", b"number 9"), *lines[3:]]


def edit_with_own_hash(lines: list[bytes]) -> list[bytes]:
    fields = json.loads(edit(lines)[2])
    del fields["hash"]
    fields["hash"] = hashlib.sha256(canonical(fields)).hexdigest()
    return [*lines[:2], canonical(fields) + b"\n", *lines[3:]]


def edit_spelling(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'":"', b'": "', 1), *lines[3:]]


def delete(lines: list[bytes]) -> list[bytes]:
    return lines[:2] + lines[3:]


def delete_first(lines: list[bytes]) -> list[bytes]:
    return lines[1:]


def swap(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


def duplicate(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[2], *lines[3:]]


def duplicate_last(lines: list[bytes]) -> list[bytes]:
    return [*lines, lines[-1]]


def insert_forged(lines: list[bytes]) -> list[bytes]:
    _, forged = seal(parse(lines[1]), AT, ID, "note", {"text": "forged"})
    return [*lines[:2], forged, *lines[2:]]


def insert_garbage(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], b"\n", *lines[2:]]


def insert_other_session(lines: list[bytes]) -> list[bytes]:
    _, other = seal(parse(lines[-1]), AT, "another-session", "note", {})
    return [*lines, other]


ATTACKS = [
    (edit, "edited"),
    (edit_with_own_hash, "broken"),
    (edit_spelling, "edited"),
    (delete, "missing"),
    (delete_first, "missing"),
    (swap, "order"),
    (duplicate, "duplicate"),
    (duplicate_last, "duplicate"),
    (insert_forged, "order"),
    (insert_garbage, "edited"),
    (insert_other_session, "inserted"),
]


@pytest.mark.parametrize(
    ("attack", "kind"), ATTACKS, ids=lambda value: getattr(value, "__name__", value)
)
def test_the_chain_shows_an_attack(log: SessionLog, attack, kind) -> None:
    """Found without any anchor, named, and such a log is not gone on with."""
    lines = filled(log)
    assert verify(log.path).ok
    log.path.write_bytes(b"".join(attack(lines)))
    result = verify(log.path)
    assert not result.ok
    assert kind in {fault.kind for fault in result.faults}
    assert result.sentences[0].startswith("The log has been altered")
    with pytest.raises(Refused, match="altered"):
        SessionLog.open(log.path)


def test_every_single_changed_byte_is_found(log: SessionLog) -> None:
    """No byte of the file is outside the chain; a changed last newline is a torn line."""
    whole = b"".join(filled(log, 3))
    for offset in range(len(whole)):
        changed = bytearray(whole)
        changed[offset] ^= 0x01
        log.path.write_bytes(changed)
        result = verify(log.path)
        assert not result.ok or (offset == len(whole) - 1 and result.torn_bytes), offset


def test_a_cut_end_needs_an_anchor(log: SessionLog) -> None:
    """Without one the loss is named as unproven; with one it is found."""
    lines = filled(log)
    anchor = (log.count, log.head)
    log.path.write_bytes(b"".join(lines[:4]))
    alone = verify(log.path)
    assert alone.ok
    assert "cut off at the end" in alone.not_proven[0]
    anchored = verify(log.path, [anchor])
    assert [fault.kind for fault in anchored.faults] == ["anchor"]
    assert "cut off" in anchored.faults[0].message
    assert not verify(log.path, [Anchor(log.head, source="audit row 71")]).ok


def test_a_full_rewrite_needs_an_anchor(log: SessionLog) -> None:
    """A whole new chain holds in itself; a head kept elsewhere does not fit it."""
    filled(log)
    anchor = Anchor(log.head, log.count, "audit row 71")
    previous, forged = None, b""
    for number in range(6):
        previous, line = seal(previous, AT, ID, "note", {"text": f"nothing {number}"})
        forged += line
    log.path.write_bytes(forged)
    assert verify(log.path).ok
    assert "whole file was not rewritten" in verify(log.path).not_proven[0]
    result = verify(log.path, [anchor])
    assert "rewritten" in result.faults[0].message
    assert any("audit row 71" in sentence for sentence in result.sentences)


def test_what_lies_behind_the_newest_anchor_is_counted(log: SessionLog) -> None:
    """Forged lines after the last anchor cannot be found, so they are announced as possible."""
    filled(log, 4)
    anchors = [Anchor(log.head, 4), Anchor(parse(log.path.read_bytes().split(b"\n")[1]).hash)]
    assert verify(log.path, anchors).not_proven == ()
    log.append("note", {"text": "forged"})
    log.append("note", {"text": "forged"})
    result = verify(log.path, anchors)
    assert result.ok
    assert result.unanchored == 2
    assert "unanchored 2 records" in result.not_proven[0]


def test_a_deleted_file_is_known_to_an_anchor(tmp_path: Path) -> None:
    """Nothing to read is a fault when something should be there, else it could not run."""
    assert not verify(tmp_path / "gone.jsonl", [(3, "ab" * 32)]).ok
    with pytest.raises(CouldNotRun):
        verify(tmp_path / "gone.jsonl")
