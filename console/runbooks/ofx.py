"""Reprocessing OFX imports: every step of its runbook done by hand."""

from __future__ import annotations

from console.runbooks.step import Contact, Runbook, Step, commands

IDENTIFY = "1 Identify"
PAUSE = "2 Pause"
REPLAY = "3 Replay"
RESUME = "4 Re-enable"
VERIFY = "Verification"
ROLLBACK = "Rollback"

ESCALATE = (
    Contact("Primary", "#oncall-ingestion Slack channel"),
    Contact("Secondary", 'PagerDuty escalation "Ingestion On-Call L2" (Priya Patel)'),
    Contact("Data integrity", "Data Engineering team lead (data-eng@financecopilot.com)"),
)
SUPPORT = (
    Contact("Customer support", "", "Please block new OFX submissions until further notice."),
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
    evidence: str = "What was run, by whom, and what it printed.",
    only_if: str = "",
    contacts: tuple[Contact, ...] = (),
) -> Step:
    return Step(
        id=f"ofx.{section}",
        section=section,
        phase=phase,
        title=title,
        why=why,
        does=does,
        expected=expected,
        stop_if=stop_if,
        command_text=commands("ofx")[section],
        evidence=evidence,
        only_if=only_if,
        contacts=contacts,
    )


_REPLAY = (
    _step(
        "1",
        IDENTIFY,
        "Identify the failed batch",
        why="Replaying the wrong ingestion doubles transactions.",
        does="Lists the last failed ingestions on the analytics replica.",
        expected="The ingestion_id agrees with the PagerDuty ticket notes.",
        stop_if="The ticket names another ingestion.",
        evidence="ingestion_id and PagerDuty ticket.",
    ),
    _step(
        "2",
        PAUSE,
        "Pause new uploads",
        why="A new upload during the replay may overlap with it.",
        does="Switches isUploadEnabled off, which disables /pj/ofx; tells customer support.",
        expected="The route refuses uploads and support blocks submissions.",
        stop_if="Uploads still arrive.",
        evidence="Flag change, time, and who in support confirmed.",
        contacts=SUPPORT,
    ),
    _step(
        "3.1",
        REPLAY,
        "Download the raw payload",
        why="The replay works on the file exactly as the bank sent it.",
        does="Copies the payload from S3.",
        expected="replay.ofx exists and is an OFX file.",
        stop_if="The object is missing or empty.",
        evidence="Size and checksum of the file.",
    ),
    _step(
        "3.2",
        REPLAY,
        "Replay the OFX file",
        why="This is what completes the partial import.",
        does="Runs the replay script on the worker host.",
        expected="The script ends without an error.",
        stop_if="The script reports duplicates or fails.",
        evidence="Output of the script.",
    ),
    _step(
        "3.3",
        REPLAY,
        "Watch the worker",
        why="The script only queues the work; the worker does it.",
        does="Follows the log of ingestion-worker.",
        expected="The ingestion is processed; its status becomes completed.",
        stop_if="The worker repeats the same error.",
        evidence="The log line that completes the ingestion.",
    ),
    _step(
        "V1",
        VERIFY,
        "Ingestion smoke test",
        why="It shows that the path works for the next upload too.",
        does="Runs the smoke tests filtered to ofx.",
        expected="All smoke tests pass.",
        stop_if="Any test fails.",
        evidence="The summary line.",
    ),
    _step(
        "V2",
        VERIFY,
        "Ingestion dashboard and queue",
        why="A second job for the same ingestion would double transactions.",
        does="Looks at the dashboard and at the queue ingestion.ofx.",
        expected="Failed became Completed; no further job for the ingestion ID.",
        stop_if="A job for the same ingestion ID is still queued.",
        evidence="Dashboard state and queue length.",
    ),
    _step(
        "V3",
        VERIFY,
        "Transactions through the API",
        why="The customer sees what the API returns.",
        does="Asks the API for the account's transactions.",
        expected="The new transactions appear in the user's ledger.",
        stop_if="Nothing is returned, or a transaction twice.",
        evidence="Number of transactions and date of the newest.",
    ),
    _step(
        "4",
        RESUME,
        "Re-enable uploads",
        why="Customers cannot upload until this is done.",
        does="Switches isUploadEnabled on and asks the route for its headers.",
        expected="The route /pj/ofx is active.",
        stop_if="The route does not answer.",
        evidence="Status line of the answer.",
    ),
)

_BACK = (
    _step(
        "R1",
        ROLLBACK,
        "Roll the ingestion back",
        why="Duplicate transactions distort the customer's ledger.",
        does="Disables /pj/ofx again (step 2) and runs the rollback script.",
        expected="The ingestion's transactions are gone.",
        stop_if="A transaction is already reconciled.",
        evidence="Number of transactions removed.",
        only_if="The replay introduced duplicate transactions.",
        contacts=ESCALATE,
    ),
    _step(
        "R2",
        ROLLBACK,
        "Mark the ingestion as failed",
        why="The original payload becomes replayable again.",
        does="Calls markIngestionFailed of the admin tool.",
        expected="The ingestion has status failed.",
        stop_if="The status does not change.",
        evidence="ingestion_id and its status.",
        only_if="The ingestion was rolled back.",
    ),
)

OFX = Runbook(
    id="ofx",
    title="Reprocess OFX imports",
    document="ofx-reprocessing.md",
    summary="A failed bank import: pause, replay, verify, resume.",
    steps=(*_REPLAY, *_BACK),
    rules=(
        "Needed: SSH access to the ingestion worker hosts; npm run scripts -- ofx:replay; "
        "the API in server/pj-routes.ts; read access to the queue RabbitMQ ingestion.ofx.",
        "Uploads come back after verification.",
    ),
    contacts=ESCALATE,
)
