"""Torn lines, killed writers, writers side by side, full disks, foreign files."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from console.errors import BadInput, CouldNotRun, Refused
from console.session import files
from console.session.log import SessionLog, read, verify
from tests.unit.session_kit import ID, filled, log

__all__ = ["log"]

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
