"""What keeps an upsert from writing: triggers, rights, and the wrong database."""

import re
from typing import Any

import pytest

from console.errors import Busy, ConsoleError, CouldNotRun, Moved, Refused
from tests.database import billing
from tests.database.billing import apply, one, plan, upsert
from tests.database.conftest import Database
from tests.database.guarding import HOLD, OPERATOR, role, untouched

BODY = "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$"


TRIGGER = "CREATE TRIGGER zz_meddle {} ON invoice_lines FOR EACH {} EXECUTE FUNCTION meddle()"


MEDDLING = {
    "swallows an update": ("RETURN NULL;", "BEFORE UPDATE", "ROW"),
    "adds a cent to an update": (
        "NEW.amount := NEW.amount + 0.01; RETURN NEW;", "BEFORE UPDATE", "ROW"
    ),
    "adds a cent to an insert": (
        "IF TG_TABLE_NAME = 'invoice_lines' THEN NEW.amount := NEW.amount + 0.01; END IF;"
        " RETURN NEW;", "BEFORE INSERT", "ROW"
    ),
    "swallows an insert": (
        "IF TG_TABLE_NAME = 'invoice_lines' THEN RETURN NULL; END IF; RETURN NEW;",
        "BEFORE INSERT", "ROW"
    ),
    "adds a cent afterwards": (
        "UPDATE invoice_lines SET amount = amount + 0.01 WHERE id = NEW.id; RETURN NULL;",
        "AFTER INSERT", "ROW"
    ),
    "deletes afterwards": (
        "DELETE FROM invoice_lines WHERE amount > 0 AND description NOT LIKE 'x%';"
        " RETURN NULL;", "AFTER INSERT", "STATEMENT"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MEDDLING)
def test_a_meddling_trigger_rolls_back(both_schemas: Database, kind: str) -> None:
    """A trigger that swallows a row or changes a cent is noticed before COMMIT."""
    body, when, each = MEDDLING[kind]
    with untouched(both_schemas) as connection:
        connection.execute(BODY.format(body))
        connection.execute(TRIGGER.format(when, each))
        operation = upsert(both_schemas, both_schemas.csv)
        planned = plan(operation)
        assert planned.counts == {"insert": 120, "update": 8}
        with pytest.raises(Moved):
            apply(operation, planned)


def test_a_harmless_later_trigger_does_not_disturb(both_schemas: Database) -> None:
    """A trigger that only looks on leaves the upsert as it is."""
    with both_schemas.connect() as connection:
        connection.execute(BODY.format("RETURN NULL;"))
        connection.execute(TRIGGER.format("AFTER INSERT OR UPDATE", "ROW"))
    assert apply(upsert(both_schemas, both_schemas.csv)).counts == {"insert": 120, "update": 8}


def test_a_line_that_a_trigger_throws_away_is_found_by_the_plan(both_schemas: Database) -> None:
    """Where the trigger shows itself before, the line is a finding and never silently missing."""
    with both_schemas.connect() as connection:
        connection.execute(BODY.format("IF NEW.amount > 300 THEN RETURN NULL; END IF; RETURN NEW;"))
        connection.execute(TRIGGER.format("BEFORE INSERT", "ROW"))
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    assert sum(planned.counts.values()) == 128
    thrown = {f.line for f in operation.findings() if f.code == "discarded"}
    assert len(thrown) == planned.counts["rejected"] > 0
    assert apply(operation, planned).counts["insert"] == planned.counts["insert"]


def test_an_ordinary_role_can_do_it(both_schemas: Database) -> None:
    """The rights an operator needs are enough, from the plan to the undo."""
    with role(both_schemas, *OPERATOR) as url:
        outcome = apply(upsert(billing.desk(url), both_schemas.csv))
        assert outcome.counts == {"insert": 120, "update": 8}
        undone = apply(billing.rollback(billing.desk(url)))
        assert undone.counts == {"delete": 120, "restore": 8, "insert": 0}
    with both_schemas.connect() as connection:
        assert one(connection, "SELECT count(DISTINCT actor) FROM ops_console.runs") == 1


def test_a_holder_of_another_role_is_named(both_schemas: Database) -> None:
    """A role that may not look into other roles' sessions still learns the holder's pid."""
    with (
        role(both_schemas, *OPERATOR) as url,
        untouched(both_schemas),
        both_schemas.connect(autocommit=False) as holder,
    ):
        operation = upsert(billing.desk(url), both_schemas.csv)
        planned = plan(operation)
        holder.execute(HOLD)
        with pytest.raises(Busy, match=f"pid {holder.info.backend_pid} "):
            apply(operation, planned)


def test_row_security_hides_nothing_from_the_guard(both_schemas: Database) -> None:
    """Under row security a stray UPDATE succeeds with no row; here it rolls back."""
    with role(both_schemas, *OPERATOR) as url, untouched(both_schemas) as connection:
        connection.execute("ALTER TABLE invoice_lines ENABLE ROW LEVEL SECURITY")
        connection.execute("CREATE POLICY see ON invoice_lines FOR SELECT USING (true)")
        connection.execute("CREATE POLICY put ON invoice_lines FOR INSERT WITH CHECK (true)")
        connection.execute("CREATE POLICY alter_some ON invoice_lines FOR UPDATE USING (false)")
        operation = upsert(billing.desk(url), both_schemas.csv)
        planned = plan(operation)
        assert planned.counts == {"insert": 120, "update": 8}
        with pytest.raises(Refused):
            apply(operation, planned)


@pytest.mark.parametrize("left_out", range(len(OPERATOR)))
def test_a_missing_right_is_refused(app_database: Database, left_out: int) -> None:
    """Each missing right is said in one sentence, and nothing is written."""
    rights = [right for place, right in enumerate(OPERATOR) if place != left_out]
    with (
        role(app_database, *rights) as url,
        untouched(app_database),
        pytest.raises(ConsoleError) as refusal,
    ):
        apply(upsert(billing.desk(url), app_database.csv))
    assert re.search("may not|lacks a right", refusal.value.message)


def test_a_read_only_role_can_write_nothing(both_schemas: Database) -> None:
    """A role that may only read gets a refusal with every missing right, before any write."""
    with (
        role(both_schemas, *OPERATOR[3:]) as url,
        untouched(both_schemas),
        pytest.raises(CouldNotRun) as refusal,
    ):
        plan(upsert(billing.desk(url), both_schemas.csv))
    assert {finding.code for finding in refusal.value.findings} == {"right"}
    assert len(refusal.value.findings) == 5


def test_a_read_only_environment_is_refused(both_schemas: Database) -> None:
    """An environment that is read-only by its configuration is never written."""
    with untouched(both_schemas), pytest.raises(ConsoleError, match="read-only"):
        apply(upsert(billing.desk(both_schemas, read_only=True), both_schemas.csv))


def test_another_database_under_the_same_name(app_database: Database, clone_database: Any) -> None:
    """A plan made for one database is not applied to another."""
    other = upsert(clone_database("app"), app_database.csv)
    own = upsert(app_database, app_database.csv)
    planned = plan(own)
    plan(other)
    with untouched(app_database), pytest.raises(Refused):
        apply(other, planned)
