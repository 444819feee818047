"""The seeded portfolio and its incident: what stands there, and that it fits together."""

import csv
import hashlib
import json
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from console.sandbox.seed import RUN_ID
from tests.database.conftest import INVOICES, Database
from tests.database.incident_kit import CHAIN, one

KEY = r"regexp_replace(lower(trim(description)), '\s+', ' ', 'g')"


def loaded_csv(database: Database, connection: psycopg.Connection[Any]) -> int:
    """Bring the incident's file into a temporary table as text and count its rows."""
    connection.execute(
        "CREATE TEMP TABLE incoming (invoice_id uuid, unit_id uuid, line_type text,"
        " description text, amount numeric, tax_rate integer, meta jsonb)"
    )
    with database.csv.open(newline="", encoding="utf-8") as file, connection.cursor() as cursor:
        rows = list(csv.DictReader(file))
        names = list(rows[0])
        cursor.executemany(
            f"INSERT INTO incoming VALUES ({', '.join(f'%({name})s' for name in names)})", rows
        )
    return len(rows)


MATCH = f"""
    FROM incoming AS n LEFT JOIN invoice_lines AS l
    ON l.invoice_id = n.invoice_id AND l.unit_id = n.unit_id AND l.line_type = n.line_type
    AND l.normalized_description = {KEY.replace("description", "n.description")}
"""


def test_the_file_plans_to_120_inserts_and_8_updates(both_schemas: Database) -> None:
    """Joined by the database's own key, 120 rows of the file are absent and 8 differ."""
    with both_schemas.connect() as connection:
        assert loaded_csv(both_schemas, connection) == 128
        assert one(connection, f"SELECT count(*) {MATCH} WHERE l.id IS NULL") == 120
        differs = "(l.amount, l.tax_rate, l.meta) IS DISTINCT FROM (n.amount, n.tax_rate, n.meta)"
        assert one(connection, f"SELECT count(*) {MATCH} WHERE l.id IS NOT NULL AND {differs}") == 8
        assert one(connection, f"SELECT count(*) {MATCH} WHERE l.tax_rate <> n.tax_rate") == 2


def test_no_row_of_the_file_is_in_a_locked_period(both_schemas: Database) -> None:
    """Some periods are locked, and none of the file's invoices lies in one."""
    locked = """
        SELECT count(*) FROM monthly_invoices AS i
        JOIN units AS u ON u.id = i.unit_id JOIN properties AS p ON p.id = u.property_id
        JOIN booking_periods AS b USING (organization_id, year, month)
        WHERE b.is_locked"""
    with both_schemas.connect() as connection:
        loaded_csv(both_schemas, connection)
        assert one(connection, locked) > 0
        assert one(connection, f"{locked} AND i.id IN (SELECT invoice_id FROM incoming)") == 0


def test_a_repaired_portfolio_adds_up(both_schemas: Database) -> None:
    """With the file's rows in place of the damage every invoice equals its lines, but the twin."""
    with both_schemas.connect() as connection:
        loaded_csv(both_schemas, connection)
        live = "true" if both_schemas.schema == "app" else "deleted_at IS NULL"
        unequal = connection.execute(f"""
            WITH lines AS (
                SELECT invoice_id, amount FROM incoming
                UNION ALL
                SELECT l.invoice_id, l.amount FROM invoice_lines AS l
                WHERE {live} AND NOT EXISTS (
                    SELECT FROM incoming AS n WHERE n.invoice_id = l.invoice_id
                    AND n.line_type = l.line_type AND n.description = l.description)
            )
            SELECT i.gesamtbetrag, (SELECT sum(amount) FROM lines WHERE invoice_id = i.id) AS total
            FROM monthly_invoices AS i
            WHERE i.gesamtbetrag <>
                coalesce((SELECT sum(amount) FROM lines WHERE invoice_id = i.id), 0)""").fetchall()
        assert len(unequal) == 1
        assert unequal[0][1] > unequal[0][0]


def test_the_artifacts_name_and_prove_the_file(both_schemas: Database) -> None:
    """Header, summary and checksums of the run's folder agree with each other."""
    folder = both_schemas.csv.parent
    assert folder.name == RUN_ID
    header = both_schemas.csv.read_text(encoding="utf-8").splitlines()[0]
    assert header == "invoice_id,unit_id,line_type,description,amount,tax_rate,meta"
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["run_id"], summary["missing_lines_count"]) == (RUN_ID, 128)
    assert summary["parity_pass"] is False
    sums = dict(line.split("  ")[::-1] for line in (folder / "checksums.sha256").open())
    listed = {name.strip(): digest for name, digest in sums.items()}
    assert set(listed) == {"missing_lines.csv", "summary.json"}
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_counts_and_keys(both_schemas: Database) -> None:
    """The asked number of invoices, and every key as the trigger would have written it."""
    with both_schemas.connect() as connection:
        assert one(connection, "SELECT count(*) FROM monthly_invoices") == INVOICES
        assert (
            one(
                connection,
                f"SELECT count(*) FROM invoice_lines WHERE normalized_description <> {KEY}",
            )
            == 0
        )
        before = one(
            connection, "SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM invoice_lines l"
        )
        connection.execute("UPDATE invoice_lines SET amount = amount")
        after = one(
            connection, "SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM invoice_lines l"
        )
        assert before == after


def test_every_reference_exists(both_schemas: Database) -> None:
    """Rows loaded with the triggers off still satisfy every foreign key."""
    with both_schemas.connect() as connection:
        keys = connection.execute(
            """SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text
            FROM pg_constraint AS c
            JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
            WHERE c.contype = 'f'"""
        ).fetchall()
        assert len(keys) > 15
        for table, column, parent in keys:
            orphans = one(
                connection,
                f"SELECT count(*) FROM {table} AS c WHERE c.{column} IS NOT NULL"
                f" AND NOT EXISTS (SELECT FROM {parent} AS p WHERE p.id = c.{column})",
            )
            assert orphans == 0, (table, column)


def test_one_twin_only_a_stricter_key_sees(both_schemas: Database) -> None:
    """The database's key sees no duplicate; without special spaces there are the seeded ones."""
    strict = "replace(replace(description, chr(160), ' '), chr(8203), '')"
    group = """SELECT count(*) FROM (SELECT FROM invoice_lines
        GROUP BY invoice_id, unit_id, line_type, {} HAVING count(*) > 1) AS g"""
    with both_schemas.connect() as connection:
        assert one(connection, group.format(KEY)) == 0
        expected = {"app": 1, "cloud": 2}[both_schemas.schema]
        assert one(connection, group.format(KEY.replace("description", strict))) == expected


def test_the_soft_deleted_twin(cloud_database: Database) -> None:
    """One line is soft-deleted, beside a live one of another amount."""
    with cloud_database.connect() as connection:
        rows = connection.execute(
            """SELECT l.amount - d.amount FROM invoice_lines AS d JOIN invoice_lines AS l
            USING (invoice_id, unit_id, line_type)
            WHERE d.deleted_at IS NOT NULL AND l.deleted_at IS NULL"""
        ).fetchall()
        assert rows == [(Decimal(50),)]


def test_variances(both_schemas: Database) -> None:
    """Paid amounts disagree with the ledger exactly where the incident says so."""
    with both_schemas.connect() as connection:
        found = connection.execute(
            """SELECT i.paid_amount - coalesce(a.applied, 0), i.paid_amount IS NULL,
                a.applied IS NULL, coalesce(a.applied, 0) > i.gesamtbetrag
            FROM monthly_invoices AS i LEFT JOIN (
                SELECT invoice_id, sum(applied_amount) AS applied
                FROM payment_allocations GROUP BY invoice_id
            ) AS a ON a.invoice_id = i.id"""
        ).fetchall()
    differences = [row for row in found if row[0]]
    missing = [row for row in found if row[1]]
    assert len([row for row in differences if row[0] == Decimal("-0.01")]) == 2
    assert len([row for row in differences if row[0] < -1]) == 3
    assert len([row for row in differences if row[2]]) == 3
    assert len([row for row in found if row[3]]) == 1
    assert len(missing) == (1 if both_schemas.schema == "app" else 0)
    assert len(differences) == 8


def test_a_failed_bank_import(both_schemas: Database) -> None:
    """One file stopped half-way, one went through, and their rows are there to be counted."""
    with both_schemas.connect() as connection:
        rows = connection.execute(
            """SELECT i.status, i.rows_seen, i.rows_inserted, count(t.id)
            FROM ofx_ingestions AS i JOIN transactions AS t ON t.ingestion_id = i.id
            GROUP BY i.id ORDER BY i.status"""
        ).fetchall()
        assert rows == [("FAILED", 14, 6, 6), ("PROCESSED", 14, 14, 14)]


def test_an_earlier_run_of_the_older_tool(both_schemas: Database) -> None:
    """Its audit rows name lines that exist, and claim the new amount as the old one."""
    with both_schemas.connect() as connection:
        rows = connection.execute(
            """SELECT a.new_data ->> 'operation', count(*), count(l.id),
                count(*) FILTER (WHERE a.old_data ->> 'old_amount' = a.new_data ->> 'new_amount')
            FROM audit_logs AS a LEFT JOIN invoice_lines AS l ON l.id::text = a.record_id::text
            WHERE a.new_data ->> 'run_id' = 'manual-20260203-fix17' GROUP BY 1 ORDER BY 1"""
        ).fetchall()
        assert rows == [("insert", 5, 5, 0), ("update", 3, 3, 3)]
        assert connection.execute(
            "SELECT run_id, inserted, updated FROM reconcile_runs"
        ).fetchall() == [("manual-20260203-fix17", 5, 3)]


def test_the_audit_chain_is_linear_and_right(cloud_database: Database) -> None:
    """Every hash can be computed again and every row has a parent of its own."""
    with cloud_database.connect(options="-c TimeZone=UTC") as connection:
        assert one(connection, "SELECT count(*) FROM audit_logs") >= 12
        assert connection.execute(CHAIN).fetchone() == (0, 0)


def test_audit_rows_cannot_be_changed(both_schemas: Database) -> None:
    """Updates and deletes are refused, in the words the users know."""
    with both_schemas.connect() as connection:
        for statement, word in (
            ("UPDATE audit_logs SET action = 'x'", "updated"),
            ("DELETE FROM audit_logs", "deleted"),
        ):
            with pytest.raises(psycopg.errors.RaiseException, match=f"cannot be {word}"):
                connection.execute(statement)
