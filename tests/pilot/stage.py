"""A stage for the screens' tests: small operations in memory, frozen times and ids."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from console.errors import BadInput, ConsoleError
from console.operation import (
    Applied,
    BackendKnown,
    BatchWritten,
    Check,
    Checked,
    Command,
    CommitSent,
    Event,
    Finding,
    Operation,
    Outcome,
    Page,
    Plan,
    Planned,
    PlanRow,
    Progress,
    StopToken,
    Target,
)
from console.runbooks import Runbook, Step
from screens.ports import Case, Entry, Field, Mark, Place

NOW = datetime(2026, 2, 8, 2, 14, 9, tzinfo=UTC)
HOSTILE = "INV[/2024] [@click=app.quit]quit[/] \x1b]52;c;aGk=\x07 \u202eevil [#123]"


@dataclass(frozen=True, slots=True)
class Change(Command):
    """A change of the tests; `decisions` is what a rollback was told."""

    run_id: str
    decisions: tuple[tuple[str, str], ...] = ()


def image(number: int, amount: str, description: str) -> Mapping[str, object]:
    return {"description": description, "amount": Decimal(amount), "tax_rate": 10}


def upsert_row(number: int) -> PlanRow:
    """Row `number`: an insert, an update, a no-op, a conflict or a rejected one in turn."""
    text = HOSTILE if number == 2 else f"Betriebskosten Jänner {number}"
    old, new = image(number, "120.00", text), image(number, "125.50", text)
    key = f"00000000-0000-4000-8000-{number:012d}"
    match number % 5:
        case 1:
            return PlanRow(number, key, "insert", None, new, line=number + 1)
        case 2:
            return PlanRow(number, key, "update", old, new, line=number + 1)
        case 3:
            return PlanRow(number, key, "noop", old, old, line=number + 1)
        case 4:
            reason = "looks like an existing line, with another space"
            return PlanRow(number, key, "conflict", old, new, old, reason, line=number + 1)
        case _:
            reason = f"unknown invoice {HOSTILE}"
            return PlanRow(number, key, "rejected", None, new, None, reason, line=number + 1)


def rollback_row(number: int) -> PlanRow:
    key = f"00000000-0000-4000-8000-{number:012d}"
    old = image(number, "120.00", "Heizkosten")
    run = image(number, "125.50", "Heizkosten")
    if number % 3:
        return PlanRow(number, key, "restore", run, old)
    now = image(number, "199.99", HOSTILE)
    return PlanRow(number, key, "changed", old, run, now, "the line was changed since the run")


class Gate:
    """Lets a test hold an operation at a place, and see that it has got there."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def wait(self, operation: Operation) -> None:
        self.reached.set()
        while not self.open.wait(0.01):
            operation.stop.check()


class ChangeOperation(Operation):
    """Plans `size` rows and applies them in batches; holds at `gate` when there is one."""

    writes = True

    def __init__(self, stage: MemoryStage, command: Change, name: str = "upsert") -> None:
        self.name = name  # type: ignore[misc]
        self.command = command
        self.stop = StopToken()
        self._stage = stage
        self._make = rollback_row if name == "rollback" else upsert_row
        self._rows = [self._make(number) for number in range(1, stage.size + 1)]

    def plan(self) -> Iterator[Event]:
        yield Progress("staging", self._stage.size, self._stage.size)
        yield Planned(self._plan())

    def _plan(self) -> Plan:
        counts: dict[str, int] = {}
        for row in self._rows:
            counts[row.operation] = counts.get(row.operation, 0) + 1
        written = sum(counts.get(kind, 0) for kind in ("insert", "update", "restore"))
        return Plan(
            operation=self.name,
            title="Upsert missing lines" if self.name == "upsert" else "Roll back a run",
            target=self._stage.target("sandbox"),
            run_id=self.command.run_id,
            digest="9f3ac1d2" + "0" * 56,
            counts=counts,
            money={"EUR": Decimal("41207.55")},
            rows_written=written,
            created_at=NOW,
            expires_at=NOW + timedelta(minutes=30),
            undo=f"ops-console billing rollback --run-id {self.command.run_id}",
            findings=FINDINGS[:2],
            finding_count=len(FINDINGS),
            notes=self._stage.notes,
        )

    def apply(self, plan: Plan, log_head: str) -> Iterator[Event]:
        yield BackendKnown(4121)
        for number in range(1, 5):
            yield Progress("writing", number * 25, 100)
            yield BatchWritten(number, {"insert": 20, "update": 5}, 0.2)
            if number == 2 and self._stage.gate is not None:
                self._stage.gate.wait(self)
        if self._stage.error is not None:
            raise self._stage.error
        yield CommitSent(plan.run_id)
        yield Applied(
            Outcome(
                run_id=plan.run_id,
                operation=self.name,
                counts={"insert": 80, "update": 20},
                money=plan.money,
                transaction_id="7412",
                committed_at=NOW,
                seconds=1.2,
            )
        )

    def verify(self, outcome: Outcome) -> Iterator[Event]:
        yield Checked(Check("Verification", "pass", "100 lines, sums as planned"))

    def undo(self, outcome: Outcome) -> Command:
        return Change(f"undo-{outcome.run_id}")

    def rows(self, page: Page) -> Sequence[PlanRow]:
        found = (
            row
            for row in self._rows[page.after :]
            if (not page.kinds or row.operation in page.kinds)
            and page.search in f"{row.after} {row.reason}"
        )
        return [row for row, _ in zip(found, range(page.size), strict=False)]

    def findings(self, after: int = 0, size: int = 1000) -> Sequence[Finding]:
        return FINDINGS[after : after + size]

    def describe(self) -> str:
        return "INSERT INTO invoice_lines ..."


class CheckOperation(Operation):
    """A reading operation with the findings of the tests."""

    name = "duplicates"

    def __init__(self, stage: MemoryStage) -> None:
        self._stage = stage
        self.stop = StopToken()

    def read(self) -> Iterator[Event]:
        findings = FINDINGS if self._stage.answer == "fail" else ()
        summary = "2 groups share a key" if findings else "no group shares a key"
        yield Progress("grouping", 1000, 1000)
        yield Checked(
            Check("Duplicate precheck", self._stage.answer, summary, findings, {"lines": 12840})
        )

    def describe(self) -> str:
        return "SELECT ..."


FINDINGS = (
    Finding(
        "duplicate-key",
        "error",
        f"Two lines share one key: {HOSTILE}",
        "Resolve the group (5.1), then run the check again.",
        "00000000-0000-4000-8000-000000000001",
        17,
    ),
    Finding(
        "tax-rate",
        "error",
        "The tax rate 19 is none of 0, 10, 13, 20.",
        "Correct line 230 of the file.",
        "",
        230,
    ),
    Finding("twin", "warning", "A soft-deleted twin exists.", "Decide which one stays.", "b7", 41),
    Finding("new-type", "info", "The line type `sonstige` is used once.", "", "", None),
)


@dataclass
class MemoryIncident:
    """An incident whose log is a list."""

    stage: MemoryStage
    runbook: Runbook
    environment: str
    id: str = "20260208-021409-billing"
    marked: dict[str, Mark] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)

    def note(self, kind: str, step: str, text: str) -> None:
        seq = len(self.log) + 1
        at = NOW + timedelta(seconds=seq)
        self.log.append(Entry(seq, at, kind, step, text, f"{seq:064x}"))

    def marks(self) -> Mapping[str, Mark]:
        return dict(self.marked)

    def entries(self) -> Sequence[Entry]:
        return list(self.log)

    def verify_log(self) -> Check:
        return Check("Session log", "pass", f"{len(self.log)} records, the chain holds")

    def close(self) -> None:
        self.note("closed", "", "")

    def attest(self, step: Step, evidence: str) -> None:
        self.note("attested", step.id, evidence)
        self.marked[step.id] = Mark("attested", "", NOW, evidence)

    def fields(self, step: Step) -> Sequence[Field]:
        if step.operation == "upsert":
            return [Field("csv", "CSV file", "missing_lines.csv"), Field("run_id", "Run id", "")]
        if step.operation == "rollback" and self.last_applied:
            return [Field("run_id", "Run id", f"undo-{self.last_applied}")]
        return []

    @property
    def last_applied(self) -> str:
        return self.stage.applied[-1].run_id if self.stage.applied else ""

    def decisions(self, command: Command) -> Mapping[str, str]:
        assert isinstance(command, Change)
        return dict(command.decisions)

    def command(self, step: Step, values: Mapping[str, str]) -> Command:
        run_id = values.get("run_id", "manual-20260208-fix42")
        if not run_id:
            raise BadInput("The run id is empty.", next_step="Give it a name.")
        return Change(run_id)

    def decided(self, command: Command, decisions: Mapping[str, str]) -> Command:
        assert isinstance(command, Change)
        return replace(command, decisions=tuple(sorted(decisions.items())))

    def operation(self, command: Command) -> Operation:
        assert isinstance(command, Change)
        self.stage.commands.append(command)
        if self.stage.next_operation == "duplicates":
            return CheckOperation(self.stage)
        return ChangeOperation(self.stage, command, self.stage.next_operation)

    def run(
        self,
        verb: str,
        operation: Operation,
        *,
        step: str,
        plan: Plan | None = None,
        outcome: Outcome | None = None,
    ) -> Iterator[Event]:
        self.note("intent", step, verb)
        try:
            if verb == "apply":
                assert plan is not None
                self.stage.applied.append(plan)
                yield from operation.apply(plan, "0" * 64)
            elif verb == "verify":
                assert outcome is not None
                yield from operation.verify(outcome)
            else:
                yield from operation.plan() if verb == "plan" else operation.read()
        except ConsoleError as error:
            self.note("outcome", step, error.message)
            self.marked[step] = Mark("failed", error.message, NOW)
            raise
        self.note("outcome", step, f"{verb} ended")
        self.marked[step] = Mark("planned" if verb == "plan" else "done", f"{verb} ended", NOW)

    def settle(self) -> Iterator[Event]:
        yield Checked(Check("Settled", "pass", "run r did not commit and cannot any more"))


@dataclass
class MemoryStage:
    """Everything that stands behind the screens, in memory."""

    kind: str = "sandbox"
    size: int = 20
    answer: str = "fail"
    notes: tuple[str, ...] = ()
    gate: Gate | None = None
    error: ConsoleError | None = None
    trouble: ConsoleError | None = None
    next_operation: str = "upsert"
    waiting: str = ""
    operator: str = "tester"
    folder: Path = Path("exports")
    extra_places: tuple[Place, ...] = ()
    held: list[Case] = field(default_factory=list)
    commands: list[Change] = field(default_factory=list)
    applied: list[Plan] = field(default_factory=list)
    begun: list[MemoryIncident] = field(default_factory=list)
    closed: bool = False

    def places(self) -> Sequence[Place]:
        return (Place("demo", self.kind), *self.extra_places)

    def target(self, environment: str) -> Target:
        return Target("demo", self.kind, "db.example", "billing", "7423551", False)

    def preflight(self, environment: str) -> Iterator[Event]:
        if self.trouble is not None:
            raise self.trouble
        finding = Finding("collation", "warning", "The collation is C.", "Compare by our own key.")
        yield Checked(
            Check("Preflight", "warn", "everything can be done here", (finding,), {"schema": "app"})
        )

    def cases(self) -> Sequence[Case]:
        return list(self.held)

    def begin(self, runbook: Runbook, environment: str) -> MemoryIncident:
        incident = MemoryIncident(self, runbook, environment)
        incident.note("started", "", f"{runbook.id} on {environment}")
        self.begun.append(incident)
        return incident

    def resume(self, case_id: str) -> MemoryIncident:
        from console.runbooks import BILLING

        incident = self.begin(BILLING, next(c.environment for c in self.held if c.id == case_id))
        incident.id = case_id
        incident.marked["billing.1.1"] = Mark("attested", "", NOW, "backup_1.dump, 2 GB")
        return incident

    def waits_for(self, environment: str, pid: int) -> str:
        return self.waiting

    def export_folder(self) -> Path:
        return self.folder

    def close(self) -> None:
        self.closed = True
