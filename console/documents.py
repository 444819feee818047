"""The JSON documents: what programs rely on, as models that print their own schema."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import models_json_schema

from console.operation import Answer, Severity

Status = Literal[
    "pass", "warn", "fail", "not_run", "planned", "applied", "refused", "rolled_back", "stopped"
]
Amount = Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]{2}$")]
Counts = dict[str, int]
Money = dict[str, Amount]

MOST_FINDINGS = 10_000


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EnvironmentPart(_Model):
    """Which database, by the server's own word."""

    name: str
    host: str
    database: str
    server_id: str
    read_only: bool


class SessionPart(_Model):
    """The session's log file and the hash of its last record."""

    log: str
    head: str


class FindingPart(_Model):
    """One thing found; `line` is a line of the file that was read."""

    code: str
    severity: Severity
    record: str
    message: str
    next_step: str
    line: int | None = None


class Document(_Model):
    """What every document says; times are UTC."""

    operation: str
    status: Status
    environment: EnvironmentPart | None = None
    session: SessionPart | None = None
    findings: list[FindingPart] = Field(default_factory=list, max_length=MOST_FINDINGS)
    finding_count: int = 0
    started_at: datetime
    finished_at: datetime


class CheckDocument(Document):
    """The answer of a reading operation, with its figures."""

    summary: str
    figures: dict[str, JsonValue]


class CheckPart(_Model):
    """A verification: its answer, its figures, and what it found."""

    name: str
    status: Answer
    summary: str
    findings: list[FindingPart]
    figures: dict[str, JsonValue]


class RowPart(_Model):
    """One row of a plan."""

    key: str
    operation: str
    before: dict[str, JsonValue] | None
    after: dict[str, JsonValue] | None
    current: dict[str, JsonValue] | None
    reason: str
    selected: bool
    line: int | None


class PlanPart(_Model):
    """A plan with one page of its rows; `token` means exactly this plan until it expires."""

    title: str
    run_id: str
    token: str
    digest: str
    expires_at: datetime
    counts: Counts
    money: Money
    rows_written: int
    blocked: str
    notes: list[str]
    page: int
    page_size: int
    rows: list[RowPart]


class OutcomePart(_Model):
    """What was committed; `undo` is the command line that plans the undo."""

    run_id: str
    counts: Counts
    money: Money
    transaction_id: str
    committed_at: datetime
    undo: str
    verification: CheckPart | None


class WriteDocument(Document):
    """A plan, and where it was applied its outcome."""

    plan: PlanPart | None = None
    outcome: OutcomePart | None = None


class SandboxDocument(Document):
    """Where a sandbox is and what it holds."""

    state: Literal["running", "stopped", "absent"]
    started: bool
    database_url: str
    config: str
    dir: str
    pid: int | None
    schema_name: str | None = Field(serialization_alias="schema")
    invoices: int | None
    seed: int | None
    scenario: str | None
    broken: str | None
    run_id: str | None
    csv: str | None


class SessionRow(_Model):
    """One session at a glance; `fault` says why its log could not be read."""

    id: str
    log: str
    operator: str
    reason: str
    environment: str
    runbook: str | None
    current_step: str | None
    started_at: datetime | None
    last_at: datetime | None
    closed: bool
    in_doubt: list[str]
    records: int
    fault: str


class SessionListDocument(Document):
    """The session logs of a folder, the one used last first."""

    sessions: list[SessionRow]


class SessionDocument(Document):
    """What one session has done, as the fold of its log."""

    id: str
    operator: str
    reason: str
    closed: bool
    current_step: str | None
    steps: dict[str, JsonValue]
    plans: list[dict[str, JsonValue]]
    runs: list[dict[str, JsonValue]]
    in_doubt: list[str]


class LogCheckDocument(Document):
    """Whether a session log's chain holds, and what that does not prove."""

    records: int
    compared_with: list[str]
    not_proven: list[str]


DOCUMENTS: tuple[type[Document], ...] = (
    Document,
    CheckDocument,
    WriteDocument,
    SandboxDocument,
    SessionListDocument,
    SessionDocument,
    LogCheckDocument,
)


def schemas() -> dict[str, Any]:
    """JSON Schema of every document, by the name of its model under `$defs`."""
    models: list[tuple[type[BaseModel], Literal["serialization"]]]
    models = [(model, "serialization") for model in DOCUMENTS]
    _, found = models_json_schema(models, title="ops-console documents")
    return {**found, "$schema": "https://json-schema.org/draft/2020-12/schema"}
