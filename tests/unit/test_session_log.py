"""The session log: chained, private, flushed, and honest about what it cannot show."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from console.errors import BadInput, CouldNotRun, Refused
from console.secrets import Secret
from console.session import files
from console.session.log import ZERO, Anchor, SessionLog, read, verify
from console.session.record import canonical, parse, plain, seal

ID = "20260208-021409-a41f9c"
AT = datetime(2026, 2, 8, 2, 14, 9, 123456, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SessionLog]:
    made = SessionLog.create(tmp_path / "logs", ID)
    yield made
    made.close()


def filled(log: SessionLog, count: int = 6) -> list[bytes]:
    """Append records and give back the lines of the file."""
    for number in range(count):
        log.append("note", {"text": f"number {number}"}, durable=False)
    return log.path.read_bytes().splitlines(keepends=True)


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
    ids=repr,
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


# Torn tails.


def test_a_line_torn_at_any_byte_is_repaired(log: SessionLog) -> None:
    """Told apart from tampering, moved aside, and reported with its length and hash."""
    lines = filled(log, 3)
    whole, last = b"".join(lines[:2]), lines[2]
    aside = log.path.with_name(log.path.name + ".torn")
    log.close()
    for length in range(1, len(last)):
        log.path.write_bytes(whole + last[:length])
        aside.unlink(missing_ok=True)
        torn = verify(log.path)
        assert torn.ok
        assert torn.torn_bytes == length
        assert len(list(read(log.path))) == 2
        SessionLog.open(log.path).close()
        repaired = list(read(log.path))[-1]
        assert repaired.kind == "repaired"
        assert repaired.data["bytes"] == length
        assert repaired.data["sha256"] == hashlib.sha256(last[:length]).hexdigest()
        assert aside.read_bytes() == last[:length]
        assert verify(log.path).ok
        assert verify(log.path).torn_bytes == 0


def test_two_torn_lines_are_both_kept(log: SessionLog) -> None:
    """A second crash does not overwrite what the first left."""
    filled(log, 1)
    log.close()
    for fragment in (b'{"at', b'{"data":{"x'):
        with log.path.open("ab") as stream:
            stream.write(fragment)
        SessionLog.open(log.path).close()
    aside = log.path.with_name(log.path.name + ".torn")
    assert aside.read_bytes() == b'{"at{"data":{"x'
    assert [record.data["offset"] for record in read(log.path) if record.kind == "repaired"] == [
        0,
        4,
    ]
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600


WRITER = """
import sys
from pathlib import Path
from console.session.log import SessionLog
log = SessionLog.open(Path(sys.argv[1]))
print("up", flush=True)
for number in range(int(sys.argv[2])):
    log.append("note", {"text": "x" * (number % 700), "number": number}, durable=number % 9 == 0)
"""


def start_writer(path: Path, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, str(path), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_a_killed_writer_never_breaks_the_chain(log: SessionLog) -> None:
    """kill -9 at random moments of one file that is gone on with each time."""
    seed = random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    log.close()
    for _ in range(20):
        with start_writer(log.path, 10**6) as writer:
            assert writer.stdout
            assert writer.stdout.readline() == b"up\n"
            before = log.path.stat().st_size
            while log.path.stat().st_size < before + chance.randrange(1, 20_000):
                assert writer.poll() is None
            writer.send_signal(signal.SIGKILL)
        assert verify(log.path).ok
    SessionLog.open(log.path).close()
    assert verify(log.path).torn_bytes == 0


def test_eight_processes_share_one_chain(log: SessionLog) -> None:
    """Every append of every process is there, in one unbroken chain."""
    writers = [start_writer(log.path, 50) for _ in range(8)]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    result = verify(log.path)
    assert result.ok
    assert result.records == 400
    numbers = sorted(record.data["number"] for record in read(log.path))
    assert numbers == sorted(list(range(50)) * 8)
    log.append("note", {"text": "the first process goes on"})
    assert log.count == 401


# Failing disks and foreign files.


def test_a_full_disk_stops_the_append_and_leaves_no_half_line(log: SessionLog) -> None:
    """The file limit bites in the middle of a line; afterwards the log goes on."""
    filled(log, 2)
    size = log.path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, hard))
    try:
        with pytest.raises(CouldNotRun, match="cannot be written"):
            log.append("intent", {"text": "y" * 200})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.path.stat().st_size == size
    log.append("note", {"text": "space again"})
    assert verify(log.path).ok
    assert verify(log.path).records == 3


def test_a_failed_flush_makes_the_log_unusable(log: SessionLog, monkeypatch) -> None:
    """A flush that succeeds after a failed one proves nothing, so the session must be resumed."""
    filled(log, 2)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(CouldNotRun, match="Input/output error"):
            log.append("intent", {})
    with pytest.raises(CouldNotRun, match="could not be flushed"):
        log.append("intent", {})
    log.close()
    assert SessionLog.open(log.path).count == 2


def test_durable_records_are_flushed_and_others_are_not(log: SessionLog, monkeypatch) -> None:
    """One flush per durable record; the noise in between costs none."""
    flushed: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (flushed.append(fd), real(fd))[1])
    filled(log, 10)
    assert flushed == []
    log.append("intent", {})
    assert len(flushed) == 1


def test_pieces_of_a_write_are_put_together(log: SessionLog, monkeypatch) -> None:
    """The system may take one byte at a time."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:1]))
    filled(log, 3)
    assert verify(log.path).records == 3


def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    """One sentence, before anything is done."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from console.errors import CouldNotRun\n"
        "from console.session.log import SessionLog\n"
        "try:\n"
        f"    SessionLog.create(Path(sys.argv[1]), {ID!r})\n"
        "except CouldNotRun as error:\n"
        "    print(error.message)\n"
        "else:\n"
        "    sys.exit('it was created')\n"
    )
    command = [sys.executable, "-c", program, str(locked / "deeper")]
    if os.geteuid() == 0:
        command[-1] = "/proc/self/deeper"  # root ignores permission bits, but not this
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "cannot be created" in done.stdout


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """0700 for every folder made, 0600 for every file, under umask 000."""
    before = os.umask(0)
    try:
        log = SessionLog.create(tmp_path / "state" / "ops" / "sessions", ID)
        log.append("note", {})
        with log.path.open("ab") as stream:
            stream.write(b"{torn")
        SessionLog.open(log.path).close()
    finally:
        os.umask(before)
    for path in (tmp_path / "state").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert len(list(log.path.parent.iterdir())) == 2


def test_a_link_or_a_pipe_is_not_a_log(log: SessionLog, tmp_path: Path) -> None:
    """Neither followed nor waited for."""
    link = tmp_path / "link.jsonl"
    link.symlink_to(log.path)
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    for path in (link, pipe):
        with pytest.raises(CouldNotRun):
            SessionLog.open(path)
        with pytest.raises(CouldNotRun):
            verify(path)


def test_a_file_of_another_user_is_refused(log: SessionLog, monkeypatch) -> None:
    """The owner's number is compared with our own."""
    monkeypatch.setattr(os, "geteuid", lambda: log.path.stat().st_uid + 1)
    with pytest.raises(CouldNotRun, match="belongs to another user"):
        SessionLog.open(log.path)
    with pytest.raises(CouldNotRun, match="belongs to another user"):
        SessionLog.create(log.path.parent, "another-session")


def test_a_folder_open_to_everyone_is_refused(tmp_path: Path) -> None:
    """Anyone could put another file in the log's place."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(CouldNotRun, match="every user"):
        SessionLog.create(shared, ID)


def test_an_existing_log_is_never_started_again(log: SessionLog) -> None:
    """The second start fails and leaves the first file as it is."""
    filled(log, 1)
    with pytest.raises(CouldNotRun):
        SessionLog.create(log.path.parent, ID)
    assert log.count == len(list(read(log.path))) == 1


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "", "a", "UPPER-CASE-ID", "a\x00bcdefgh"]
)
def test_a_session_id_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    """The grammar comes before the file name."""
    with pytest.raises(BadInput):
        SessionLog.create(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_vanishes_or_shrinks_while_in_use_is_noticed(log: SessionLog) -> None:
    """The next append refuses instead of writing into a file that nobody will find."""
    filled(log, 3)
    os.truncate(log.path, 10)
    with pytest.raises(Refused, match="cut shorter"):
        log.append("note", {})
    log.path.unlink()
    with pytest.raises(CouldNotRun, match="deleted or replaced"):
        log.append("note", {})


def test_a_lock_held_for_too_long_is_said(log: SessionLog, monkeypatch) -> None:
    """Waiting for another process ends with a sentence."""
    other = os.open(log.path, os.O_RDWR)
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.0)
    with files.locked(other), pytest.raises(CouldNotRun, match="Another process"):
        log.append("note", {})
    os.close(other)
    log.append("note", {})
    assert log.count == 1
