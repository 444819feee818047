"""Keys that stand twice, in the file or among the live lines, and twins of them."""

from pathlib import Path

from tests.database import billing
from tests.database.billing import codes, plan, rows, upsert
from tests.database.conftest import Database
from tests.database.lines_kit import INVISIBLE, fresh, live_line, with_cell

# Where the database's own key differs between a text and what an eye takes for the same text.
TWINS = [
    ("Grundmiete Jänner 2026", "Grundmiete\u00a0Jänner 2026"),
    ("Grundmiete Jänner 2026", "Grundmiete Jänner 2026\u00a0"),
    ("Grundmiete Jänner 2026", "Grund\u200bmiete Jänner 2026"),
    ("Grundmiete Jänner 2026", "Grundmiete \u200b Jänner 2026"),
    ("Grundmiete", "\u200b Grundmiete"),
    ("GrundmieteJänner", "Grundmiete\u200bJänner"),
    ("Grundmiete", "\ufeffGrundmiete"),
    ("BK2026", "BK\ufeff2026"),
    ("Jänner", "Ja\u0308nner"),
    ("BK Vorschuss", "\tBK Vorschuss"),
    ("BK Vorschuss", "\nBK Vorschuss"),
    ("BK Vorschuss", "BK Vorschuss\r\n"),
    ("Top 12 Lift", "Top\u202f12 Lift"),
    ("BK Vorschuss", "BK\u0085Vorschuss"),
    ("BK Vorschuss", "BK\u2007Vorschuss"),
    ("Abfuhr", "Ab\u00adfuhr"),
    ("Abfuhr", "Ab\u2060fuhr"),
    *(("Müllabfuhr", f"Müll{sign}abfuhr") for sign in INVISIBLE),
]


def test_twins_are_conflicts_and_never_a_second_line(
    both_schemas: Database, tmp_path: Path
) -> None:
    """Where only the database sees a difference, a human decides; nothing is inserted unseen."""
    with both_schemas.connect() as connection:
        invoices = list(billing.open_invoices(connection, len(TWINS)))
        assert len(invoices) == len(TWINS)
        lines = []
        for (invoice, unit), (live, written) in zip(invoices, TWINS, strict=True):
            connection.execute(
                "INSERT INTO invoice_lines (invoice_id, unit_id, line_type, description, amount)"
                " VALUES (%s, %s, 'sonstige', %s, 5)",
                (invoice, unit, live),
            )
            lines.append([invoice, unit, "sonstige", written, "5.00", "0", ""])
        key = "regexp_replace(lower(trim(%s::text)), '\\s+', ' ', 'g')"
        for live, written in TWINS:
            assert billing.one(connection, f"SELECT {key} <> {key}", live, written), (live, written)
    operation = upsert(both_schemas, billing.write_csv(tmp_path, lines))
    planned = plan(operation)
    kinds = {TWINS[row.number - 1]: (row.operation, row.reason) for row in rows(operation)}
    assert {k: v for k, v in kinds.items() if v != ("conflict", "twin")} == {}
    assert planned.counts == {"conflict": len(TWINS)}
    assert planned.rows_written == 0


def test_twins_inside_the_file(both_schemas: Database, tmp_path: Path) -> None:
    """Two spellings of one description in one file are a repeated key, and neither is taken."""
    with both_schemas.connect() as connection:
        line = fresh(connection)[0]
    twin = with_cell(line, "description", "Neue\u00a0Zeile")
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [line, twin]))
    assert plan(operation).counts == {"conflict": 2}
    assert codes(operation) == {2: {"repeated_key"}, 3: {"repeated_key"}}


def test_repeated_lines_and_keys(both_schemas: Database, tmp_path: Path) -> None:
    """Equal repetitions count once; the same key with other content is a conflict of both lines."""
    with both_schemas.connect() as connection:
        one, two = fresh(connection, 2)
    lines = [one, one, two, with_cell(two, "amount", "11.00"), with_cell(one, "amount", "10")]
    operation = upsert(both_schemas, billing.write_csv(tmp_path, lines))
    assert plan(operation).counts == {"insert": 1, "rejected": 2, "conflict": 2}
    assert codes(operation) == {
        3: {"repeated_line"}, 4: {"repeated_key"}, 5: {"repeated_key"}, 6: {"repeated_line"}
    }  # fmt: skip
    said = {finding.line: finding.message for finding in operation.findings()}
    assert "line 5 too" in said[4]
    assert "line 4 too" in said[5]


def test_soft_deleted_lines_are_a_state_of_their_own(
    cloud_database: Database, tmp_path: Path
) -> None:
    """A deleted line that carries the key is a conflict, never updated unseen."""
    with cloud_database.connect() as connection:
        line = list(live_line(connection))
        connection.execute(
            "UPDATE invoice_lines SET deleted_at = now() WHERE invoice_id = %s AND line_type = %s"
            " AND description = %s",
            (line[0], line[2], line[3]),
        )
    operation = upsert(
        cloud_database, billing.write_csv(tmp_path, [with_cell(line, "amount", "1.00")])
    )
    assert plan(operation).counts == {"conflict": 1}
    assert codes(operation) == {2: {"soft_deleted"}}


def test_an_empty_unit_does_not_escape_the_key(both_schemas: Database, tmp_path: Path) -> None:
    """A live line without a unit matches its file line: equal units, or a conflict."""
    with both_schemas.connect() as connection:
        invoice, unit = next(billing.open_invoices(connection))
        connection.execute(
            "INSERT INTO invoice_lines (invoice_id, line_type, description, amount)"
            " VALUES (%s, 'sonstige', 'Ohne Top', 10)",
            (invoice,),
        )
    same = [invoice, "", "sonstige", "Ohne Top", "10.00", "0", ""]
    for line, counts in (
        (same, {"noop": 1}),
        (with_cell(same, "amount", "12.00"), {"update": 1}),
        (with_cell(same, "unit_id", unit), {"conflict": 1}),
    ):
        assert plan(upsert(both_schemas, billing.write_csv(tmp_path, [line]))).counts == counts


def test_several_live_lines_with_the_key(both_schemas: Database, tmp_path: Path) -> None:
    """A key that several live lines carry by our reading is decided by hand."""
    with both_schemas.connect() as connection:
        line = list(live_line(connection))
        connection.execute(
            "INSERT INTO invoice_lines (invoice_id, unit_id, line_type, description, amount)"
            " VALUES (%s, %s, %s, %s || chr(160), 1)",
            line[:4],
        )
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [line]))
    assert plan(operation).counts == {"conflict": 1}
    assert codes(operation) == {2: {"duplicate_group"}}


def test_lines_without_a_stored_key_are_not_doubled(both_schemas: Database, tmp_path: Path) -> None:
    """A live line loaded before the trigger is found all the same, and left to a human."""
    with both_schemas.connect() as connection:
        line = list(live_line(connection))
        connection.execute("ALTER TABLE invoice_lines DISABLE TRIGGER USER")
        connection.execute("UPDATE invoice_lines SET normalized_description = NULL")
        connection.execute("ALTER TABLE invoice_lines ENABLE TRIGGER USER")
    changed = with_cell(line, "amount", "1.23")
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [changed]))
    assert plan(operation).counts == {"conflict": 1}


def test_meta_that_is_json_null_cannot_be_restored(both_schemas: Database, tmp_path: Path) -> None:
    """A live JSON null would come back as SQL NULL, so the line is a conflict."""
    with both_schemas.connect() as connection:
        line = list(live_line(connection))
        connection.execute(
            "UPDATE invoice_lines SET meta = 'null' WHERE invoice_id = %s", (line[0],)
        )
    changed = with_cell(with_cell(line, "amount", "1.23"), "meta", "")
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [changed]))
    assert plan(operation).counts == {"conflict": 1}
    assert codes(operation) == {2: {"json_null"}}
