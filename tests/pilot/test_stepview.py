"""Where the operator is, and what the lists say about it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from console.operation import Check, PlanRow
from console.runbooks import runbook
from screens import stepview, words
from screens.ports import Mark, Place, Standing
from tests.pilot.stage import NOW

BILLING = runbook("billing")
PLACE = Place("demo", "sandbox")


def at(marks: dict[str, Standing]) -> str:
    """The section of the step where somebody is who did these steps in this order."""
    order = enumerate(marks.items())
    found = {f"billing.{s}": Mark(how, at=NOW + timedelta(minutes=n)) for n, (s, how) in order}
    return BILLING.steps[stepview.here(BILLING.steps, found)].section


@pytest.mark.parametrize(
    ("marks", "section"),
    [
        ({}, "1.1"),
        ({"1.1": "attested"}, "1.2"),
        ({"1.1": "attested", "1.2": "failed"}, "1.2"),
        ({"1.2": "failed", "3": "in_doubt"}, "3"),
        ({"3": "planned"}, "3"),
        ({"3": "done"}, "4.1"),
        ({"1.1": "skipped", "1.2": "done", "1.3": "attested"}, "2.1"),
    ],
)
def test_where_the_operator_is(marks: dict[str, Standing], section: str) -> None:
    """In doubt comes before unfinished, unfinished before what follows the newest step."""
    assert at(marks) == section


def test_by_hand_is_not_green() -> None:
    """What nobody but the operator vouches for does not look like what was measured."""
    step = BILLING.steps[0]
    attested = stepview.standing(step, Mark("attested", "", NOW, "seen"), here=False)
    done = stepview.standing(step, Mark("done", "", NOW), here=False)
    assert "attested" in attested.plain
    assert stepview.SIGNS["attested"][2] != stepview.SIGNS["done"][2]
    assert attested.plain != done.plain


def test_the_preflight_disables_a_step_with_its_reason() -> None:
    """The reason is the server's; a read-only environment is its own."""
    upsert = next(step for step in BILLING.steps if step.operation == "upsert")
    check = next(step for step in BILLING.steps if step.operation == "duplicates")
    found = Check("preflight", "fail", figures={"disabled": {"upsert_missing_lines": ["No key."]}})
    assert stepview.why_disabled(upsert, PLACE, found) == "No key."
    assert stepview.why_disabled(check, PLACE, found) == ""
    reader = Place("live", "replica", read_only=True)
    assert stepview.why_disabled(upsert, reader, None) == "the environment is read-only"
    assert stepview.why_disabled(check, reader, None) == ""


def test_a_column_that_a_plan_does_not_speak_of_is_left_alone() -> None:
    """It is neither listed as a change nor shown as set to NULL."""
    before = {"id": "7", "amount": Decimal("1.00"), "meta": {"a": 1}}
    row = PlanRow(1, "7", "update", before, {"amount": Decimal("2.00"), "meta": None})
    assert words.change(row).plain == 'amount 1.00 → 2.00, meta {"a": 1} → NULL'
    assert "id: 7" in [line.plain for line in words.images(row)]
