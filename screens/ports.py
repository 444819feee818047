"""What the screens ask of the floors below: the stage with its environments, and one incident."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from console.operation import Check, Command, Event, Operation, Outcome, Plan, Target
from console.runbooks import Runbook, Step

Verb = Literal["read", "plan", "apply", "verify"]
Standing = Literal[
    "open", "running", "planned", "done", "failed", "stopped", "in_doubt", "attested", "skipped"
]


@dataclass(frozen=True, slots=True)
class Place:
    """An environment of the configuration."""

    name: str
    kind: str
    read_only: bool = False
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A session that can be gone on with."""

    id: str
    runbook: str
    environment: str
    started_at: datetime
    summary: str
    attention: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where one step stands, by the session log."""

    standing: Standing = "open"
    summary: str = ""
    at: datetime | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the session log as the session view lists it."""

    seq: int
    at: datetime
    kind: str
    step: str
    text: str
    hash: str


@dataclass(frozen=True, slots=True)
class Field:
    """One thing an operator fills in before an operation."""

    name: str
    label: str
    value: str = ""
    hint: str = ""


class Incident(Protocol):
    """One operator working one runbook in one environment, logged."""

    @property
    def id(self) -> str: ...
    @property
    def runbook(self) -> Runbook: ...
    @property
    def environment(self) -> str: ...

    @property
    def last_applied(self) -> str:
        """The run id of the newest applied run, of this sitting or an earlier one."""

    def marks(self) -> Mapping[str, Mark]:
        """Where the steps stand, by step id; a missing one is open."""

    def entries(self) -> Sequence[Entry]: ...
    def verify_log(self) -> Check: ...
    def close(self) -> None:
        """End the session for good; refused while a run is in doubt."""

    def attest(self, step: Step, evidence: str) -> None: ...
    def fields(self, step: Step) -> Sequence[Field]:
        """What the step's operation has to be told; empty when nothing."""

    def command(self, step: Step, values: Mapping[str, str]) -> Command:
        """The command of a step; `BadInput` names the field."""

    def decisions(self, command: Command) -> Mapping[str, str]:
        """What a rollback was told about its conflicts: keep or restore, by key."""

    def decided(self, command: Command, decisions: Mapping[str, str]) -> Command:
        """The same rollback with its conflicts decided."""

    def operation(self, command: Command) -> Operation: ...
    def run(
        self,
        verb: Verb,
        operation: Operation,
        *,
        step: str,
        plan: Plan | None = None,
        outcome: Outcome | None = None,
    ) -> Iterator[Event]:
        """Gate, log and run one verb; every event is in the log before it is yielded."""

    def settle(self) -> Iterator[Event]:
        """Settle what is in doubt; ends with `Checked`."""


class Stage(Protocol):
    """What stands behind the screens: environments, sessions, and what the server is doing."""

    @property
    def operator(self) -> str: ...
    def places(self) -> Sequence[Place]: ...
    def target(self, environment: str) -> Target:
        """Connect and say which server it is; raises `ConsoleError`."""

    def preflight(self, environment: str) -> Iterator[Event]:
        """Read what is possible there; ends with `Checked`."""

    def cases(self) -> Sequence[Case]: ...
    def begin(self, runbook: Runbook, environment: str) -> Incident: ...
    def resume(self, case_id: str) -> Incident: ...
    def waits_for(self, environment: str, pid: int) -> str:
        """What the server process waits for and who blocks it; empty when it works."""

    def export_folder(self) -> Path: ...
    def close(self) -> None: ...
