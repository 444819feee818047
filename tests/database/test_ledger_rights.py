"""The console's own ledger: made once, by whoever may, and used by whom an owner lets."""

import pytest

from console.billing.requirements import REQUIREMENTS
from console.billing.runs import ListRuns, RunsOperation
from console.cli import main
from console.database.preflight import Preflight, PreflightOperation
from console.errors import ConsoleError
from console.operation import Check, Checked
from tests.database import billing
from tests.database.billing import apply, one, plan, upsert, walk
from tests.database.conftest import Database
from tests.database.guarding import OPERATOR, role, untouched

WRITES = {"upsert_missing_lines", "rollback_run"}


def preflight(url: str) -> Check:
    operation = PreflightOperation(billing.desk(url), Preflight(REQUIREMENTS))
    return walk(operation.read(), Checked).check


def test_the_first_apply_makes_the_ledger(both_schemas: Database) -> None:
    """Where the console's schema is missing the plan says so, and the first apply creates it."""
    with both_schemas.connect() as connection:
        connection.execute("DROP SCHEMA IF EXISTS ops_console CASCADE")
        operation = upsert(both_schemas, both_schemas.csv)
        planned = plan(operation)
        assert any("ops_console" in note for note in planned.notes)
        assert planned.blocked == ""
        assert one(connection, "SELECT to_regclass('ops_console.runs') IS NULL")
        apply(operation, planned)
        assert billing.traces(connection) == (129, 1)


def test_a_role_that_may_not_create_the_ledger(both_schemas: Database) -> None:
    """Without the ledger and the right to create it the plan is blocked, with the remedy."""
    with role(both_schemas, *OPERATOR[:3]) as url, untouched(both_schemas) as connection:
        connection.execute("DROP SCHEMA IF EXISTS ops_console CASCADE")
        operation = upsert(billing.desk(url), both_schemas.csv)
        planned = plan(operation)
        assert "ops_console is missing" in planned.blocked
        with pytest.raises(ConsoleError):
            apply(operation, planned)


def test_the_sql_handed_over_is_enough(
    both_schemas: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """Preflight names what is disabled and a command; its SQL, run by an owner, enables it all."""
    with role(both_schemas, *OPERATOR[:3]) as url, both_schemas.connect() as owner:
        owner.execute("DROP SCHEMA IF EXISTS ops_console CASCADE")
        check = preflight(url)
        assert check.answer == "fail"
        assert set(check.figures["disabled"]) == WRITES
        said = plan(upsert(billing.desk(url), both_schemas.csv))
        assert said.blocked in check.figures["disabled"]["upsert_missing_lines"]
        assert not [note for note in said.notes if "ops_console" in note]
        command = said.blocked.rpartition("ops-console ")[2].split()
        capsys.readouterr()
        assert main(command) == 0
        owner.execute(capsys.readouterr().out)
        assert preflight(url).answer == "pass"
        apply(upsert(billing.desk(url), both_schemas.csv))


def test_a_ledger_closed_to_the_role(
    app_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger that the role may not use disables what writes, not what reads."""
    with role(app_database, *OPERATOR[:3]) as url, app_database.connect() as owner:
        check = preflight(url)
        assert set(check.figures["disabled"]) == WRITES
        runs = walk(RunsOperation(billing.desk(url), ListRuns()).read(), Checked).check
        assert (runs.answer, "ops_console" in runs.summary) == ("not_run", True)
        blocked = plan(upsert(billing.desk(url), app_database.csv)).blocked
        capsys.readouterr()
        assert main(blocked.rpartition("ops-console ")[2].split()) == 0
        owner.execute(capsys.readouterr().out)
        assert preflight(url).answer == "pass"


def test_roles_wants_to_know_what(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a word of what is wanted it is refused, and with --json it is a document."""
    assert main(["roles"]) == 2
    assert "--ledger" in capsys.readouterr().err
    assert main(["--json", "roles", "--to", 'x"y']) == 0
    assert '\\"x\\"\\"y\\"' in capsys.readouterr().out
