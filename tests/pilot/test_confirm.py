"""The last question before a write: only a deliberate act answers yes."""

import asyncio

import pytest
from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Button, Input

from screens.confirm import ConfirmScreen, Question, TokenInput

TOKEN = "8/41207.55/9f3ac1d2"
NEVER = 3600.0


class Asking(App[None]):
    """Opens one confirmation and keeps its answer."""

    def __init__(self, token: str = "", dwell: float = 0.0) -> None:
        super().__init__()
        question = Question("Apply?", (("Rows", "8"), ("Undo", "x")), "Apply", "sandbox", token)
        self.dialog = ConfirmScreen(question, dwell)
        self.answers: list[bool | None] = []

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self.answers.append)


async def type_out(pilot: Pilot[None], text: str) -> None:
    """Type as a person does: key by key, with time in between."""
    for character in text:
        await asyncio.sleep(0.004)
        await pilot.press(character)


async def test_cancel_has_the_focus_and_enter_cancels() -> None:
    """Enter on a fresh dialog means no."""
    app = Asking()
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.focused is app.dialog.query_one("#no")
        await pilot.press("enter")
        assert app.answers == [False]


@pytest.mark.parametrize("key", ["escape", "n"])
async def test_leaving_is_no(key: str) -> None:
    """Escape and n mean no."""
    app = Asking()
    async with app.run_test() as pilot:
        await pilot.press(key)
        assert app.answers == [False]


async def test_y_confirms_once_it_could_be_read() -> None:
    """The key of a small change."""
    app = Asking()
    async with app.run_test() as pilot:
        await pilot.press("y")
        assert app.answers == [True]


async def test_typed_ahead_keys_do_not_count() -> None:
    """Keys that arrive before the dialog could be read neither confirm nor cancel."""
    app = Asking(dwell=NEVER)
    async with app.run_test() as pilot:
        await pilot.press("y", "enter", "y", "tab", "space", "enter", "escape", "n")
        assert app.answers == []
        assert app.screen is app.dialog


async def test_typed_ahead_token_does_not_count() -> None:
    """Characters that arrive before the dialog could be read do not fill the field."""
    app = Asking(TOKEN, dwell=NEVER)
    async with app.run_test() as pilot:
        app.dialog.query_one(TokenInput).focus()
        await type_out(pilot, TOKEN)
        assert app.dialog.query_one(TokenInput).value == ""


async def test_enter_never_presses_the_confirming_button() -> None:
    """A repeated Enter on the focused button does nothing; Space does."""
    app = Asking()
    async with app.run_test() as pilot:
        app.dialog.query_one("#yes", Button).focus()
        await pilot.press("enter", "enter", "enter")
        assert app.answers == []
        await pilot.press("space")
        assert app.answers == [True]


async def test_a_click_confirms() -> None:
    """The mouse works as well."""
    app = Asking()
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.click("#yes")
        assert app.answers == [True]


async def test_with_a_token_the_key_is_not_enough() -> None:
    """Production: y does nothing, the button is off until the token stands there."""
    app = Asking(TOKEN)
    async with app.run_test() as pilot:
        await pilot.press("y")
        assert app.answers == []
        assert app.dialog.query_one("#yes", Button).disabled


async def test_the_typed_token_opens_the_button() -> None:
    """Typed key by key; Enter in the field does not confirm; Space on the button does."""
    app = Asking(TOKEN)
    async with app.run_test() as pilot:
        app.dialog.query_one(TokenInput).focus()
        await type_out(pilot, TOKEN)
        await pilot.press("enter")
        assert app.answers == []
        app.dialog.query_one("#yes", Button).focus()
        await pilot.press("space")
        assert app.answers == [True]


async def test_another_token_is_refused() -> None:
    """The token of plan A does not confirm plan B."""
    app = Asking(TOKEN)
    async with app.run_test() as pilot:
        app.dialog.query_one(TokenInput).focus()
        await type_out(pilot, "8/41207.55/ffffffff")
        assert app.dialog.query_one("#yes", Button).disabled


async def test_a_pasted_token_does_not_count() -> None:
    """A paste empties the field."""
    app = Asking(TOKEN)
    async with app.run_test() as pilot:
        field = app.dialog.query_one(TokenInput)
        field.focus()
        await type_out(pilot, "8/")
        field.post_message(events.Paste(TOKEN))
        await pilot.pause()
        assert field.value == ""
        assert app.dialog.query_one("#yes", Button).disabled


async def test_the_clipboard_key_does_not_count() -> None:
    """Textual's own paste key is no way round."""
    app = Asking(TOKEN)
    async with app.run_test() as pilot:
        field = app.dialog.query_one(TokenInput)
        field.focus()
        app.copy_to_clipboard(TOKEN)
        await pilot.press("ctrl+v")
        assert field.value == ""


async def test_a_burst_of_keys_does_not_count() -> None:
    """A terminal without bracketed paste sends a paste as keys; nobody types that fast."""
    app = Asking(TOKEN)
    async with app.run_test() as pilot:
        field = app.dialog.query_one(TokenInput)
        field.focus()
        await pilot.pause()
        for character in TOKEN:
            app.post_message(events.Key(key=character, character=character))
        await pilot.pause()
        assert field.value != TOKEN
        assert app.dialog.query_one("#yes", Button).disabled


async def test_the_field_is_no_place_to_hide_the_token() -> None:
    """The field starts empty."""
    app = Asking(TOKEN)
    async with app.run_test():
        assert app.dialog.query_one(Input).value == ""
