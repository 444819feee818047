"""Billing reconciliation: sections 1.1 to 6.3 of its runbook, in guided order."""

from __future__ import annotations

from console.runbooks.step import Contact, Kind, Runbook, Step, commands

PREPARE = "1 Pre-deploy"
MIGRATE = "2 Migrations and indexes"
UPSERT = "3 Upsert"
VERIFY = "4 Verification"
TROUBLE = "5 Troubleshooting"
ROLLBACK = "6 Rollback"

NOTIFY = (
    Contact(
        "Slack #ops",
        "Engineering & DevOps",
        "🔴 Rollback executed for run <RUN_ID>. Reason: <reason>",
    ),
    Contact(
        "Email",
        "Product Owner / Finance",
        "Billing reconciliation rolled back. No invoices affected.",
    ),
    Contact("Audit Log", "Compliance", "Automatic via `audit_logs` DELETE entries"),
)


def _step(
    section: str,
    phase: str,
    title: str,
    *,
    why: str,
    does: str,
    expected: str,
    stop_if: str,
    operation: str | None = None,
    evidence: str = "What was run, by whom, and what it printed.",
    only_if: str = "",
    contacts: tuple[Contact, ...] = (),
) -> Step:
    kind: Kind = "automatic" if operation else "attested"
    return Step(
        id=f"billing.{section}",
        section=section,
        phase=phase,
        title=title,
        why=why,
        does=does,
        expected=expected,
        stop_if=stop_if,
        command_text=commands("billing")[section],
        kind=kind,
        operation=operation,
        evidence=evidence,
        only_if=only_if,
        contacts=contacts,
    )


_BEFORE = (
    _step(
        "1.1",
        PREPARE,
        "Database backup",
        why="A full restore (6.1) is the last way back, and it needs a readable dump.",
        does="Takes a full logical backup, schema and data, and lists its contents.",
        expected="No errors, file size > 0, and pg_restore can list the file.",
        stop_if="The dump fails, is empty, or cannot be listed.",
        evidence="File name, size, and the first lines of pg_restore --list.",
    ),
    _step(
        "1.2",
        PREPARE,
        "Duplicate precheck",
        why="Colliding lines would make the unique index and the upsert fail or hit the wrong row.",
        does="Groups the lines by the database's key and by the console's stricter one.",
        expected="Empty result set (0 rows).",
        stop_if="Any group is found: resolve it (5.1) and run this check again.",
        operation="duplicates",
    ),
    _step(
        "5.1",
        TROUBLE,
        "Resolve duplicate groups",
        why="The upsert must not start while two lines share one key.",
        does="Shows the lines of a group; keeps the newest and deletes the rest.",
        expected="The precheck (1.2) finds 0 duplicates.",
        stop_if="The lines differ in amount or an allocation refers to one of them.",
        evidence="Which ids were kept and deleted, and who decided it.",
        only_if="The precheck returns rows.",
    ),
    _step(
        "1.3",
        PREPARE,
        "Staging dry run",
        why="The same file is tried where nothing can be lost.",
        does="Runs the parity harness against staging and validates the artifacts.",
        expected="`Artifact validation passed`, `missing_lines_count: 0`.",
        stop_if="Validation fails or lines are still missing.",
        evidence="The last lines of dryrun.log and of the validator.",
    ),
    _step(
        "2.1",
        MIGRATE,
        "Run schema migrations",
        why="The upsert relies on the newest columns and constraints.",
        does="Runs the application's own migration script.",
        expected="The script ends without an error.",
        stop_if="Any migration fails.",
        evidence="Names of the migrations that ran, or that none was due.",
    ),
    _step(
        "2.2",
        MIGRATE,
        "Create indexes",
        why="ON CONFLICT needs the unique index; settlement queries need the other.",
        does="Builds both indexes CONCURRENTLY (never inside a transaction) and lists them.",
        expected="Both indexes listed with valid = true; no invalid index.",
        stop_if="An index is invalid: drop it and build it again.",
        evidence="The list of indexes and the empty list of invalid ones.",
    ),
)

_UPSERT = (
    _step(
        "3",
        UPSERT,
        "Upsert the missing lines",
        why="The missing lines are what the incident is about.",
        does="Stages the CSV, plans every row against the live table, and applies it in one "
        "transaction with an audit row for each line.",
        expected="Inserted and updated counts equal the plan; audit logs written for the run id.",
        stop_if="The plan has rejected rows or conflicts that nobody can explain.",
        operation="upsert",
    ),
    _step(
        "5.2",
        TROUBLE,
        "Long-running COPY",
        why="A blocked COPY holds the operator, not the data: find who blocks it.",
        does="Looks for blocking statements and table locks; cancels the blocker.",
        expected="No lock on invoice_lines is waited for; the upsert is run again.",
        stop_if="The blocker is a payment run or cannot be identified.",
        evidence="Process id and statement of the blocker, and what was done about it.",
        only_if="COPY hangs or takes over 60 s for under 10k rows.",
    ),
    _step(
        "5.3",
        TROUBLE,
        "Retry after a failed upsert",
        why="A failure means zero rows were committed, so a retry is safe.",
        does="Plans the same file again under a new run id, which keeps the audit trail distinct.",
        expected="As in 3: counts equal the plan.",
        stop_if="It fails twice for the same reason.",
        operation="upsert",
        only_if="The upsert ended with an error and reported ROLLBACK.",
    ),
)

_AFTER = (
    _step(
        "4.1",
        VERIFY,
        "Verify row counts",
        why="The result is measured by another path than the change.",
        does="Counts lines and duplicate keys and compares counts and sums with the run.",
        expected="Duplicates: 0. Line count and sums as the plan said.",
        stop_if="Any duplicate, or a count or sum that differs.",
        operation="verify",
    ),
    _step(
        "4.2",
        VERIFY,
        "Verify audit trail",
        why="Rollback and post-mortem read the audit rows, so they must be complete.",
        does="Counts the audit rows of the run per operation.",
        expected="One row per line: insert and update counts equal the run's.",
        stop_if="A count differs, or a row has no before-image.",
        operation="audit_trail",
    ),
    _step(
        "5.4",
        TROUBLE,
        "Audit hash chain verification",
        why="The chain shows whether audit rows were changed behind the console's back.",
        does="Compares previous_hash with the hash before it for the last 100 entries.",
        expected="previous_hash equals expected_previous in every row.",
        stop_if="Any row differs: that indicates tampering.",
        evidence="Number of rows compared and the ids that differ, or none.",
    ),
)

_BACK = (
    _step(
        "6.2",
        ROLLBACK,
        "Selective rollback of one run",
        why="Only what this run wrote is taken back; everyone else's work stays.",
        does="Deletes lines the run inserted and restores lines it updated, where the row still "
        "equals what the run wrote; the rest is decided row by row.",
        expected="Deleted and restored counts equal the plan; every conflict decided.",
        stop_if="Lines are referenced by allocations, or the run has no true before-images.",
        operation="rollback",
        only_if="The run has to be undone.",
    ),
    _step(
        "6.1",
        ROLLBACK,
        "Full database restore",
        why="The last way back, when a selective rollback is not enough.",
        does="Stops the application, restores the dump, and counts the lines.",
        expected="Line count as before the incident.",
        stop_if="Anything was written since the dump that must not be lost.",
        evidence="Dump file, what was lost since, and who approved it.",
        only_if="The selective rollback (6.2) is not enough.",
    ),
    _step(
        "6.3",
        ROLLBACK,
        "Stakeholder notification",
        why="Finance and compliance act on what they are told.",
        does="Tells the channels below with the templates below.",
        expected="Every channel has been told.",
        stop_if="Nobody in Finance can be reached.",
        evidence="Link or time of each message.",
        only_if="Anything was rolled back (6.1 or 6.2).",
        contacts=NOTIFY,
    ),
)

BILLING = Runbook(
    id="billing",
    title="Billing reconciliation",
    document="billing-reconciliation.md",
    summary="Missing invoice lines: precheck, upsert, verify, undo.",
    steps=(*_BEFORE, *_UPSERT, *_AFTER, *_BACK),
    rules=(
        "CREATE INDEX CONCURRENTLY cannot run inside a transaction block.",
        "Use a new run id for a retry, to keep the audit trail distinct.",
        "The upsert is fully transactional: a failure means zero rows were committed.",
        "The whole pipeline in one go:\n" + commands("billing")["pipeline"],
    ),
    contacts=NOTIFY,
)
