"""The forms in which a file of lines arrives, and the key that its descriptions get."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from console.billing.lines_file import BLOCK, open_lines_file
from console.database.schema import Schema
from console.errors import BadInput
from tests.database import billing
from tests.database.billing import HEADER, Connection, codes, csv_text, plan, rows, upsert
from tests.database.conftest import Database
from tests.database.test_upsert_plan import fresh, with_cell


def written(folder: Path, content: bytes) -> Path:
    path = folder / "lines.csv"
    path.write_bytes(content)
    return path


FORMS = {
    "BOM": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "semicolons": lambda text: re.sub(r",(?![^{]*})", ";", text).encode(),
    "tabs": lambda text: re.sub(r",(?![^{]*})", "\t", text).encode(),
    "Windows-1252": lambda text: text.encode("cp1252"),
    "no last newline": lambda text: text.rstrip("\n").encode(),
    "empty lines": lambda text: text.replace("\n", "\n\n").encode(),
    "spelling of the header": lambda text: text.replace(
        "invoice_id,unit_id", "Invoice_ID, unitId", 1
    ).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_the_same_file(app_database: Database, tmp_path: Path, form: str) -> None:
    """However the incident's file is written, it plans the same 128 rows and the same money."""
    text = app_database.csv.read_text(encoding="utf-8")
    assert "ä" in text
    operation = upsert(app_database, written(tmp_path, FORMS[form](text)))
    planned = plan(operation)
    expected = plan(upsert(app_database, app_database.csv))
    assert (planned.counts, planned.money) == (expected.counts, expected.money)
    assert any("Windows-1252" in note for note in planned.notes) == (form == "Windows-1252")


def test_columns_in_any_order(both_schemas: Database, tmp_path: Path) -> None:
    """Columns are read by their names, not by their places; meta may be missing."""
    with both_schemas.connect() as connection:
        line = fresh(connection)[0]
    order = [5, 3, 0, 4, 2, 1]
    path = billing.write_csv(tmp_path, [[line[i] for i in order]], [HEADER[i] for i in order])
    operation = upsert(both_schemas, path)
    assert plan(operation).counts == {"insert": 1}
    after = rows(operation)[0].after
    assert after is not None
    assert [str(after[name]) for name in ("invoice_id", "unit_id", "description")] == [
        line[0], line[1], "Neue Zeile"
    ]  # fmt: skip


def test_quoted_newlines_keep_the_line_numbers_true(app_database: Database, tmp_path: Path) -> None:
    """A finding after cells with line breaks still names the line an editor shows."""
    with app_database.connect() as connection:
        line, other = fresh(connection, 2)
    first = with_cell(line, "description", 'Zwei\nZeilen\r\nhier, mit ; und " darin')
    bad = with_cell(other, "amount", "1,00")
    path = billing.write_csv(tmp_path, [first, bad])
    operation = upsert(app_database, path)
    assert plan(operation).counts == {"insert": 1, "rejected": 1}
    assert codes(operation) == {5: {"amount"}}
    after = rows(operation, "insert")[0].after
    assert after is not None
    assert after["description"] == first[3]


def test_lines_with_other_numbers_of_fields(app_database: Database, tmp_path: Path) -> None:
    """Short and long records are findings of their own line, and the rest is read on."""
    with app_database.connect() as connection:
        line = fresh(connection)[0]
    path = billing.write_csv(tmp_path, [line[:3], [*line, "more"], [" "], line])
    operation = upsert(app_database, path)
    assert plan(operation).counts == {"rejected": 3, "insert": 1}
    assert codes(operation) == {2: {"fields"}, 3: {"fields"}, 4: {"fields"}}


HEAD = ",".join(HEADER) + "\n"
REFUSED = {
    "empty": (b"", "is empty"),
    "only a BOM": (b"\xef\xbb\xbf", "line 1"),
    "spaces": (b"   \n", "line 1"),
    "no header": (b"a,b,c\n1,2,3\n", "line 1: the header does not fit"),
    "unknown column": (HEAD.replace("meta", "mata").encode(), "unknown: mata"),
    "column twice": (HEAD.replace("meta", "amount").encode(), "twice: amount"),
    "missing column": (HEAD.replace("amount,", "").encode(), "missing: amount"),
    "look-alike": (HEAD.replace("amount", "аmount").encode(), "missing: amount"),
    "both invoice and tenant": (f"tenant_id,{HEAD}".encode(), "invoices and tenants"),
    "neither invoice nor tenant": (HEAD.replace("invoice_id,", "").encode(), "invoice_id"),
    "sep line": (b"sep=;\n" + HEAD.encode(), "line 1"),
    "UTF-16": (HEAD.encode("utf-16"), "line 1: a NUL byte"),
    "UTF-16 without BOM": (HEAD.encode("utf-16-le"), "line 1: a NUL byte"),
    "NUL": (HEAD.encode() + b"a,b\nc\0,d\n", "line 3: a NUL byte"),
    "not text": (HEAD.encode() + b"x\ny\x81\xff\n", "line 3: neither"),
    "open quote": (HEAD.encode() + b'a,b,c,d,e,f,g\n"a,b,c,d,e,f,g\nx\n', "line 3: the quoting"),
    "text after a quote": (HEAD.encode() + b'"a"b,b,c,d,e,f,g\n', "line 2: the quoting"),
    "broken header": (b'"invoice_id,unit_id\n', "line 1"),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "line 1: a NUL byte"),
    "huge field": (HEAD.encode() + b"a,b,c," + b"x" * 200_000 + b",1,0,\n", "line 2"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_file_that_cannot_be_read(tmp_path: Path, fault: str) -> None:
    """The refusal names the line and what is wrong, and says what to do or what it is."""
    content, word = REFUSED[fault]
    with pytest.raises(BadInput) as refusal:
        list(open_lines_file(written(tmp_path, content)).blocks())
    assert word in refusal.value.message
    assert "Traceback" not in refusal.value.message
    assert len(refusal.value.message) < 400


def test_a_fault_in_the_middle_of_reading_leaves_nothing(
    app_database: Database, tmp_path: Path
) -> None:
    """A quote that never closes ends the plan with its line, and its connection is given back."""
    content = app_database.csv.read_bytes() + b'"open,b,c,d,e,f,g\n'
    operation = upsert(app_database, written(tmp_path, content))
    with pytest.raises(BadInput, match="line 130: the quoting"):
        plan(operation)
    assert operation._connection is None


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    """A folder, a device and a missing file are refused before anything is read."""
    for path in (tmp_path, Path("/dev/zero"), tmp_path / "none.csv"):
        with pytest.raises(BadInput):
            open_lines_file(path)


def test_a_fault_behind_a_cut_character(tmp_path: Path) -> None:
    """The line is right also when a character lies across two blocks of reading."""
    head = HEAD.encode()
    padding = b"x" * (BLOCK - len(head) - 2) + b"\n"
    path = written(tmp_path, head + padding + "ä".encode() + b"\x81\x81\n")
    with pytest.raises(BadInput, match="line 3: neither"):
        open_lines_file(path)


def test_a_header_alone_is_an_empty_plan(app_database: Database, tmp_path: Path) -> None:
    """A file without lines plans nothing and claims nothing."""
    planned = plan(upsert(app_database, written(tmp_path, HEAD.encode())))
    assert (planned.rows_written, dict(planned.counts)) == (0, {})


TENANT_HEADER = ("tenantId", "unitId", "lineType", "description", "amount", "taxRate")
MONTHS = ["Jänner", "Feber", "März", "April", "Mai", "Juni", "Juli", "August", "September",
          "Oktober", "November", "Dezember"]  # fmt: skip


def tenant_lines(connection: Connection, names: list[str]) -> list[list[str]]:
    """A line for each open invoice, by its tenant and its month's name."""
    found = billing.all_rows(
        connection,
        """SELECT m.tenant_id::text, m.unit_id::text, m.month, m.year, m.id::text
        FROM monthly_invoices m WHERE m.tenant_id IS NOT NULL AND m.id::text = ANY (%s)""",
        [invoice for invoice, _ in billing.open_invoices(connection, 1000)],
    )
    assert len({row[2] for row in found}) > 6
    return [
        [tenant, unit, "sonstige", f"Nachtrag {names[month - 1]} {year}", "1.00", "0", invoice]
        for tenant, unit, month, year, invoice in found
    ]


@pytest.mark.parametrize("spelling", ["austrian", "german", "decomposed", "shouted"])
def test_tenants_are_resolved_by_month(
    both_schemas: Database, tmp_path: Path, spelling: str
) -> None:
    """The finder's form resolves to the tenant's invoice of the month that the text ends with."""
    names = list(MONTHS)
    if spelling == "german":
        names[:2] = ["Januar", "Februar"]
    if spelling == "decomposed":
        names = [unicodedata.normalize("NFD", name) for name in names]
    if spelling == "shouted":
        names = [name.upper() for name in names]
    with both_schemas.connect() as connection:
        for month in (1, 2, 3):  # every name is tried, whatever months the portfolio has
            connection.execute(
                """UPDATE monthly_invoices SET year = 2031, month = %s WHERE id = (
                SELECT max(id::text)::uuid FROM monthly_invoices
                WHERE tenant_id IS NOT NULL AND year < 2031)""",
                (month,),
            )
        lines = tenant_lines(connection, names)
    path = billing.write_csv(tmp_path, [line[:-1] for line in lines], TENANT_HEADER)
    operation = upsert(both_schemas, path)
    assert plan(operation).counts == {"insert": len(lines)}
    assert {name.split()[1] for *_, name, _, _, _ in lines} >= set(names[:3])
    resolved = [str(row.after["invoice_id"]) for row in rows(operation) if row.after]
    assert resolved == [line[-1] for line in lines]


def test_tenants_that_cannot_be_resolved(both_schemas: Database, tmp_path: Path) -> None:
    """No month, no such month, no such tenant: each is a finding and nothing is guessed."""
    with both_schemas.connect() as connection:
        line = tenant_lines(connection, MONTHS)[0][:-1]
    faults = {
        "period": ["Nachtrag", "Nachtrag 2026", "Nachtrag Jänner", "Nachtrag Brumaire 2026",
                   "Nachtrag Jänner 20261"],
        "no_invoice": ["Nachtrag Jänner 1999"],
    }  # fmt: skip
    lines, expected = [], {}
    for code, texts in faults.items():
        for text in texts:
            lines.append([*line[:3], text, *line[4:]])
            expected[len(lines) + 1] = {code}
    for tenant in ("x", "", "00000000-0000-4000-8000-00000000dead"):
        lines.append([tenant, *line[1:]])
        expected[len(lines) + 1] = {"no_invoice" if tenant.startswith("0") else "tenant_id"}
    operation = upsert(both_schemas, billing.write_csv(tmp_path, lines, TENANT_HEADER))
    assert plan(operation).counts == {"rejected": len(lines)}
    assert codes(operation) == expected


def test_bad_meta_of_a_tenants_line(app_database: Database, tmp_path: Path) -> None:
    """In the tenants' form a bad meta is one finding, not also an invoice that was never asked."""
    with app_database.connect() as connection:
        line = tenant_lines(connection, MONTHS)[0][:-1]
    path = billing.write_csv(tmp_path, [[*line, "nix"]], (*TENANT_HEADER, "meta"))
    operation = upsert(app_database, path)
    plan(operation)
    assert codes(operation) == {2: {"meta"}}


def keys(connection: Connection, schema: Schema, texts: list[str]) -> list[str]:
    """The console's own key of many texts in one query."""
    query = sql.SQL(
        "SELECT array_agg({} ORDER BY place)"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS given (description, place)"
    ).format(schema.own_key("given", "description"))
    row = connection.execute(query, (texts,)).fetchone()
    assert row is not None
    return list(row[0] or [])


INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u206f\ufe0f\ufeff\U000e0041"  # noqa: E501
SPACES = "\t\n\r \u0085\u00a0\u1680\u2000\u2007\u200a\u2028\u2029\u202f\u205f\u3000"
LETTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXT = st.text(
    st.one_of(LETTERS, st.sampled_from("aäAÄßẞİıΣσςǅ ́̈ﬁK|" + INVISIBLE + SPACES)), max_size=24
)
PLAIN = st.from_regex(r"[!-~ÄÖÜäöüß]{1,6}( [!-~ÄÖÜäöüß]{1,6}){0,3}", fullmatch=True)
BATCHES = settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


@BATCHES
@given(st.lists(st.tuples(TEXT, st.integers(0, 24), st.text(INVISIBLE, max_size=4)), min_size=30))
def test_the_own_key(app_database: Database, batch: list[tuple[str, int, str]]) -> None:
    """The key of a key is the key, nothing unseen changes it, and it has no double space."""
    schema = billing.desk(app_database).schema
    texts = [text for text, _, _ in batch]
    with app_database.connect() as connection:
        once = keys(connection, schema, texts)
        assert keys(connection, schema, once) == once
        hidden = [text[:at] + unseen + text[at:] for text, at, unseen in batch]
        assert keys(connection, schema, hidden) == once
        composed = [unicodedata.normalize("NFD", text) for text in texts]
        assert keys(connection, schema, composed) == once
        padded = [f"\u00a0{text}\u3000\n" for text in texts]
        assert keys(connection, schema, padded) == once
    for key in once:
        assert not set(key) & set(INVISIBLE + SPACES.replace(" ", ""))
        assert "  " not in key
        assert key == key.strip(" ")


@BATCHES
@given(st.lists(PLAIN, min_size=30))
def test_the_short_way_to_the_key_is_the_long_one(app_database: Database, texts: list[str]) -> None:
    """Plain texts take a shorter path to the same key."""
    schema = billing.desk(app_database).schema
    # One unseen character sends a text the long way round, and leaves no trace in the key.
    with app_database.connect() as connection:
        assert keys(connection, schema, texts) == keys(
            connection, schema, [f"{text}\u200b" for text in texts]
        )


def test_csv_text_is_what_it_says(tmp_path: Path) -> None:
    """The helper's own file reads back as the cells that were given."""
    path = billing.write_csv(tmp_path, [["a", "b", "c", 'd,"e"', None, 0, ""]])
    assert path.read_text() == csv_text([["a", "b", "c", 'd,"e"', "", "0", ""]])
    ((_, [record]),) = open_lines_file(path).blocks()
    assert record == (1, 2, "", "a", "b", "c", 'd,"e"', "", "0", "")
