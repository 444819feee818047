"""Values of a file that cannot be taken: each is a finding with its line."""

import random
from pathlib import Path

from tests.database import billing
from tests.database.billing import codes, plan, upsert
from tests.database.conftest import Database
from tests.database.lines_kit import cancel, fresh, lock_month, with_cell

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


def test_a_cancelled_invoice(both_schemas: Database, tmp_path: Path) -> None:
    """Where the enum has `storniert`, such an invoice's lines stay as they are."""
    with both_schemas.connect() as connection:
        line = fresh(connection)[0]
        cancel(connection, line[0])
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [line]))
    assert plan(operation).counts == {"rejected": 1}
    assert codes(operation) == {2: {"cancelled"}}
