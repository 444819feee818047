"""Tables of cells that are harmless already."""

from __future__ import annotations

from collections.abc import Sequence

Cells = Sequence[Sequence[str]]


def aligned(head: Sequence[str], rows: Cells) -> str:
    """Plain lines with the columns under each other."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def drawn(head: Sequence[str], rows: Cells) -> str:
    """A table with the terminal's own width and colours; no cell is read as markup."""
    from io import StringIO
    from shutil import get_terminal_size

    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    # Folded, never cut: keys and run ids are there to be copied.
    table = Table(*(Column(header=Text(name), overflow="fold") for name in head))
    for row in rows:
        table.add_row(*map(Text, row))
    paper = StringIO()
    console = Console(
        file=paper, force_terminal=True, width=get_terminal_size().columns, highlight=False
    )
    console.print(table)
    return paper.getvalue().rstrip("\n")
