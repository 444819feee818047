"""Foreign text: nothing hidden, nothing obeyed, nothing lost without a word."""

import asyncio
import random
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import DataTable, Static

from console.export import csv_cell, from_csv_cell
from console.text import (
    HIDDEN,
    cell,
    count,
    duration,
    harmless,
    harmless_lines,
    money,
    money_grouped,
    reveal,
    when,
)
from screens import present
from screens.filter import FilteredOutput

any_text = st.text(st.characters(codec=None, exclude_categories=())) | st.text(
    st.sampled_from("a\x1b\x9b\x00\x7f\r\n\t\u202e\u200b\u0301\ud800\U000e0041\xa0[/]")
)


def is_hidden(character: str) -> bool:
    """The rule by Unicode's own categories, independent of the table under test."""
    category = unicodedata.category(character)
    arabic_signs = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"
    visible = arabic_signs + "\U000110bd\U000110cd"
    if category == "Cf" and not 0x13430 <= ord(character) <= 0x1345F:  # drawn as quadrats
        return character not in visible
    noncharacter = ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF
    return category in ("Cc", "Cs", "Zl", "Zp") or noncharacter


def test_the_table_covers_every_hidden_character_of_unicode() -> None:
    """All 1,114,112 code points, against Unicode's categories."""
    missed = [f"{n:x}" for n in range(0x110000) if is_hidden(chr(n)) and not HIDDEN.match(chr(n))]
    assert missed == []


@given(any_text)
def test_output_holds_nothing_hidden(text: str) -> None:
    """Any text, lone surrogates included; line breaks only where they are asked for."""
    assert not any(map(is_hidden, harmless(text)))
    assert not any(map(is_hidden, reveal(text)))
    assert not any(map(is_hidden, harmless_lines(text).replace("\n", "")))
    assert harmless_lines(text).count("\n") == text.count("\n")
    harmless(text).encode("utf-8")


@given(any_text)
def test_twice_is_once(text: str) -> None:
    """What is harmless already is not changed again."""
    assert harmless(harmless(text)) == harmless(text)


@given(st.text(st.characters(max_codepoint=0x2FF, exclude_categories=("C", "Z"))))
def test_clean_text_is_left_alone(text: str) -> None:
    """Latin letters, digits and signs pass as they are."""
    assert harmless(text) == text
    assert harmless_lines(text) == text
    assert reveal(text) == text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Jänner – März € 5", "Jänner – März € 5"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc\rd", "a⏎b\\tc\\rd"),
        ("\x9b2J\x7f\x00", "\\x9b2J\\x7f\\x00"),
        ("abc\u202edef", "abc\\u{202E}def"),
        ("a\u200bb\xadc", "a\\u{200B}b\\u{AD}c"),
        ("x\ud800", "x\\u{D800}"),
        ("e" + "\u0301" * 6, "e" + "\u0301" * 4 + "\\u{301}" * 2),
        (b"by\xfftes", "by\\xfftes"),
        (17, "17"),
    ],
)
def test_notations(raw: object, shown: str) -> None:
    """Each kind of hidden character has one visible notation."""
    assert harmless(raw) == shown


def test_a_cut_says_by_how_many() -> None:
    """A long memo is cut and the count of what is missing is true."""
    assert harmless("x" * 5000) == "x" * 4096 + "… (+904)"
    assert harmless_lines("ab\ncd", limit=3) == "ab\n… (+2)"
    assert harmless("x" * 4096) == "x" * 4096


def test_an_object_that_cannot_be_printed_does_not_raise() -> None:
    """A broken __str__ is named instead."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    assert harmless(Broken()) == "<unprintable Broken>"


def test_reveal_tells_twins_apart() -> None:
    """No-break space, edge spaces, double spaces and decomposed letters become visible."""
    assert reveal("Top\xa014") == "Top\\u{A0}14"
    assert reveal(" a  b ") == "␣a␣␣b␣"
    assert reveal("Ja\u0308nner") == "Ja\\u{308}nner"
    assert reveal("Jänner") == "Jänner"


@pytest.mark.parametrize(
    ("value", "plain", "grouped"),
    [
        (Decimal("41207.55"), "41207.55", "41,207.55"),
        (Decimal("-1234567"), "-1234567.00", "-1,234,567.00"),
        (Decimal("1.500000"), "1.50", "1.50"),
        (Decimal("0.005"), "0.005", "0.005"),
        (Decimal("-0.00"), "0.00", "0.00"),
        (Decimal("NaN"), "NaN", "NaN"),
        (Decimal("Infinity"), "Infinity", "Infinity"),
        (Decimal("1E+999999"), "1E+999999", "1E+999999"),
        (Decimal("1E-999"), "1E-999", "1E-999"),
        (None, "NULL", "NULL"),
    ],
)
def test_money(value: Decimal | None, plain: str, grouped: str) -> None:
    """Two decimals, more only where they exist: an amount is never rounded."""
    assert money(value) == plain
    assert money_grouped(value) == grouped


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_money_never_changes_the_value(value: Decimal) -> None:
    """Reading back what is shown gives the same amount."""
    assert Decimal(money(value)) == value
    assert Decimal(money_grouped(value).replace(",", "")) == value


def test_values_of_cells() -> None:
    """NULL, truth, numbers and times have one form each."""
    assert [cell(v) for v in (None, True, Decimal("1E+2"), 7)] == ["NULL", "true", "100", "7"]
    assert cell(datetime(2026, 11, 21, 2, 14, 9, tzinfo=UTC)) == "2026-11-21 02:14:09 UTC"


def test_times_and_counts() -> None:
    """UTC always; durations as they are said; thousands grouped."""
    vienna = timezone(timedelta(hours=1))
    assert when(datetime(2026, 11, 21, 3, 14, 9, 5, vienna)) == "2026-11-21 02:14:09 UTC"
    assert when(datetime(2026, 11, 21)) == "2026-11-21 00:00:00 (no zone)"
    said = [duration(s) for s in (0.84, 41, 59.7, 725, 10920, 190000, -41)]
    assert said == [
        "0.84 s",
        "41 s",
        "1 min 00 s",
        "12 min 05 s",
        "3 h 02 min",
        "2 d 04 h",
        "-41 s",
    ]
    assert count(-1234567) == "-1,234,567"


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+a",
        "-a",
        "@x",
        "\t=1",
        "\r",
        " =1",
        "\xa0=1",
        "\u200b=1",
        "＝1",
        "'",
        "'=1",
        "-1-1",
    ],
)
def test_formulas_are_disarmed_and_come_back(text: str) -> None:
    """A cell that a spreadsheet would run starts with an apostrophe, and reads back the same."""
    assert csv_cell(text) == f"'{text}"
    assert from_csv_cell(csv_cell(text)) == text


@given(any_text)
def test_csv_cells_come_back(text: str) -> None:
    """Every text survives export and import."""
    assert from_csv_cell(csv_cell(text)) == text


def test_numbers_stay_numbers_in_csv() -> None:
    """A negative amount is not a formula."""
    assert [csv_cell(v) for v in (Decimal("-41.50"), -3, None, "-41.50")] == [
        "-41.50",
        "-3",
        "",
        "-41.50",
    ]


def brackets(seed: int, number: int) -> list[str]:
    """Random strings of what markup is made of."""
    pieces = ["[", "]", "/", "[/", "\\", "@click=app.quit", "b", "red", "$error", "link=", '"', "'"]
    draw = random.Random(seed)
    return ["".join(draw.choices([*pieces, " ", "ä"], k=draw.randint(1, 8))) for _ in range(number)]


HELPERS = {
    "plain": present.plain,
    "lines": present.lines,
    "label": lambda s: present.label(s, "$text-error"),
    "joined": lambda s: present.joined(s, s, between=s),
    "answer": present.answer,
    "severity": present.severity,
    "identifier": present.identifier,
    "before_after": lambda s: present.before_after(s + "1", s + "2"),
    "revealed": present.revealed,
}


def expected(name: str, s: str) -> str:
    """The literal text that each helper has to show."""
    return {
        "joined": s * 3,
        "answer": f"? {s}",
        "severity": f"? {s}",
        "before_after": f"{s}1 → {s}2",
        "revealed": reveal(s),
    }.get(name, s)


class Board(FilteredOutput, App[None]):
    """One Static and one table that show what they are given."""

    quits = 0

    def compose(self) -> ComposeResult:
        yield Static()
        yield DataTable()

    def on_mount(self) -> None:
        self.query_one(DataTable).add_column("c", width=180)

    async def action_quit(self) -> None:
        self.quits += 1

    def static_shows(self, content: Content) -> str:
        static = self.query_one(Static)
        static.update(content)
        strips = static.visual.to_strips(static, static.visual, 200, 1, static.visual_style)
        return "".join(strip.text for strip in strips).rstrip()

    def table_shows(self, content: Content) -> str:
        table = self.query_one(DataTable)
        table.clear()
        table.add_row(present.in_table(content, self))
        return table.render_line(1).text.rstrip()[1:]


async def test_random_brackets_are_shown_literally() -> None:
    """2,000 strings of brackets through every helper and two real widgets."""
    board = Board()
    async with board.run_test(size=(200, 20)) as pilot:
        for number, text in enumerate(brackets(seed=20261121, number=2000)):
            for name, helper in HELPERS.items():
                content = helper(text)
                assert content.plain == expected(name, text), (name, text)
                assert board.static_shows(content) == content.plain.rstrip(), (name, text)
                if number % 10 == 0:
                    assert board.table_shows(content) == content.plain.rstrip(), (name, text)
            if number % 100 == 0:
                await pilot.pause()
                await pilot.click(Static, offset=(2, 0))
    assert board.quits == 0


def test_only_pass_is_green() -> None:
    """The four answers have glyph, word and colour; an unknown one is a warning."""
    shown = {word: present.answer(word) for word in ("pass", "warn", "fail", "not_run", "PASS")}
    assert [c.plain for c in shown.values()] == [
        "✓ pass",
        "! warn",
        "✗ fail",
        "… not run",
        "? PASS",
    ]
    green = [word for word, c in shown.items() if c.spans[0].style == present.GOOD]
    assert green == ["pass"]
    assert all(present.severity(s).spans[0].style != present.GOOD for s in ("none", "info", "low"))


def test_amounts_and_changes() -> None:
    """Signs are written, zero is quiet, NULL differs from the word NULL."""
    said = [present.delta(Decimal(d)).plain for d in ("12345.5", "-0.01", "0", "NaN")]
    assert said == ["+12,345.50", "-0.01", "0.00", "NaN"]
    assert present.amount(None).spans != present.plain("NULL").spans
    assert present.before_after("Top 1", "Top\xa01").plain == "Top 1 → Top\\u{A0}1"
    assert present.before_after(Decimal(1), Decimal(1)).plain == "1 ="


def test_loop_is_not_needed_to_present() -> None:
    """Values can be presented before an app runs."""
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert present.identifier("12345678-aaaa", short=True).plain == "12345678…"
