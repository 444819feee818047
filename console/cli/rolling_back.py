"""What an operator decided about a rollback, and the name that is proposed for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.billing.rollback import RollbackOperation, RollbackRun
from console.cli.selection import line_ids
from console.cli.writing import all_rows
from console.database.ledger import recorded
from console.errors import BadInput, Refused
from console.session.guard import fitting, run_id_valid

if TYPE_CHECKING:
    from console.cli.work import Work
    from console.desk import Desk
    from console.operation import Finding, Operation

_MOST_NAMES = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """Which run, under which new name, and what becomes of its lines."""

    run_id: str
    new_run_id: str | None
    restore: tuple[str, ...]
    keep: tuple[str, ...]
    select: tuple[str, ...]

    @classmethod
    def of(
        cls,
        run_id: str,
        new_run_id: str | None,
        restore: Iterable[str],
        keep: Iterable[str],
        select: Iterable[str],
    ) -> Choice:
        """Check what was given; `BadInput` before anything connects."""
        if new_run_id is not None:
            run_id_valid(new_run_id)
        restored, kept = line_ids(restore, "--restore"), line_ids(keep, "--keep")
        if both := sorted({*restored} & {*kept}):
            raise BadInput(f"{both[0]} is to be restored and kept; decide for one.")
        return cls(run_id, new_run_id, restored, kept, line_ids(select))

    def undecided(self, finding: Finding) -> bool:
        """True for a conflict that was neither restored, nor kept, nor left out."""
        if self.select and finding.record not in self.select:
            return False
        return finding.severity != "info" and finding.record not in self.keep

    def operation(self, work: Work) -> Operation:
        """The rollback; a selection becomes the lines that are kept, found by a plan of its own."""
        new_run_id = self.new_run_id or proposed(work.desk, self.run_id)
        keep = self.keep
        if self.select:
            keep = self._all_but_selected(work.desk, new_run_id)
        return RollbackOperation(
            work.desk, RollbackRun(self.run_id, new_run_id, self.restore, keep)
        )

    def _all_but_selected(self, desk: Desk, new_run_id: str) -> tuple[str, ...]:
        whole = RollbackOperation(desk, RollbackRun(self.run_id, new_run_id))
        try:
            for _ in whole.plan():
                pass
            keys = {row.key for page in all_rows(whole) for row in page}
        finally:
            whole.close()
        if unknown := sorted({*self.select} - keys):
            raise BadInput(
                f"{unknown[0]} is not a line of run {self.run_id}.",
                next_step="Select lines as the plan without --select prints them.",
            )
        return tuple(sorted((keys - {*self.select}) | {*self.keep}))


def proposed(desk: Desk, run_id: str) -> str:
    """A free name made of the run's own, the same one until it is used."""
    schema = desk.schema
    if not schema.ledger:
        return next(_names(run_id))
    with desk.reader("run ids") as connection:
        for name in _names(run_id):
            if recorded(connection, name) is None:
                return name
    raise Refused(
        f"Run {run_id} has been rolled back {_MOST_NAMES} times.",
        next_step="Name the rollback yourself with --new-run-id.",
    )


def _names(run_id: str) -> Iterator[str]:
    """`rollback-X`, then `rollback2-X`; for a rollback itself `redo-X`."""
    bare = re.fullmatch(r"(rollback|redo)[0-9]*-(.{6,})", run_id)
    word = "redo" if bare and bare[1] == "rollback" else "rollback"
    base = re.sub(r"[^a-z0-9]+", "-", (bare[2] if bare else run_id).lower()).strip("-") or "run"
    for number in range(1, _MOST_NAMES + 1):
        name = f"{word}{number if number > 1 else ''}-{base}"
        if name != run_id:
            yield fitting(name)
