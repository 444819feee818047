"""Which screen shows what came of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screens.base import ConsoleScreen
from screens.findings import FindingsScreen
from screens.plan import PlanScreen
from screens.rollback import RollbackScreen

if TYPE_CHECKING:
    from screens.flow import Flow, Task


def plan_screen(task: Task) -> ConsoleScreen:
    """The screen of a plan: conflicts of a rollback are decided, everything else is read."""
    rollback = task.step.operation == "rollback"
    return RollbackScreen(task) if rollback else PlanScreen(task)


def check_title(task: Task) -> str:
    """What was checked: the step, or the run that the step has applied."""
    verified = task.verb == "verify" and task.outcome is not None
    return (
        f"Verification of run {task.outcome.run_id}"
        if verified and task.outcome
        else task.step.title
    )


def result_screen(flow: Flow) -> ConsoleScreen | None:
    """The screen of what ended last, when it has one."""
    ending = flow.ending
    task = flow.task_of(ending)
    if ending is None or task is None:
        return None
    if ending.plan is not None and task.verb == "plan":
        planned = flow.planned.get(task.incident.runbook.id)
        return plan_screen(planned) if planned is not None else None
    if ending.check is not None:
        return FindingsScreen.of_check(ending.check, check_title(task))
    return None
