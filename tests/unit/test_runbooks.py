"""The runbooks as data: complete, unambiguous, and tied to what the console runs."""

import pytest

from console.runbooks import RUNBOOKS, Runbook, Step
from console.runbooks.step import commands
from screens.incident import OPERATIONS

STEPS = [step for book in RUNBOOKS for step in book.steps]
EACH_STEP = pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
EACH_BOOK = pytest.mark.parametrize("book", RUNBOOKS, ids=lambda book: book.id)


@EACH_STEP
def test_a_step_says_everything(step: Step) -> None:
    """Why, what, expected result, stop-if and command are there for every step."""
    texts = (step.why, step.does, step.expected, step.stop_if, step.command_text, step.evidence)
    assert all(text.strip() for text in texts)
    assert (step.operation is not None) == (step.kind == "automatic")


@EACH_BOOK
def test_ids_are_unique_and_findable(book: Runbook) -> None:
    """A log names a step by its id."""
    assert len({step.id for step in book.steps}) == len(book.steps)
    assert all(book.step(step.id) is step for step in book.steps)
    with pytest.raises(KeyError):
        book.step("no.such.step")


@EACH_BOOK
def test_every_command_of_the_document_has_its_step(book: Runbook) -> None:
    """No command is left over; the whole pipeline stands among the rules."""
    sections = {step.section for step in book.steps}
    assert commands(book.id).keys() - sections <= {"pipeline"}


def test_automatic_steps_are_those_that_can_be_run() -> None:
    """A step must not promise an operation that nothing handles."""
    assert {step.operation for step in STEPS if step.operation} == set(OPERATIONS)


def test_the_documents_words_are_kept() -> None:
    """Thresholds, contacts and templates as the documents have them."""
    texts = "\n".join(
        [c.template + c.who + c.channel for book in RUNBOOKS for c in book.contacts]
        + [e.criterion for book in RUNBOOKS for e in book.escalation]
        + [step.command_text for step in STEPS]
    )
    for words in (
        "🔴 Rollback executed for run <RUN_ID>. Reason: <reason>",
        "Billing reconciliation rolled back. No invoices affected.",
        "#oncall-ingestion",
        "data-eng@financecopilot.com",
        "@dev-lead + @cfo",
        "Varianz 5-50 Rechnungen",
        "variance_count > 10 nach Cutover",
        "--batch-size 10000",
        "aws s3 cp s3://financecopilot-ofx/$INGESTION_ID ./replay.ofx",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS",
        "SELECT pg_cancel_backend(<pid>)",
    ):
        assert words in texts
