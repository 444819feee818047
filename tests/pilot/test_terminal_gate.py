"""What reaches the terminal, measured at the other end of a pseudo-terminal."""

import errno
import fcntl
import os
import pty
import re
import select
import stat
import struct
import sys
import termios
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APP = Path(__file__).with_name("gate_app.py")

# Tail of each payload is a word, so that the test can tell "removed" from "never drawn".
PAYLOADS = {
    "osc52": "\x1b]52;c;cGF5bG9hZA==\x07pay00",
    "osc8": "\x1b]8;;http://evil.example/\x1b\\pay01\x1b]8;;\x1b\\",
    "title": "\x1b]0;owned\x07pay02",
    "c1csi": "\x9b31;5mpay03",
    "c1osc": "\x9d0;owned\x9cpay04",
    "reset": "\x1bcpay05",
    "leave-alt-screen": "\x1b[?1049lpay06",
    "erase": "\x1b[2J\x1b[3Jpay07",
    "nul": "\x00pay08",
    "del": "\x7f\x7fpay09",
    "bell": "\x07\x08pay10",
    "tab": "\tpay11",
    "bidi": "\u202epay12\u202c",
    "isolate": "\u2066pay13\u2069",
    "zero-width": "pay14\u200b\u200d\ufeff",
    "soft-hyphen": "pay15\xad",
    "line-separator": "\u2028\u0085pay16",
    "tags": "pay17\U000e0041\U000e007f",
    "surrogate": "pay18\ud800",
    "dcs": "\x1bP+q544e\x1b\\pay19",
    "answerback": "\x05\x1b[6npay20",
    "noncharacter": "pay21\ufdd0\ufffe",
}

# What Textual 8.2.8 itself sends: colours, cursor moves, modes, keyboard protocol, pointer shape.
FRAMEWORK = re.compile(
    r"\x1b\[[0-9;:]*m"
    r"|\x1b\[[0-9;]*[HABCD]"
    r"|\x1b\[\?(?:1000|1002|1003|1004|1006|1015|1016|1049|2004|2026|2048|25|7)(?:[hl]|\$p)"
    r"|\x1b\[[>=<][0-9;]*u"
    r"|\x1b\]22;[a-z-]*\x07"
    r"|\x1b\[c"
    r"|\r?\n|\r(?=\x1b|$)"
)


class Terminal:
    """A program in a pseudo-terminal: everything it writes, and its exit status."""

    def __init__(self, *arguments: str, rows: int = 60, columns: int = 160) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "PYTHONPATH": str(ROOT),
                "COLUMNS": str(columns),
                "LINES": str(rows),
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "LANG": "C.UTF-8",
                "PYTHONUTF8": "1",
                "TEXTUAL_ANIMATIONS": "none",
            }
            os.execve(sys.executable, [sys.executable, str(APP), *arguments], environment)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def run(self, limit: float = 60) -> tuple[str, int]:
        """Read until the program ends; a hanging one is stopped and fails the test."""
        output = bytearray()
        end = time.monotonic() + limit
        try:
            while chunk := self._read(end):
                output += chunk
        finally:
            os.close(self.master)
        _, status = os.waitpid(self.pid, 0)
        return output.decode("utf-8", "surrogateescape"), os.waitstatus_to_exitcode(status)

    def _read(self, end: float) -> bytes:
        ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
        if not ready:
            os.kill(self.pid, 9)
            raise TimeoutError("the program in the terminal did not end")
        try:
            return os.read(self.master, 65536)
        except OSError as gone:  # how Linux says that the other side has closed
            if gone.errno != errno.EIO:
                raise
            return b""


def foreign(output: str) -> list[str]:
    """Control, bidi and invisible characters that are not the framework's own, with context."""
    rest = FRAMEWORK.sub("", output)
    bad = re.compile(
        "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufdd0-\ufdef"
        "\ufeff\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
    )
    return [ascii(rest[max(0, hit.start() - 15) : hit.end() + 15]) for hit in bad.finditer(rest)]


def words(output: str) -> set[str]:
    return set(re.findall(r"pay\d\d", FRAMEWORK.sub("", output)))


FORMS = ("static", "chrome", "lists", "table", "logs", "inputs", "styled")
ALL_WORDS = {f"pay{number:02d}" for number in range(len(PAYLOADS))}


@pytest.mark.parametrize("form", FORMS)
def test_raw_payloads_do_not_pass_the_backstop(form: str) -> None:
    """Text that went round `present` loses its control characters at the exit, not its words."""
    output, code = Terminal("raw", form).run()
    assert code == 0, ascii(output[-2000:])
    assert foreign(output) == []
    assert words(output) == ALL_WORDS


def test_without_the_backstop_payloads_do_pass() -> None:
    """The gate is not blind: the same app without the filter leaks."""
    output, _ = Terminal("unfiltered", "table").run()
    assert "\x1b]52;c;cGF5bG9hZA==" in output
    assert len(foreign(output)) > 10


def test_presented_payloads_are_shown_as_notation() -> None:
    """Through `present`, an operator sees what the text holds."""
    output, code = Terminal("presented", "static").run()
    assert code == 0
    assert foreign(output) == []
    shown = FRAMEWORK.sub("", output)
    assert "\\x1b]52;c;cGF5bG9hZA==\\x07pay00" in shown
    assert "\\u{202E}pay12\\u{202C}" in shown


@pytest.mark.parametrize("form", ["exit", "exit-text", "panic"])
def test_exit_messages_are_harmless_and_redacted(form: str) -> None:
    """What is printed after the screen is gone passes the same function."""
    output, _ = Terminal(form, "-").run()
    assert foreign(output) == []
    assert words(output) == ALL_WORDS
    assert "canary-pw-31" not in output
    assert "[/oops]" in output


@pytest.mark.parametrize("form", ["crash", "crash-worker", "crash-compose", "crash-rich"])
def test_a_crash_prints_no_locals_and_writes_no_secret(form: str, tmp_path: Path) -> None:
    """A DSN in a local variable and in the error's text is neither printed nor written."""
    output, code = Terminal(form, str(tmp_path)).run()
    assert code == 1
    assert foreign(output) == []
    reports = list(tmp_path.glob("crash-*.txt"))
    assert len(reports) == 1
    report = reports[0].read_text()
    assert stat.S_IMODE(reports[0].stat().st_mode) == 0o600
    assert "explode" in report
    assert reports[0].name in FRAMEWORK.sub("", output).replace("\n", "")
    for text in (output, report):
        assert "canary-pw-31" not in text
        assert "local-row-value" not in text
        assert "\x1b]52" not in text
    assert "Traceback" not in output
