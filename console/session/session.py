"""One operator working one incident: every action is gated, announced, run, and its end recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from console.errors import BadInput, Busy, ConsoleError, CouldNotRun, InDoubt, Refused
from console.operation import Event, Operation, Outcome, Plan, Progress, Target
from console.session.chain import Head, read
from console.session.directory import new_session_id
from console.session.guard import gate
from console.session.log import Clock, SessionLog, utc_now
from console.session.state import SessionState, Verb, Verdict, advance, fold
from console.session.walk import DURABLE, Walk, event_data, plan_reference, reason, shut
from console.settings import Environment

MAX_TEXT = 64 * 1024
_VERDICTS = ("APPLIED", "NOT APPLIED", "UNKNOWN")


class Session:
    """An operator, a reason, a target and the log that is the state."""

    def __init__(
        self, log: SessionLog, state: SessionState, environment: Environment | None, clock: Clock
    ) -> None:
        self._log = log
        self._state = state
        self._environment = environment
        self._clock = clock
        self._lock = threading.RLock()
        self._applying = threading.Lock()

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
    ) -> Session:
        """Begin a session with a log of its own."""
        _text("operator", operator)
        log = SessionLog.create(directory, new_session_id(clock()), clock=clock)
        session = cls(log, SessionState(), environment, clock)
        try:
            session._append(
                "started",
                {"operator": operator, "reason": reason, "target": target, "runbook": runbook},
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
    ) -> Session:
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

    def run(
        self,
        verb: Verb,
        operation: Operation,
        *,
        step: str | None = None,
        plan: Plan | None = None,
        outcome: Outcome | None = None,
    ) -> Iterator[Event]:
        """Gate, announce and walk an operation; each event is in the log before it is handed on.

        A log that cannot be written stops the operation; after COMMIT may have gone out that is
        `InDoubt`.
        """
        with self._alone(verb):
            intent, head = self._announce(verb, operation, step, plan, outcome)
            walk = Walk(verb)
            events = _events(verb, operation, plan, outcome, head)
            try:
                for event in events:
                    self._keep(intent, event, walk)
                    yield event
                walk.require_end()
            except BaseException as error:
                self._give_up(intent, walk, events, error)
                if walk.log_failed and walk.may_have_committed:
                    raise _unrecorded(walk) from error
                raise
            self._finish(intent, walk)

    def attest(self, step: str, evidence: str) -> None:
        """Record that the operator has done a step by hand, and what shows it."""
        self._append("attested", {"step": step, "evidence": _text("evidence", evidence)})

    def skip(self, step: str, why: str) -> None:
        """Record that a step is left out, and why."""
        self._append("skipped", {"step": step, "evidence": _text("reason", why)})

    def go_to(self, step: str) -> None:
        """Record which step the operator stands on."""
        self._append("step", {"step": step}, durable=False)

    def note(self, text: str) -> None:
        """Record a remark."""
        self._append("note", {"text": _text("note", text)})

    def carry(self, values: Mapping[str, Any]) -> None:
        """Record values that later steps need."""
        self._append("carried", {"values": values})

    def settled(self, run_id: str, verdict: Verdict, at: datetime, message: str = "") -> None:
        """Record what became of a run that was in doubt; `at` is when it committed or was fenced."""
        if verdict not in _VERDICTS:
            raise BadInput(f"{verdict!r} does not settle a run; it is one of {_VERDICTS}.")
        self._append(
            "settled", {"run_id": run_id, "verdict": verdict, "at": at, "message": message}
        )

    def close(self) -> Head:
        """End the session for good and return the head to be anchored; a run in doubt forbids it."""
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

    def __enter__(self) -> Session:
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

    @contextmanager
    def _alone(self, verb: Verb) -> Iterator[None]:
        """Let one apply at a time through."""
        if verb != "apply":
            yield
            return
        if not self._applying.acquire(blocking=False):
            raise Busy("This session is already applying a plan; wait for its end.")
        try:
            yield
        finally:
            self._applying.release()

    def _announce(
        self,
        verb: Verb,
        operation: Operation,
        step: str | None,
        plan: Plan | None,
        outcome: Outcome | None,
    ) -> tuple[dict[str, Any], str]:
        run_id = plan.run_id if plan else outcome.run_id if outcome else ""
        intent = {"verb": verb, "operation": operation.name, "step": step, "run_id": run_id}
        command = getattr(operation, "command", None)
        with self._lock:
            self._gate(verb, operation, plan, outcome, intent)
            data = {**intent, "command": command, "plan": plan_reference(plan)}
            head = self._append("intent", data)
            return {**intent, "intent": self._log.count}, head

    def _gate(
        self,
        verb: Verb,
        operation: Operation,
        plan: Plan | None,
        outcome: Outcome | None,
        intent: Mapping[str, Any],
    ) -> None:
        self._log.refresh()
        if self._log.head != self._state.head:
            self._state = fold(read(self._log.path))
        try:
            if self._state.target is None:
                raise Refused("The log does not say which target the session works on.")
            gate(
                verb,
                operation,
                plan,
                self._state.target,
                self._environment,
                self._clock(),
                state=self._state,
                outcome=outcome,
            )
        except ConsoleError as error:
            with suppress(ConsoleError):  # nothing was done; the refusal itself counts more
                self._append("refused", {**intent, **reason(error)}, durable=False)
            raise

    def _keep(self, intent: Mapping[str, Any], event: Event, walk: Walk) -> None:
        walk.happened(event)
        if isinstance(event, Progress):
            return
        data = {
            "intent": intent["intent"],
            "type": type(event).__name__,
            "event": event_data(event),
        }
        try:
            self._append("event", data, durable=isinstance(event, DURABLE))
        except ConsoleError:
            walk.log_failed = True
            raise
        walk.logged(event)

    def _give_up(
        self, intent: Mapping[str, Any], walk: Walk, events: Iterator[Event], error: BaseException
    ) -> None:
        """Roll back what is open and record the verdict, without hiding the error itself."""
        try:
            shut(events)
        except Exception as second:
            error.add_note(f"Closing the operation failed as well: {second}")
        try:
            self._append("outcome", {**intent, "verdict": walk.verdict(error), **reason(error)})
        except ConsoleError as second:
            error.add_note(f"The outcome could not be logged: {second}")

    def _finish(self, intent: Mapping[str, Any], walk: Walk) -> None:
        try:
            self._append("outcome", {**intent, "verdict": walk.verdict(None), **reason(None)})
        except ConsoleError as error:
            if walk.may_have_committed:
                raise _unrecorded(walk) from error
            raise


def _events(
    verb: Verb, operation: Operation, plan: Plan | None, outcome: Outcome | None, head: str
) -> Iterator[Event]:
    if verb == "apply" and plan is not None:
        return operation.apply(plan, head)
    if verb == "verify" and outcome is not None:
        return operation.verify(outcome)
    return operation.plan() if verb == "plan" else operation.read()


def _unrecorded(walk: Walk) -> InDoubt:
    run = f" of run {walk.applied.run_id}" if walk.applied else ""
    known = "is committed" if walk.applied else "may be committed"
    return InDoubt(
        f"The change{run} {known}, but the session log could not record it.",
        next_step="Make the log writable, then resume the session: it settles the run first.",
    )


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
