"""One command's session at one database: every verb is logged, shown and can be stopped."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from console.cli.options import Options
from console.cli.output import Output
from console.cli.progress import progress
from console.cli.stopping import stoppable
from console.cli.target import open_desk
from console.errors import ConsoleError, Refused
from console.operation import (
    Applied,
    Check,
    Checked,
    Event,
    Operation,
    Outcome,
    Plan,
    Planned,
    Target,
)

if TYPE_CHECKING:
    from console.desk import Desk
    from console.session.session import Session
    from console.session.state import Verb


class Call:
    """One invocation: its options, its streams, and what is known of its session."""

    def __init__(self, options: Options = Options()) -> None:  # noqa: B008 - it is immutable
        self.options = options
        self.started_at = datetime.now(UTC)
        self.command = ""
        self.target: Target | None = None
        self.log: tuple[Path, str] | None = None
        self.applying = False
        self.plan: Plan | None = None
        self.outcome: Outcome | None = None

    @cached_property
    def out(self) -> Output:
        return Output(self.options.json)

    @property
    def session_dir(self) -> Path:
        from console.session.directory import default_directory

        return self.options.session_dir or default_directory()

    def work(self) -> Work:
        """Open the desk and begin a session; `BadInput` before anything connects."""
        return Work(self, open_desk(self.options, self.out.note))


class Work:
    """A session that lasts as long as its block; a run in doubt leaves it open to be resumed."""

    def __init__(self, call: Call, desk: Desk) -> None:
        from console.session.session import Session

        self.desk = desk
        self._call = call
        call.target = desk.target
        self.session: Session = Session.start(
            call.session_dir,
            operator=desk.operator,
            reason=desk.reason,
            target=call.target,
            environment=desk.environment,
        )
        desk.session_id = self.session.id
        self._remember()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the log; where that fails, the error that is already there counts more."""
        try:
            self.session.close()
        except Refused:  # a run is in doubt
            self.session.leave()
        except ConsoleError as second:
            self.session.leave()
            if error is None:
                raise
            error.add_note(second.message)
        finally:
            self._remember()

    def read(self, operation: Operation) -> Check:
        event = self._walk("read", operation)
        assert isinstance(event, Checked)  # noqa: S101 - what the verb promises
        return event.check

    def plan(self, operation: Operation) -> Plan:
        event = self._walk("plan", operation)
        assert isinstance(event, Planned)  # noqa: S101 - what the verb promises
        operation.stop.check()
        self._call.plan = event.plan
        return event.plan

    def apply(self, operation: Operation, plan: Plan) -> Outcome:
        """Apply the plan; a stop that came too late is said so."""
        self._call.applying = True
        event = self._walk("apply", operation, plan=plan)
        self._call.applying = False
        assert isinstance(event, Applied)  # noqa: S101 - what the verb promises
        self._call.outcome = event.outcome
        if operation.stop.requested:
            self._call.out.note("The stop came too late: the change is committed.")
        return event.outcome

    def verify(self, operation: Operation, outcome: Outcome) -> Check:
        """Verify what was committed; where that cannot run, the check says so."""
        try:
            event = self._walk("verify", operation, outcome=outcome)
        except (ConsoleError, KeyboardInterrupt) as error:
            why = str(error) or "interrupted."
            return Check("verify_run", "not_run", f"committed, but not verified: {why}")
        assert isinstance(event, Checked)  # noqa: S101 - what the verb promises
        return event.check

    def _walk(
        self,
        verb: Verb,
        operation: Operation,
        *,
        plan: Plan | None = None,
        outcome: Outcome | None = None,
    ) -> Event:
        last = Event()
        out = self._call.out
        # Where nothing is to be rolled back, a signal ends the reading at once.
        reads = verb in ("read", "verify")
        stop = nullcontext() if reads else stoppable(operation.stop, out)
        with stop, progress(out) as shown:
            for event in self.session.run(verb, operation, plan=plan, outcome=outcome):
                shown.show(event)
                last = event
        return last

    def _remember(self) -> None:
        self._call.log = (self.session.path, self.session.head.hash)
