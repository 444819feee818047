"""Preflight reads columns and types: what the statements could not use is disabled with why."""

import pytest

from console.billing.requirements import REQUIREMENTS
from console.database.preflight import Preflight, PreflightOperation
from console.desk import Desk
from console.errors import CouldNotRun
from console.operation import Checked
from tests.database import billing
from tests.database.billing import plan, upsert, walk
from tests.database.conftest import Database

CHANGES = {
    "ALTER TABLE invoice_lines RENAME COLUMN meta TO details": "invoice_lines has no column meta",
    "ALTER TABLE invoice_lines ALTER amount TYPE float8": "invoice_lines.amount is double",
    "ALTER TABLE audit_logs RENAME COLUMN old_data TO before": "audit_logs has no column old_data",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_column_that_does_not_fit(app_database: Database, change: str) -> None:
    """The operation is disabled with the column's name, and the plan says the same."""
    with app_database.connect() as owner:
        owner.execute(change)
    operation = PreflightOperation(billing.desk(app_database), Preflight(REQUIREMENTS))
    check = walk(operation.read(), Checked).check
    assert check.answer == "fail"
    assert CHANGES[change] in check.figures["disabled"]["upsert_missing_lines"][0]
    with pytest.raises(CouldNotRun, match=CHANGES[change]):
        plan(upsert(app_database, app_database.csv))


def test_production_refuses_a_role_that_nothing_binds(app_database: Database) -> None:
    """A superuser plans nothing in production, unless the configuration allows it."""
    bound = billing.desk(app_database)
    for allowed in (False, True):
        rules = bound.environment.model_copy(
            update={"kind": "production", "allow_superuser": allowed}
        )
        desk = Desk("live", rules, bound.settings, operator="anna")
        operation = PreflightOperation(desk, Preflight(REQUIREMENTS))
        check = walk(operation.read(), Checked).check
        assert ("rollback_run" in check.figures["disabled"]) is not allowed
        assert check.answer == ("warn" if allowed else "fail")
        if allowed:
            plan(upsert(desk, app_database.csv))
        else:
            with pytest.raises(CouldNotRun, match="superuser"):
                plan(upsert(desk, app_database.csv))


def test_the_probe_says_whether_it_ran(app_database: Database) -> None:
    """An audit row that was never tried is `not run`, and the rights are listed."""

    def figures(**rules: bool) -> dict[str, object]:
        desk = billing.desk(app_database, **rules)
        operation = PreflightOperation(desk, Preflight(REQUIREMENTS))
        return dict(walk(operation.read(), Checked).check.figures)

    assert str(figures()["audit_rows"]).startswith("can be written")
    shown = figures(read_only=True)
    assert shown["audit_rows"] == "not run"
    assert "UPDATE" in shown["rights"]["invoice_lines"]  # type: ignore[index]  # a mapping
