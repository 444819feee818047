"""The columns of a table: how wide they are, and cells cut or padded to fit them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from textual.content import Content

from screens.widgets.pages import Row


@dataclass(frozen=True, slots=True)
class Column:
    """A column; one of width 0 takes what is left."""

    label: str
    width: int = 0
    right: bool = False


def widths(columns: Sequence[Column], width: int) -> list[int]:
    """How wide each column is when the table is `width` cells wide."""
    fixed = sum(column.width + 1 for column in columns) + 1
    flexible = sum(1 for column in columns if not column.width) or 1
    left = max((width - fixed) // flexible, 4)
    return [column.width or left for column in columns]


def fitted(cell: Content, width: int, column: Column) -> Content:
    """A cell as wide as its column."""
    if column.right and cell.cell_length < width:
        return cell.pad_left(width - cell.cell_length)
    return cell.truncate(width, ellipsis=True, pad=True)


def roomy(columns: Sequence[Column], rows: Sequence[Row]) -> tuple[Column, ...]:
    """The columns with room for every number: one that is cut off would be another number."""
    if not rows:
        return tuple(columns)
    widest = [max(row.cells[place].cell_length for row in rows) for place in range(len(columns))]
    return tuple(
        replace(column, width=max(column.width, room)) if column.right else column
        for column, room in zip(columns, widest, strict=True)
    )
