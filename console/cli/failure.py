"""How a command that could not end well says so: one sentence, its exit code, one document."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.cli.pasted import resume_line
from console.errors import BadInput, ConsoleError, CouldNotRun, InDoubt, Refused, Stopped
from console.operation import Finding

if TYPE_CHECKING:
    from console.cli.work import Call
    from console.documents import Status, WriteDocument


def failed(error: ConsoleError, call: Call) -> int:
    """Say what went wrong and return the exit code."""
    out = call.out
    out.note(_sentence(error))
    for note in getattr(error, "__notes__", ()):
        out.note(note)
    if error.next_step:
        out.note(f"  -> {error.next_step}")
    if isinstance(error, InDoubt) and call.log is not None:
        out.note(f"  -> {resume_line(call.options, call.log[0].stem)}")
    # What is the sentence itself needs no second saying.
    out.findings([f for f in error.findings if f.message != error.message])
    if call.outcome is not None:
        out.note(f"Run {call.outcome.run_id} is committed.")
    if out.json:
        out.document(_document(error, call))
    return error.exit_code


def usage(error: click.ClickException, call: Call) -> int:
    """Say what is wrong with the arguments; nothing has connected yet."""
    context = getattr(error, "ctx", None)
    step = f"See {context.command_path} --help" if context else ""
    return failed(BadInput(error.format_message(), next_step=step), call)


def interrupted(call: Call) -> int:
    """Ctrl-C while nothing was being written."""
    return failed(Stopped("Stopped by the operator; nothing was being written."), call)


def crashed(error: Exception, call: Call) -> int:
    """Report an internal error without data; what was in flight is not claimed."""
    from console.crash import crash_message

    said = crash_message(error, crash_folder())
    return failed(ConsoleError(said), call)


def crash_folder() -> Path:
    """Where crash reports go: beside the user's session logs."""
    from console.session.directory import default_directory

    return default_directory().parent / "crashes"


def _sentence(error: ConsoleError) -> str:
    if isinstance(error, BadInput):
        return f"Error: {error.message}"
    if isinstance(error, Refused):
        return f"Refused: {error.message}"
    return error.message


def _status(error: ConsoleError, call: Call) -> Status:
    if call.outcome is not None:
        return "applied"
    if isinstance(error, Refused):
        return "refused"
    if isinstance(error, Stopped):
        return "stopped"
    # Only a change whose end is known may be called rolled back.
    return "rolled_back" if call.applying and isinstance(error, CouldNotRun) else "not_run"


def _document(error: ConsoleError, call: Call) -> WriteDocument:
    from console.document_parts import environment_part, finding_parts, outcome_part, plan_part
    from console.documents import SessionPart, WriteDocument

    code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    found = (Finding(code, "error", error.message, error.next_step), *error.findings)
    plan, outcome = call.plan, call.outcome
    return WriteDocument(
        operation=plan.operation if plan else call.command,
        status=_status(error, call),
        environment=environment_part(call.target) if call.target else None,
        session=SessionPart(log=str(call.log[0]), head=call.log[1]) if call.log else None,
        findings=finding_parts(found),
        finding_count=len(found),
        started_at=call.started_at,
        finished_at=datetime.now(UTC),
        plan=plan_part(plan, (), 1, 1) if plan else None,
        outcome=outcome_part(outcome, plan, None) if outcome and plan else None,
    )
