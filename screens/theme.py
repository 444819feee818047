"""The console's colours: textual-dark, with text colours of at least AA contrast."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

CONSOLE: Final = Theme(
    name="console",
    primary="#0178D4",
    secondary="#004578",
    accent="#ffa62b",
    warning="#ffa62b",
    error="#ba3c5b",
    success="#4EBF71",
    foreground="#e0e0e0",
    background="#121212",
    surface="#1a1d21",
    panel="#242a31",
    variables={
        "text-success": "#7fd79a",
        "text-warning": "#ffc069",
        "text-error": "#ff8fa3",
        "text-accent": "#8ecbff",
        "text-muted": "#a7adb5",
        "block-cursor-text-style": "bold",
        "block-cursor-background": "#0b4f86",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#1d3c56",
        "block-cursor-blurred-foreground": "#e0e0e0",
        "border": "#3c4651",
        "border-blurred": "#3c4651",
    },
)
