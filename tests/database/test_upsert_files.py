"""Files of lines in all their spellings: read as they are meant, or refused with the line."""

import re
from pathlib import Path

import pytest

from console.billing.lines_file import BLOCK, open_lines_file
from console.errors import BadInput
from tests.database import billing
from tests.database.billing import HEADER, codes, csv_text, plan, rows, upsert
from tests.database.conftest import Database
from tests.database.lines_kit import fresh, with_cell


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


def test_csv_text_is_what_it_says(tmp_path: Path) -> None:
    """The helper's own file reads back as the cells that were given."""
    path = billing.write_csv(tmp_path, [["a", "b", "c", 'd,"e"', None, 0, ""]])
    assert path.read_text() == csv_text([["a", "b", "c", 'd,"e"', "", "0", ""]])
    ((_, [record]),) = open_lines_file(path).blocks()
    assert record == (1, 2, "", "a", "b", "c", 'd,"e"', "", "0", "")
