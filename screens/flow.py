"""What follows on what: form, plan, confirmation, apply, verification, undo."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from console.errors import ConsoleError, Refused
from console.operation import (
    Check,
    Command,
    Event,
    Finding,
    Operation,
    Outcome,
    Page,
    Plan,
    PlanRow,
)
from console.runbooks import Runbook, Step, runbook
from screens.confirm import ConfirmScreen
from screens.ports import Case, Incident, Verb
from screens.questions import before_apply
from screens.runner import Ending, Job

if TYPE_CHECKING:
    from screens.app import OpsConsole

VERB_WORDS: Mapping[Verb, str] = {
    "read": "Checking",
    "plan": "Planning",
    "apply": "Applying",
    "verify": "Verifying",
}


class Access:
    """Keeps the screens' reading of a plan apart from its apply: both use one connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sealed = False

    def rows(self, operation: Operation, page: Page) -> Sequence[PlanRow]:
        """Read a page, unless the plan is being applied or was."""
        with self._lock:
            self._open()
            return operation.rows(page)

    def findings(self, operation: Operation, after: int, size: int) -> Sequence[Finding]:
        """Read findings, unless the plan is being applied or was."""
        with self._lock:
            self._open()
            return operation.findings(after, size)

    def seal(self) -> None:
        """Let nobody read from now on; returns when the last reader is out."""
        with self._lock:
            self._sealed = True

    def _open(self) -> None:
        if self._sealed:
            raise Refused("This plan is being applied or was used; its rows are not read again.")


@dataclass(frozen=True, slots=True)
class Task:
    """One verb of one operation in one incident, and what came of it so far."""

    incident: Incident
    step: Step
    command: Command
    operation: Operation
    verb: Verb
    plan: Plan | None = None
    outcome: Outcome | None = None
    check: Check | None = None
    access: Access = field(default_factory=Access)

    def rows(self, page: Page) -> Sequence[PlanRow]:
        """A page of the plan's rows; any thread may call."""
        return self.access.rows(self.operation, page)

    def findings(self, after: int, size: int) -> Sequence[Finding]:
        """A page of findings, worst first; any thread may call."""
        return self.access.findings(self.operation, after, size)


class Flow:
    """Takes the app from one task to the next; every method runs on the screen's thread."""

    def __init__(self, app: OpsConsole) -> None:
        self._app = app
        self._incidents: dict[str, Incident] = {}
        self.planned: dict[str, Task] = {}
        self.checked: dict[str, Task] = {}
        self.applied: dict[str, Task] = {}
        self.ending: Ending | None = None

    def incident(self, runbook: Runbook) -> Incident | None:
        """The incident of a runbook, when one is open."""
        return self._incidents.get(runbook.id)

    def opened(self, incident: Incident) -> None:
        """Go on with this incident in its runbook."""
        self._incidents[incident.runbook.id] = incident
        for kept in (self.planned, self.checked, self.applied):
            kept.pop(incident.runbook.id, None)

    def go_on(self, case: Case) -> None:
        """Go on with a session from where its log ends; raises `ConsoleError`."""
        app, book = self._app, runbook(case.runbook)
        begun = self.incident(book)
        place = next(place for place in app.stage.places() if place.name == case.environment)
        if place != app.place:
            # Banner, preflight and session must speak of the same server.
            app.choose(place)
        elif begun is not None and begun.id == case.id:
            app.switch_mode(book.id)
            return
        self.opened(app.stage.resume(case.id))
        app.switch_mode(book.id)

    def close(self, incident: Incident) -> None:
        """End a session for good; raises `ConsoleError` when that is refused."""
        incident.close()
        self.opened(incident)
        del self._incidents[incident.runbook.id]

    def require(self, runbook: Runbook) -> Incident:
        """The incident of a runbook, begun when there is none."""
        found = self.incident(runbook)
        if found is None:
            place = self._app.place
            found = self._app.stage.begin(runbook, place.name if place else "")
            self.opened(found)
        return found

    def forget(self) -> None:
        """Another environment was chosen: nothing of the old one may be gone on with."""
        self._incidents.clear()
        for kept in (self.planned, self.checked, self.applied):
            kept.clear()

    def start(self, incident: Incident, step: Step, command: Command) -> bool:
        """Read or plan; a plan that stood for this runbook is given back."""
        try:
            operation = incident.operation(command)
        except ConsoleError as error:
            self._app.notify(error.message, severity="error", markup=False)
            return False
        verb: Verb = "plan" if operation.writes else "read"
        return self._run(Task(incident, step, command, operation, verb))

    def ask_to_apply(self, task: Task) -> None:
        """Ask, then apply exactly the plan of the task."""
        plan = task.plan
        if plan is None:
            return
        question = before_apply(plan)
        self._app.push_screen(
            ConfirmScreen(question, self._app.dwell), partial(self._answered, task)
        )

    def _answered(self, task: Task, yes: bool | None) -> None:
        if yes:
            self._run(replace(task, verb="apply"))

    def _run(self, task: Task, watch: bool = True) -> bool:
        incident = task.incident
        job = Job(
            title=f"{VERB_WORDS[task.verb]}: {task.step.title}",
            verb=task.verb,
            events=partial(_events, task),
            stop=task.operation.stop,
            waits_for=partial(self._app.stage.waits_for, incident.environment),
            key=task,
        )
        return self._app.run_job(job, watch)

    def settle(self, incident: Incident) -> None:
        """Find out what became of the run in doubt."""
        job = Job("Settling the run in doubt", "read", incident.settle)
        self._app.run_job(job)

    def task_of(self, ending: Ending | None) -> Task | None:
        """The task that an ending belongs to."""
        key = ending.job.key if ending is not None else None
        return key if isinstance(key, Task) else None

    def ended(self, ending: Ending) -> None:
        """Keep what came of a task, and begin what always follows."""
        self.ending = ending
        task = self.task_of(ending)
        if task is None:
            return
        runbook = task.incident.runbook.id
        if task.verb == "plan" and ending.plan is not None:
            self._keep(self.planned, runbook, replace(task, plan=ending.plan))
        elif task.verb == "read" and ending.check is not None:
            self._keep(self.checked, runbook, replace(task, check=ending.check))
        elif task.verb == "apply":
            self._applied(runbook, replace(task, outcome=ending.outcome))
        elif task.verb == "verify" and ending.check is not None:
            self.applied[runbook] = replace(task, check=ending.check)

    def _applied(self, runbook: str, task: Task) -> None:
        # Used or refused, the same plan is not offered twice.
        self.planned.pop(runbook, None)
        if task.outcome is not None:
            self.applied[runbook] = task
            # Whoever has left the progress meanwhile is not called back.
            self._run(replace(task, verb="verify"), watch=False)

    def _keep(self, kept: dict[str, Task], runbook: str, task: Task) -> None:
        before = kept.get(runbook)
        if before is not None and before.operation is not task.operation:
            before.operation.close()
        kept[runbook] = task


def _events(task: Task) -> Iterator[Event]:
    """Walk the task's verb; runs in the worker's thread."""
    if task.verb == "apply":
        task.access.seal()
    return task.incident.run(
        task.verb,
        task.operation,
        step=task.step.id,
        plan=task.plan if task.verb == "apply" else None,
        outcome=task.outcome if task.verb == "verify" else None,
    )
