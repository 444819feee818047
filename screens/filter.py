"""The backstop at the single exit: no foreign control character leaves for the terminal.

`present` is what makes text safe. This filter is for the text that went round it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter

from console.text import HIDDEN


class ControlCharacterFilter(LineFilter):
    """Deletes what a terminal obeys or hides from every segment, without moving the layout."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """Return the segments without control, bidi and invisible characters."""
        if not any(map(_is_hostile, segments)):
            return segments
        return [_cleaned(segment) if _is_hostile(segment) else segment for segment in segments]


CONTROL_CHARACTERS: Final = ControlCharacterFilter()


def _is_hostile(segment: Segment) -> bool:
    text, style, control = segment
    if control or (not (text.isascii() and text.isprintable()) and HIDDEN.search(text)):
        return True
    return style is not None and style.link is not None


def _cleaned(segment: Segment) -> Segment:
    """The same segment, as wide as before; control codes and links go whole."""
    if segment.control:
        return Segment("")
    text = HIDDEN.sub("", segment.text)
    if (width := cell_len(segment.text)) != cell_len(text):
        text = set_cell_size(text, width)
    # A link's target is written into an escape sequence as it is.
    style = segment.style
    return Segment(text, Style.update_link(style) if style and style.link else style)


if TYPE_CHECKING:
    _Base = App[Any]
else:
    _Base = object


class FilteredOutput(_Base):
    """Mixin for the App (before `App` in the bases) that puts the backstop into every render."""

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return Textual's own filters and, last, the backstop."""
        return [*super().get_line_filters(), CONTROL_CHARACTERS]

    def copy_to_clipboard(self, text: str) -> None:
        """Copy text; lone surrogates become `?`, since no terminal can be sent them."""
        super().copy_to_clipboard(text.encode("utf-8", "replace").decode("utf-8"))
