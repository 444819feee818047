"""Commands that write: they plan, and apply only the plan whose token is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from console.cli import plan_words
from console.cli.options import FIRST_PAGE, Paging
from console.cli.reading import CODES
from console.errors import Moved, Refused
from console.operation import Check, Finding, Operation, Outcome, Page, Plan, PlanRow

if TYPE_CHECKING:
    from console.cli.work import Call, Work
    from console.documents import Status
    from console.session.state import PlanMade

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """What one writing command wants: its operation, and which findings a human still must decide.

    `make` may plan something else first, to know what to narrow.
    """

    make: Callable[[Work], Operation]
    undecided: Callable[[Finding], bool]
    token: str | None = None
    paging: Paging = FIRST_PAGE


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan as it is reported: a page of its rows and what was found."""

    plan: Plan
    rows: tuple[PlanRow, ...]
    findings: tuple[Finding, ...]
    undecided: int
    paging: Paging = FIRST_PAGE


def write(call: Call, change: Change) -> int:
    """Plan, and apply where the token says so; return the exit code."""
    made = plan_shown(call, change.token)
    outcome = check = None
    with call.work() as work:
        operation = change.make(work)
        try:
            planned = _plan(call, work, operation, change)
            if made is not None:
                require_same(made, planned.plan)
                _require_rows(planned.plan)
                outcome = work.apply(operation, planned.plan)
                check = work.verify(operation, outcome)
        finally:
            operation.close()
    if outcome is not None and check is not None:
        plan_words.applied(call.out, planned.plan, planned.undecided, outcome, check)
    else:
        plan_words.planned(call.out, planned.plan, planned.undecided)
    document(call, planned, outcome, check)
    return exit_code(planned, check)


def plan_shown(call: Call, token: str | None) -> PlanMade | None:
    """The recorded plan that the token names; `Refused` before anything connects."""
    if token is None:
        return None
    from console.session.guard import find_plan

    return find_plan(call.session_dir, token, datetime.now(UTC))


def require_same(made: PlanMade, plan: Plan) -> None:
    """Raise unless the plan made anew is the one that was shown."""
    if made.operation != plan.operation:
        raise Refused(f"The token is that of a plan of {made.operation}, not of {plan.operation}.")
    if (made.token, made.digest) != (plan.token, plan.digest):
        raise Moved(
            f"The data has moved since the plan, or the command is another one: the plan is now "
            f"{plan.token}; nothing was changed.",
            next_step="Run the same command without --apply, and read the new plan.",
        )


def _require_rows(plan: Plan) -> None:
    """An empty run would use up its run id and leave nothing that could be undone."""
    if not plan.rows_written:
        raise Refused("The plan writes no row, so there is nothing to apply.")


def exit_code(planned: Planned, check: Check | None) -> int:
    """1 where a human must decide, 3 where the plan could never be applied."""
    if check is not None:
        return CODES[check.answer]
    if planned.plan.blocked:
        return 3
    return 1 if planned.undecided else 0


def all_findings(operation: Operation) -> Iterator[Finding]:
    """Every finding of the plan that stands, read page by page."""
    after = 0
    while found := operation.findings(after, _BATCH):
        yield from found
        after += len(found)


def all_rows(operation: Operation, size: int = _BATCH) -> Iterator[Sequence[PlanRow]]:
    """Every row of the plan that stands, page by page."""
    after = 0
    while rows := operation.rows(Page(after, size)):
        yield rows
        after = rows[-1].number


def report_findings(
    call: Call, operation: Operation, undecided: Callable[[Finding], bool]
) -> tuple[tuple[Finding, ...], int]:
    """Print every finding as it is read; return those that the document holds, and the open ones.

    With `--json` they go into the document instead, as many as it holds.
    """
    if call.out.json:
        return _kept(operation, undecided)
    waiting = 0

    def seen() -> Iterator[Finding]:
        nonlocal waiting
        for finding in all_findings(operation):
            waiting += undecided(finding)
            yield finding

    walk = seen()
    call.out.findings(walk)
    for _ in walk:  # nobody reads on, yet they count
        pass
    return (), waiting


def _kept(
    operation: Operation, undecided: Callable[[Finding], bool]
) -> tuple[tuple[Finding, ...], int]:
    from console.documents import MOST_FINDINGS

    kept: list[Finding] = []
    waiting = 0
    for finding in all_findings(operation):
        waiting += undecided(finding)
        if len(kept) < MOST_FINDINGS:
            kept.append(finding)
    return tuple(kept), waiting


def _plan(call: Call, work: Work, operation: Operation, change: Change) -> Planned:
    plan = work.plan(operation)
    plan_words.plan(call.out, plan)
    rows = _page(operation, change.paging)
    plan_words.rows(call.out, plan, rows)
    findings, undecided = report_findings(call, operation, change.undecided)
    return Planned(plan, rows, findings, undecided, change.paging)


def _page(operation: Operation, paging: Paging) -> tuple[PlanRow, ...]:
    # Numbers need not be dense, so a page is found by walking there.
    for number, rows in enumerate(chain(all_rows(operation, paging.size)), start=1):
        if number == paging.page:
            return tuple(rows)
    return ()


def document(call: Call, planned: Planned, outcome: Outcome | None, check: Check | None) -> None:
    """Print the document of a write, where one was asked for."""
    if not call.out.json:
        return
    from console.document_parts import environment_part, finding_parts, outcome_part, plan_part
    from console.documents import SessionPart, WriteDocument

    plan, paging = planned.plan, planned.paging
    status: Status = "planned" if outcome is None else "applied"
    call.out.document(
        WriteDocument(
            operation=plan.operation,
            status=status,
            environment=environment_part(plan.target),
            session=SessionPart(log=str(call.log[0]), head=call.log[1]) if call.log else None,
            findings=finding_parts(planned.findings),
            finding_count=plan.finding_count,
            started_at=call.started_at,
            finished_at=datetime.now(UTC),
            plan=plan_part(plan, planned.rows, paging.page, paging.size),
            outcome=outcome_part(outcome, plan, check) if outcome else None,
        )
    )
