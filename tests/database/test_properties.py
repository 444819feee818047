"""For random files over random lines: an undo undoes, no edit is lost, and the money adds up."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.errors import Moved
from tests.database import billing
from tests.database.billing import Connection, all_rows, apply, one, plan, rollback, rows, upsert
from tests.database.conftest import Database

SERIES = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    derandomize=False,
)
TEXTS = st.sampled_from(
    ["Miete", "miete", "Miete ", "Mi\u200bete", "Miete\u00a0", "BK Vorschuss", "Jänner",
     "Ja\u0308nner", "Lift; \"alt\"", "Zwei\nZeilen", "Tab\tdarin", "\\N", "%s {x}", "ẞ ﬁ İ", "😀"]
)  # fmt: skip
AMOUNTS = st.decimals(-99999, 99999, places=2).map(lambda amount: amount + Decimal("0.00"))
METAS = st.sampled_from([None, "{}", '{"a": 1.50}', '{"b": [null, "ü\\n"]}', '{"n": 1e-7}'])
PLACES = st.integers(0, 2)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, or one line that is already there."""

    invoice: int
    line_type: str
    text: str
    amount: Decimal
    rate: int
    meta: str | None
    unit: bool


LINES = st.lists(
    st.builds(
        Line,
        PLACES,
        st.sampled_from(["sonstige", "grundmiete"]),
        TEXTS,
        AMOUNTS,
        st.sampled_from([0, 10, 13, 20]),
        METAS,
        st.integers(0, 9).map(bool),
    ),
    max_size=14,
)


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody else does to one line between a run and its rollback."""

    kind: str
    place: int
    amount: Decimal


EDITS = st.lists(
    st.builds(
        Edit,
        st.sampled_from(["amount", "text", "meta", "nothing", "delete", "insert", "move"]),
        st.integers(0, 30),
        AMOUNTS,
    ),
    max_size=8,
)


class World:
    """A test's database, emptied of lines before each example; runs get new ids."""

    def __init__(self, database: Database, folder: Path, connection: Connection) -> None:
        self.database, self.folder, self.connection = database, folder, connection
        self.desk = billing.desk(database)
        self.invoices = list(billing.open_invoices(connection, 3))
        self.examples = 0

    def reset(self, live: list[Line]) -> None:
        """The lines of this example and no others; what the database's key refuses is left out."""
        self.examples += 1
        self.connection.execute("TRUNCATE invoice_lines CASCADE")
        for line in live:
            self.connection.execute(
                """INSERT INTO invoice_lines
                (invoice_id, unit_id, line_type, description, amount, tax_rate, meta)
                VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
                (*self.place(line), line.line_type, line.text, line.amount, line.rate, line.meta),
            )

    def place(self, line: Line) -> tuple[str, str | None]:
        invoice, unit = self.invoices[line.invoice]
        return invoice, unit if line.unit else None

    def file(self, lines: list[Line]) -> Path:
        return billing.write_csv(
            self.folder,
            (
                (*self.place(line), line.line_type, line.text, line.amount, line.rate, line.meta)
                for line in lines
            ),
        )

    def run_id(self, word: str) -> str:
        return f"{word}-number-{self.examples}"

    def money(self) -> Decimal:
        total: Decimal = one(
            self.connection, "SELECT coalesce(sum(amount), 0.00) FROM invoice_lines"
        )
        return total

    def upsert(self, lines: list[Line], batch_size: int = 5) -> billing.UpsertOperation:
        return upsert(self.desk, self.file(lines), self.run_id("upsert"), batch_size=batch_size)

    def rollback(self, **decisions: tuple[str, ...]) -> billing.RollbackOperation:
        return rollback(self.desk, self.run_id("upsert"), self.run_id("rollback"), **decisions)

    def edit(self, edit: Edit) -> None:
        """Somebody else's change to the line at that place, if there is one."""
        ids = all_rows(self.connection, "SELECT id FROM invoice_lines ORDER BY id")
        if edit.kind == "insert":
            invoice, unit = self.invoices[edit.place % 3]
            self.connection.execute(
                """INSERT INTO invoice_lines (invoice_id, unit_id, line_type, description, amount)
                VALUES (%s, %s, 'sonstige', 'Miete', %s) ON CONFLICT DO NOTHING""",
                (invoice, unit, edit.amount),
            )
        elif ids:
            self.connection.execute(
                CHANGES[edit.kind], {"id": ids[edit.place % len(ids)][0], "amount": edit.amount}
            )


CHANGES = {
    "amount": "UPDATE invoice_lines SET amount = %(amount)s WHERE id = %(id)s",
    "text": "UPDATE invoice_lines SET description = description || ' (neu)' WHERE id = %(id)s",
    "meta": "UPDATE invoice_lines SET meta = '{\"e\": 1}' WHERE id = %(id)s",
    "nothing": "UPDATE invoice_lines SET amount = amount WHERE id = %(id)s",
    "delete": "DELETE FROM invoice_lines WHERE id = %(id)s",
    "move": "UPDATE invoice_lines SET id = gen_random_uuid() WHERE id = %(id)s",
}


@pytest.fixture
def world(both_schemas: Database, tmp_path: Path) -> Iterator[World]:
    """One database for all examples of a test."""
    with both_schemas.connect() as connection:
        yield World(both_schemas, tmp_path, connection)


@SERIES
@given(live=LINES, file=LINES)
def test_a_rollback_restores_every_byte(world: World, live: list[Line], file: list[Line]) -> None:
    """Apply then rollback leaves the lines as they were, and what is planned is what is done."""
    world.reset(live)
    before, money = billing.lines_digest(world.connection), world.money()
    operation = world.upsert(file)
    planned = plan(operation)
    assert sum(planned.counts.values()) == len(file)
    outcome = apply(operation, planned)
    assert world.money() - money == outcome.money["EUR"] == planned.money["EUR"]
    undo = world.rollback()
    if planned.rows_written:
        undone = plan(undo)
        assert undone.money["EUR"] == -planned.money["EUR"]
        assert undone.finding_count == 0
        apply(undo, undone)
    assert billing.lines_digest(world.connection) == before


@SERIES
@given(live=LINES, file=LINES)
def test_a_file_is_done_after_one_run(world: World, live: list[Line], file: list[Line]) -> None:
    """Planned again, a file that was applied has nothing to write, and no key stands twice."""
    world.reset(live)
    twice = """SELECT count(*) FROM (SELECT FROM invoice_lines
        GROUP BY invoice_id, unit_id, line_type, normalized_description HAVING count(*) > 1) g"""
    before = one(world.connection, twice)
    own = "SELECT count(*) FROM invoice_lines"
    operation = world.upsert(file)
    planned = plan(operation)
    lines = one(world.connection, own)
    apply(operation, planned)
    assert one(world.connection, own) == lines + planned.counts.get("insert", 0)
    again = plan(upsert(world.desk, world.file(file), world.run_id("again")))
    assert again.rows_written == 0
    assert again.counts.get("noop", 0) == planned.rows_written + planned.counts.get("noop", 0)
    assert one(world.connection, twice) == before


@SERIES
@given(live=LINES, file=LINES, edits=EDITS)
def test_no_edit_is_lost_by_a_rollback(
    world: World, live: list[Line], file: list[Line], edits: list[Edit]
) -> None:
    """Whatever others did since the run stays, and every untouched line is as before the run."""
    world.reset(live)
    image = "SELECT id::text, l::text FROM invoice_lines l"
    before = dict(all_rows(world.connection, image))
    operation = world.upsert(file)
    planned = plan(operation)
    apply(operation, planned)
    written = dict(all_rows(world.connection, image))
    for edit in edits:
        world.edit(edit)
    edited = dict(all_rows(world.connection, image))
    if not planned.rows_written:
        return
    undo = world.rollback()
    undone = plan(undo)
    money = world.money()
    assert apply(undo, undone).money["EUR"] == world.money() - money
    after = dict(all_rows(world.connection, image))
    touched = {k for k in {*written, *edited} if written.get(k) != edited.get(k)}
    assert {k: after.get(k) for k in touched} == {k: edited.get(k) for k in touched}
    clean = {*before, *written, *edited} - touched
    kept = {row.key for row in rows(undo_again(world), "key_taken", "merged", "referenced")}
    assert {k: after.get(k) for k in clean - kept} == {k: before.get(k) for k in clean - kept}


def undo_again(world: World) -> billing.RollbackOperation:
    """The rollback planned once more, to see what it leaves to a human."""
    undo = rollback(world.desk, world.run_id("upsert"), world.run_id("looked"))
    plan(undo)
    return undo


@SERIES
@given(live=LINES, file=LINES, edits=EDITS)
def test_no_edit_is_lost_by_an_upsert(
    world: World, live: list[Line], file: list[Line], edits: list[Edit]
) -> None:
    """An edit between plan and apply makes the plan stale, or lies outside of what it writes."""
    world.reset(live)
    image = "SELECT id::text, l::text FROM invoice_lines l"
    before = dict(all_rows(world.connection, image))
    operation = world.upsert(file)
    planned = plan(operation)
    for edit in edits:
        world.edit(edit)
    edited = dict(all_rows(world.connection, image))
    touched = {k for k in {*before, *edited} if before.get(k) != edited.get(k)}
    try:
        apply(operation, planned)
    except Moved:
        assert dict(all_rows(world.connection, image)) == edited
        return
    after = dict(all_rows(world.connection, image))
    assert {k: after.get(k) for k in touched} == {k: edited.get(k) for k in touched}


@SERIES
@given(live=LINES, file=LINES)
def test_the_undo_of_the_undo(world: World, live: list[Line], file: list[Line]) -> None:
    """A rollback rolled back leaves every byte as the run had written it."""
    world.reset(live)
    operation = world.upsert(file)
    planned = plan(operation)
    apply(operation, planned)
    written = billing.lines_digest(world.connection)
    if planned.rows_written:
        apply(world.rollback())
        apply(rollback(world.desk, world.run_id("rollback"), world.run_id("forward")))
    assert billing.lines_digest(world.connection) == written
