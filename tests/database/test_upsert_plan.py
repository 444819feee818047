"""What a plan of an upsert finds before anything is written."""

import random
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from console.billing.lines_file import open_lines_file
from console.billing.staging import Staging
from console.errors import BadInput, CouldNotRun, RunIdUsed
from console.settings import Billing
from tests.database import billing
from tests.database.billing import HEADER, OLDER_RUN, Connection, codes, plan, rows, upsert
from tests.database.conftest import Database

INVISIBLE = ("\u200b", "\u00ad", "\ufeff", "\u2060", "\u200e", "\u202e", "\ufe0f", "\u034f")


def live_line(connection: Connection, where: str = "true") -> tuple[str, ...]:
    """One live line of an open invoice, as the cells of a file."""
    found = billing.all_rows(
        connection,
        f"""SELECT l.invoice_id::text, l.unit_id::text, l.line_type, l.description, l.amount::text,
               l.tax_rate::text, coalesce(l.meta::text, '')
        FROM invoice_lines l WHERE l.invoice_id::text = ANY (%s)
          AND l.description !~ '[^ -~äöüÄÖÜß]' AND {where}
        ORDER BY l.id LIMIT 1""",
        [invoice for invoice, _ in billing.open_invoices(connection, 1000)],
    )
    return found[0]


def fresh(connection: Connection, count: int = 1) -> list[list[str]]:
    """Lines that do not exist yet, each on another open invoice."""
    return [
        [invoice, unit, "sonstige", "Neue Zeile", "10.00", "20", ""]
        for invoice, unit in billing.open_invoices(connection, count)
    ]


def with_cell(line: list[str], name: str, value: str) -> list[str]:
    changed = list(line)
    changed[HEADER.index(name)] = value
    return changed


def test_the_incident_plans_120_inserts_and_8_updates(both_schemas: Database) -> None:
    """The seeded file is 120 inserts and 8 updates, with the money and the old values."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    assert planned.counts == {"insert": 120, "update": 8}
    assert (planned.rows_written, planned.finding_count, planned.blocked) == (128, 0, "")
    pages = rows(operation)
    assert [row.line for row in pages] == list(range(2, 130))
    moved = sum(
        Decimal(str(row.after["amount"]))
        - (Decimal(str(row.before["amount"])) if row.before else Decimal(0))
        for row in pages
        if row.after
    )
    assert planned.money == {"EUR": moved}
    with both_schemas.connect() as connection:
        for row in rows(operation, "update"):
            assert row.before is not None
            live = "SELECT to_jsonb(l)->>'amount' FROM invoice_lines l WHERE id = %s"
            assert str(row.before["amount"]) == billing.one(connection, live, row.before["id"])


def test_a_plan_writes_nothing(both_schemas: Database) -> None:
    """Every user table is the same after a plan, a page and the findings."""
    with both_schemas.connect() as connection:
        before = billing.everything(connection)
        operation = upsert(both_schemas, both_schemas.csv)
        plan(operation)
        rows(operation)
        operation.findings()
        assert billing.everything(connection) == before
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' OR NOT granted"
        assert billing.one(connection, held) == 0
        operation.close()
        assert billing.everything(connection) == before


def test_the_server_itself_keeps_the_plan_from_writing(
    both_schemas: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its temporary tables stand, the plan's transactions are read-only to the server."""
    refused = []

    def try_to_write(staging: Staging) -> None:
        for text in ("DELETE FROM invoice_lines", "INSERT INTO organizations (name) VALUES ('x')"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                staging.connection.execute(text)
            staging.connection.rollback()
            refused.append(text)

    measure = Staging.measure
    monkeypatch.setattr(
        Staging, "measure", lambda staging: (try_to_write(staging), measure(staging))[1]
    )
    plan(upsert(both_schemas, both_schemas.csv))
    assert len(refused) == 2


BAD_CELLS = [
    ("invoice_id", "4711", "invoice_id"),
    ("invoice_id", "", "invoice_id"),
    ("invoice_id", "{00000000-0000-4000-8000-000000000001}", "invoice_id"),
    ("invoice_id", "00000000-0000-4000-8000-00000000dead", "unknown_invoice"),
    ("unit_id", "top 4", "unit_id"),
    ("unit_id", "00000000-0000-4000-8000-00000000dead", "unknown_unit"),
    ("line_type", "heizungskosten", "line_type"),
    ("line_type", "", "line_type"),
    ("line_type", "Grundmiete", "line_type"),
    ("description", "", "description"),
    ("description", "   ", "description"),
    ("description", "\u00a0\u200b\u3000", "description"),
    ("tax_rate", "0.2", "tax_rate"),
    ("tax_rate", "19", "tax_rate"),
    ("tax_rate", "20.0", "tax_rate"),
    ("tax_rate", "", "tax_rate"),
    ("tax_rate", "+10", "tax_rate"),
    ("meta", "nix", "meta"),
    ("meta", "[1]", "meta"),
    ("meta", "null", "meta"),
    ("meta", '{"a": NaN}', "meta"),
    ("meta", '{"a": 1, "a": 2}', "meta"),
    ("meta", '{"a": "\\u0000"}', "meta"),
    ("meta", '{"a": "\\ud800"}', "meta"),
    ("meta", '{"a": "\\udc00x"}', "meta"),
    ("meta", '{"a": 1e400000}', "meta"),
    ("meta", '{"a": 1e99999999999999999999}', "meta"),
    ("meta", '{"a":' * 5000 + "1" + "}" * 5000, "meta"),
    *(
        ("amount", value, "amount")
        for value in (
            "", " ", "NaN", "sNaN", "Infinity", "-inf", "1e5", "1e999999999", "1_000", "1,5",
            "1.234,56", "1.005", "0x10", "(5)", "5-", "+5", "\u22125", "€5", "\uff11\uff12.00",
            "\u0661\u0662", "12345678901.00", "9" * 5000, ".5", "5.", " 5", "5\n", "--5", "1.2.3",
        )
    ),
]  # fmt: skip


def test_every_bad_value_is_a_finding_with_its_line(both_schemas: Database, tmp_path: Path) -> None:
    """All bad lines are reported at once, each with its line and its code, and none is taken."""
    with both_schemas.connect() as connection:
        line, good = fresh(connection, 2)
        before = billing.everything(connection)
    cells = [[with_cell(line, name, value)] for name, value, _ in BAD_CELLS]
    lines = [line for group in cells for line in group]
    path = billing.write_csv(tmp_path, [*lines, good])
    ends, at = [], 2
    for line in lines:
        ends.append(at)
        at += 1 + sum(str(cell).count("\n") for cell in line)
    operation = upsert(both_schemas, path)
    planned = plan(operation)
    found = codes(operation)
    wrong = {
        (name, value[:40]): found.get(line)
        for (name, value, code), line in zip(BAD_CELLS, ends, strict=True)
        if found.get(line) != {code}
    }
    assert wrong == {}
    assert set(found) == set(ends)
    assert planned.counts == {"insert": 1, "rejected": len(BAD_CELLS)}
    assert planned.finding_count == len(BAD_CELLS)
    for finding in operation.findings(0, 1000):
        assert finding.message.startswith(f"line {finding.line}: ")
        assert finding.next_step
    with both_schemas.connect() as connection:
        assert billing.everything(connection) == before


def test_a_description_too_long_for_the_unique_index(
    both_schemas: Database, tmp_path: Path
) -> None:
    """One line that no index entry can hold is a finding, and the rest can still be applied."""
    noise = random.Random(7)
    texts = ["".join(noise.choices("abcdefghäöü", k=length)) for length in (5000, 1000)]
    with both_schemas.connect() as connection:
        lines = [
            with_cell(line, "description", text)
            for line, text in zip(fresh(connection, 2), texts, strict=True)
        ]
    operation = upsert(both_schemas, billing.write_csv(tmp_path, lines))
    planned = plan(operation)
    assert planned.counts == {"rejected": 1, "insert": 1}
    assert codes(operation) == {2: {"description_long"}}
    assert billing.apply(operation, planned).counts["insert"] == 1


def test_several_faults_of_one_line_are_all_named(app_database: Database, tmp_path: Path) -> None:
    """One line with four faults has four findings."""
    path = billing.write_csv(tmp_path, [["x", "y", "z", "Miete", "1,0", "19", "{"]])
    operation = upsert(app_database, path)
    plan(operation)
    assert codes(operation) == {
        2: {"invoice_id", "unit_id", "line_type", "amount", "tax_rate", "meta"}
    }


def test_a_unit_of_another_invoice(both_schemas: Database, tmp_path: Path) -> None:
    """A unit that exists but is not the invoice's is named as such."""
    with both_schemas.connect() as connection:
        first = fresh(connection)[0]
        other = billing.one(
            connection, "SELECT id::text FROM units WHERE id <> %s LIMIT 1", first[1]
        )
    operation = upsert(
        both_schemas, billing.write_csv(tmp_path, [with_cell(first, "unit_id", other)])
    )
    plan(operation)
    assert codes(operation) == {2: {"other_unit"}}


def test_a_locked_period(both_schemas: Database, tmp_path: Path) -> None:
    """A line of a locked month is rejected, whatever else it says."""
    with both_schemas.connect() as connection:
        line = fresh(connection)[0]
        lock_month(connection, line[0])
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [line]))
    assert plan(operation).counts == {"rejected": 1}
    assert codes(operation) == {2: {"locked_period"}}


def lock_month(connection: Connection, invoice: str) -> None:
    """Lock the invoice's month for its organization."""
    connection.execute(
        """INSERT INTO booking_periods (organization_id, year, month, is_locked)
        SELECT p.organization_id, m.year, m.month, true FROM monthly_invoices m
        JOIN units u ON u.id = m.unit_id JOIN properties p ON p.id = u.property_id
        WHERE m.id = %s
        ON CONFLICT (organization_id, year, month) DO UPDATE SET is_locked = true""",
        (invoice,),
    )


def cancel(connection: Connection, invoice: str) -> None:
    """Cancel an invoice, in a database whose enum knows the word only now."""
    connection.execute("ALTER TYPE invoice_status ADD VALUE IF NOT EXISTS 'storniert'")
    connection.execute("UPDATE monthly_invoices SET status = 'storniert' WHERE id = %s", (invoice,))


def test_a_cancelled_invoice(both_schemas: Database, tmp_path: Path) -> None:
    """Where the enum has `storniert`, such an invoice's lines stay as they are."""
    with both_schemas.connect() as connection:
        line = fresh(connection)[0]
        cancel(connection, line[0])
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [line]))
    assert plan(operation).counts == {"rejected": 1}
    assert codes(operation) == {2: {"cancelled"}}


def test_equal_rows_are_no_ops(both_schemas: Database, tmp_path: Path) -> None:
    """A line equal to the live one is left alone; empty meta says nothing about meta."""
    with both_schemas.connect() as connection:
        line = list(live_line(connection))
        connection.execute(
            "UPDATE invoice_lines SET meta = '{\"a\": 1.50}' WHERE invoice_id = %s", (line[0],)
        )
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [with_cell(line, "meta", "")]))
    planned = plan(operation)
    assert planned.counts == {"noop": 1}
    assert (planned.rows_written, planned.money["EUR"]) == (0, Decimal("0.00"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("amount", "77.70"), ("tax_rate", "13"), ("meta", '{"x": 1}'), ("description", None)],
)
def test_each_differing_column_is_an_update(
    both_schemas: Database, tmp_path: Path, name: str, value: str | None
) -> None:
    """A difference in any one column makes an update whose before and after differ there."""
    with both_schemas.connect() as connection:
        line = list(live_line(connection, "l.amount <> 77.70 AND l.tax_rate <> 13"))
    changed = with_cell(line, name, value or line[3].upper())
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [changed]))
    assert plan(operation).counts == {"update": 1}
    row = rows(operation)[0]
    assert row.before is not None
    assert row.after is not None
    differing = {column for column in HEADER if row.before[column] != row.after[column]}
    assert differing == {name}


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


def test_only_the_selected_lines_are_planned(both_schemas: Database) -> None:
    """A selection of lines narrows rows and money, and makes another plan."""
    whole = plan(upsert(both_schemas, both_schemas.csv))
    operation = upsert(both_schemas, both_schemas.csv, lines=(2, 5, 129))
    narrowed = plan(operation)
    assert narrowed.rows_written == 3
    assert narrowed.counts["unselected"] == 125
    assert {row.line for row in rows(operation) if row.selected} == {2, 5, 129}
    assert narrowed.digest != whole.digest


def test_the_digest_means_this_plan(app_database: Database, tmp_path: Path) -> None:
    """The same file on the same data has the same digest; other data or run ids another one."""
    first = plan(upsert(app_database, app_database.csv)).digest
    assert plan(upsert(app_database, app_database.csv)).digest == first
    assert plan(upsert(app_database, app_database.csv, "other-run-1")).digest != first
    changed = app_database.csv.read_text().replace("\n", "\r\n")
    (tmp_path / "lines.csv").write_bytes(changed.encode())
    assert plan(upsert(app_database, tmp_path / "lines.csv")).digest != first
    operation = upsert(app_database, app_database.csv)
    plan(operation)
    before = rows(operation, "update")[0].before
    assert before is not None
    with app_database.connect() as connection:
        connection.execute(
            "UPDATE invoice_lines SET amount = amount + 0.01 WHERE id = %s", (before["id"],)
        )
    assert plan(upsert(app_database, app_database.csv)).digest != first


@pytest.mark.parametrize("run_id", [OLDER_RUN])
def test_a_run_id_of_the_older_tool_is_used(both_schemas: Database, run_id: str) -> None:
    """A run id that audit rows carry already cannot be told apart later, so it is refused."""
    with pytest.raises(RunIdUsed):
        plan(upsert(both_schemas, both_schemas.csv, run_id))


def test_an_unknown_line_type_may_be_configured(app_database: Database, tmp_path: Path) -> None:
    """A site's own line type is accepted once its rules name it."""
    with app_database.connect() as connection:
        line = with_cell(fresh(connection)[0], "line_type", "kinderwagenraum")
    path = billing.write_csv(tmp_path, [line])
    assert plan(upsert(app_database, path)).counts == {"rejected": 1}
    at = billing.desk_with(app_database, Billing(line_types=("kinderwagenraum",)))
    assert plan(upsert(at, path)).counts == {"insert": 1}


def test_an_unreachable_database_is_no_plan(both_schemas: Database) -> None:
    """Without a database there is no dry run that says OK."""
    with pytest.raises(CouldNotRun):
        plan(upsert(billing.desk("host=127.0.0.1 port=1 dbname=x"), both_schemas.csv))


def test_a_changed_file_is_noticed(app_database: Database, tmp_path: Path) -> None:
    """A file that changes after it was looked at is refused, also when it stops being text."""
    for content in (b"x", b"\xff\xfe\x81", b'"', b"a\x00b"):
        path = billing.write_csv(tmp_path, [])
        file = open_lines_file(path)
        path.write_bytes(path.read_bytes() + content)
        with pytest.raises(BadInput):
            list(file.blocks())


def test_a_selection_outside_the_file(app_database: Database) -> None:
    """A line number that the file does not have is refused instead of narrowing to less."""
    with pytest.raises(BadInput, match="no record of the file: 7000"):
        plan(upsert(app_database, app_database.csv, lines=(2, 7000)))
