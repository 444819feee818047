"""Writes what is in view to a CSV file that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from console.errors import CouldNotRun
from console.export import csv_cell


def write_csv(
    folder: Path, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> tuple[Path, int]:
    """Write a new file of mode 0600; return its path and the number of rows."""
    number = 0
    path = folder / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.csv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for row in rows:
                writer.writerow([csv_cell(value) for value in row])
                number += 1
    except OSError as error:
        raise CouldNotRun(f"{path} cannot be written: {error.strerror}.") from None
    return path, number
