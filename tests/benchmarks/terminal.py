"""A program on a real pseudo-terminal: keys in, painted text out, and when it came."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

COLUMNS, LINES = 120, 36
KEYS = {"down": b"\x1b[B", "up": b"\x1b[A", "pagedown": b"\x1b[6~", "pageup": b"\x1b[5~"}
KEYS |= {"end": b"\x1b[F", "home": b"\x1b[H", "enter": b"\r", "escape": b"\x1b"}
_CONTROLS = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[P_X^].*?\x1b\\)"
)
KEPT = 1 << 20


class Terminal:
    """Starts the program and keeps what it has painted since the last `forget`."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._raw = bytearray()
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(OSError):
            while os.read(self._ours, 1 << 16):
                pass
        self.process.wait()
        os.close(self._ours)

    @property
    def painted(self) -> str:
        """The text since the last `forget`, without the terminal's own codes."""
        return _CONTROLS.sub(b"", self._raw).decode("utf-8", "replace")

    def forget(self) -> None:
        self._raw.clear()

    def read(self, seconds: float) -> bool:
        """Take what the program paints within this time; whether there was something."""
        if not select.select([self._ours], [], [], max(seconds, 0))[0]:
            return False
        try:
            self._raw += os.read(self._ours, 1 << 16)
        except OSError:
            raise SystemExit(f"The program has ended; last:\n{self.painted[-3000:]}") from None
        del self._raw[:-KEPT]
        return True

    def idle(self, seconds: float) -> None:
        """Let time go by without letting the terminal fill up."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self.read(left)

    def wait(self, pattern: str, seconds: float = 60) -> float:
        """Wait until text of this pattern has been painted; returns when it was."""
        until = time.perf_counter() + seconds
        while not re.search(pattern, self.painted):
            if time.perf_counter() > until:
                raise SystemExit(f"{pattern!r} was never painted; last:\n{self.painted[-3000:]}")
            self.read(0.5)
        return time.perf_counter()

    def press(self, key: str) -> float:
        """Send one key, after forgetting what was painted before; returns when."""
        while self.read(0):
            pass
        self.forget()
        at = time.perf_counter()
        os.write(self._ours, KEYS.get(key, key.encode()))
        return at

    def answer(self, key: str, pattern: str) -> float:
        """Seconds from a key to the text that it brings."""
        at = self.press(key)
        return self.wait(pattern) - at

    def memory(self, field: str = "VmHWM") -> float:
        """The program's memory in MB; by default the most that it ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith(f"{field}:"))
        return int(line.split()[1]) / 1024
