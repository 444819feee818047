"""One operator working one incident: every action is gated, announced, run and recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from console.errors import Busy, ConsoleError, InDoubt, Refused
from console.operation import Event, Operation, Outcome, Plan, Progress
from console.session.chain import read
from console.session.guard import gate
from console.session.journal import Journal, name
from console.session.log import Clock, SessionLog
from console.session.record import Name
from console.session.state import SessionState, Verb, fold
from console.session.walk import DURABLE, Walk, event_data, plan_reference, reason, shut
from console.settings import Environment


class Session(Journal):
    """The journal that also runs operations; one apply at a time."""

    def __init__(
        self, log: SessionLog, state: SessionState, environment: Environment | None, clock: Clock
    ) -> None:
        super().__init__(log, state, environment, clock)
        self._applying = threading.Lock()

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
            events: Iterator[Event] = iter(())
            try:
                events = _events(verb, operation, plan, outcome, head)
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
        intent = {
            "verb": Name(verb),
            "operation": Name(operation.name),
            "step": name(step),
            "run_id": run_id,
        }
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
        try:
            data = {
                "intent": intent["intent"],
                "type": Name(type(event).__name__),
                "event": event_data(event),
            }
            self._append("event", data, durable=isinstance(event, DURABLE))
        except BaseException:
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
            self._append(
                "outcome", {**intent, "verdict": Name(walk.verdict(error)), **reason(error)}
            )
        except ConsoleError as second:
            error.add_note(f"The outcome could not be logged: {second}")

    def _finish(self, intent: Mapping[str, Any], walk: Walk) -> None:
        try:
            said = {**reason(None), "message": walk.summary}
            self._append("outcome", {**intent, "verdict": Name(walk.verdict(None)), **said})
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
