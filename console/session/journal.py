"""A session as a journal: who works on what and why, and everything said about it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from console.errors import BadInput, CouldNotRun, Refused
from console.operation import Target
from console.session.chain import Head, read
from console.session.directory import new_session_id
from console.session.log import Clock, SessionLog, utc_now
from console.session.record import Name
from console.session.state import SessionState, Verdict, advance, fold
from console.settings import Environment

MAX_TEXT = 64 * 1024
_VERDICTS = ("APPLIED", "NOT APPLIED", "UNKNOWN")


class Journal:
    """An operator, a reason, a target and the log that is the state."""

    def __init__(
        self, log: SessionLog, state: SessionState, environment: Environment | None, clock: Clock
    ) -> None:
        self._log = log
        self._state = state
        self._environment = environment
        self._clock = clock
        self._lock = threading.RLock()

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        operator: str,
        reason: str,
        target: Target,
        runbook: str | None = None,
        environment: Environment | None = None,
        clock: Clock = utc_now,
    ) -> Self:
        """Begin a session with a log of its own."""
        _text("operator", operator)
        log = SessionLog.create(directory, new_session_id(clock()), clock=clock)
        session = cls(log, SessionState(), environment, clock)
        try:
            session._append(
                "started",
                {
                    "operator": operator,
                    "reason": reason,
                    "target": target,
                    "runbook": name(runbook),
                },
            )
        except BaseException:
            log.close()
            with suppress(OSError):
                log.path.unlink()
            raise
        return session

    @classmethod
    def resume(
        cls,
        path: Path,
        *,
        operator: str | None = None,
        environment: Environment | None = None,
        clock: Clock = utc_now,
    ) -> Self:
        """Go on with an open session; an altered or closed log is refused."""
        log = SessionLog.open(path, clock=clock)
        try:
            session = cls(log, _resumable(log.path), environment, clock)
            session._append("resumed", {"operator": operator or session.state.operator})
        except BaseException:
            log.close()
            raise
        return session

    @property
    def state(self) -> SessionState:
        return self._state

    @property
    def head(self) -> Head:
        """The number of records and the hash of the last, to be kept somewhere else."""
        with self._lock:
            return Head(self._log.count, self._log.head)

    @property
    def id(self) -> str:
        return self._log.session

    @property
    def path(self) -> Path:
        return self._log.path

    def attest(self, step: str, evidence: str) -> None:
        """Record that the operator has done a step by hand, and what shows it."""
        self._append("attested", {"step": name(step), "evidence": _text("evidence", evidence)})

    def skip(self, step: str, why: str) -> None:
        """Record that a step is left out, and why."""
        self._append("skipped", {"step": name(step), "evidence": _text("reason", why)})

    def go_to(self, step: str) -> None:
        """Record which step the operator stands on."""
        self._append("step", {"step": name(step)}, durable=False)

    def note(self, text: str) -> None:
        """Record a remark."""
        self._append("note", {"text": _text("note", text)})

    def carry(self, values: Mapping[str, Any]) -> None:
        """Record values that later steps need."""
        self._append("carried", {"values": values})

    def settled(self, run_id: str, verdict: Verdict, at: datetime, message: str = "") -> None:
        """Record what became of a run in doubt; `at` is when it committed or was fenced."""
        if verdict not in _VERDICTS:
            raise BadInput(f"{verdict!r} does not settle a run; it is one of {_VERDICTS}.")
        self._append(
            "settled", {"run_id": run_id, "verdict": Name(verdict), "at": at, "message": message}
        )

    def close(self) -> Head:
        """End the session and return the head to be anchored; a run in doubt forbids it."""
        with self._lock:
            if self._state.in_doubt:
                runs = ", ".join(intent.run_id for intent in self._state.in_doubt)
                raise Refused(f"In doubt: {runs}.", next_step="Settle it, then close the session.")
            self._append("closed", {})
            head = self.head
            self._log.close()
            return head

    def leave(self) -> None:
        """Stop working without ending the session; it can be resumed."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def _append(self, kind: str, data: Mapping[str, Any], durable: bool = True) -> str:
        with self._lock:
            if self._state.closed:
                raise Refused("This session is closed.", next_step="Start a new one.")
            head = self._log.append(kind, data, durable)
            last = self._log.last
            if last is not None and last.prev == self._state.head:
                self._state = advance(self._state, last)
            else:  # another process has written in between
                self._state = fold(read(self._log.path))
            return head


def name(word: str | None) -> Name | None:
    """A word of the program's own, which the filter for secrets leaves as it is."""
    return None if word is None else Name(word)


def _resumable(path: Path) -> SessionState:
    try:
        state = fold(read(path))
    except (KeyError, TypeError, ValueError) as error:
        raise CouldNotRun(f"{path} holds a record that is not understood: {error!r}.") from error
    if state.started_at is None:
        raise Refused(f"{path} does not say how its session began.", next_step="Start a new one.")
    if state.closed:
        raise Refused(f"The session {state.session} is closed.", next_step="Start a new one.")
    return state


def _text(what: str, value: str) -> str:
    if not value.strip():
        raise BadInput(f"The {what} is empty.")
    if len(value) > MAX_TEXT:
        raise BadInput(f"The {what} is longer than {MAX_TEXT} characters.")
    return value
