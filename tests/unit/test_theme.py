"""Text can be read: every text colour has at least AA contrast on every background."""

import pytest
from textual.color import Color

from screens.theme import CONSOLE

TEXTS = ("text-success", "text-warning", "text-error", "text-accent", "text-muted", "foreground")
GROUNDS = ("background", "surface", "panel")
AA = 4.5


def luminance(color: Color) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [part / 255 for part in color.rgb]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_itself() -> None:
    """Black on white is 21 to 1."""
    assert contrast(Color.parse("#000000"), Color.parse("#ffffff")) == pytest.approx(21)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXTS)
def test_contrast(text: str, ground: str) -> None:
    """4.5 to 1 or better."""
    colours = CONSOLE.to_color_system().generate() | CONSOLE.variables
    assert contrast(Color.parse(colours[text]), Color.parse(colours[ground])) >= AA
