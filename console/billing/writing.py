"""What every operation that writes invoice lines shares: one connection, one transaction."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

import psycopg
from psycopg import sql

from console.billing.batches import Batches
from console.billing.verification import VerifyRun, VerifyRunOperation, audit_trail, run_images
from console.database.connect import Connection, Row, columns, stopped, transaction
from console.database.ledger import commit, guard, install, open_run, recorded, start_audit
from console.desk import Desk
from console.errors import ConsoleError, CouldNotRun, Moved, RunIdUsed
from console.operation import (
    Applied,
    BackendKnown,
    BatchWritten,
    Command,
    Event,
    Finding,
    Measured,
    Operation,
    Outcome,
    Plan,
    Progress,
    StopToken,
)
from console.session.guard import propose_retry


class LineWriter(Operation):
    """Plans in temporary tables on one connection and applies on the same one."""

    writes: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]]
    statements: ClassVar[str]

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.stop = StopToken()
        self._connection: Connection | None = None
        self._standing = ""

    @property
    @abstractmethod
    def batch_size(self) -> int:
        """Rows of the plan per batch."""

    @abstractmethod
    def _lock(self, cursor: psycopg.Cursor[Row]) -> None:
        """Lock what will be written in key order; raise `Moved` when it is not as planned."""

    def apply(self, plan: Plan, log_head: str) -> Iterator[Event]:
        """Do the plan in one transaction; every error but `InDoubt` leaves nothing behind."""
        connection, started = self._open_connection(), time.monotonic()
        if plan.digest != self._standing:
            raise Moved(
                "This plan has been replaced by a later one; nothing was changed.",
                next_step="Read the newer plan and apply that one.",
            )
        environment = self.desk.environment
        try:
            # Whoever watches can ask from now on what this process waits for.
            yield BackendKnown(connection.info.backend_pid)
            self._install_ledger(connection)
            connection.read_only = False
            with transaction(
                connection,
                statement_seconds=environment.statement_timeout_seconds,
                lock_seconds=environment.lock_timeout_seconds,
            ) as cursor:
                yield from self._write(cursor, plan, log_head, started)
        except ConsoleError as error:
            raise stopped(error, self.stop.requested) from error.__cause__
        finally:
            self.close()

    def verify(self, outcome: Outcome) -> Iterator[Event]:
        yield from VerifyRunOperation(self.desk, VerifyRun(outcome.run_id)).read()

    def undo(self, outcome: Outcome, run_id: str) -> Command:
        from console.billing.rollback import RollbackRun  # a rollback is such an operation itself

        return RollbackRun(run_id=outcome.run_id, new_run_id=run_id)

    def close(self) -> None:
        self.stop.forget()
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _require(self, blocked: tuple[Finding, ...]) -> None:
        """Refuse to plan what cannot be applied here, with every reason."""
        if role := self.desk.role_fault:
            step = "Use a role that may only do what the runbook needs (or allow_superuser)."
            blocked = (*blocked, Finding("superuser", "error", role, step))
        if not blocked and (fault := self.desk.audit_fault()):
            step = "Have the audit trigger repaired; until then nothing can be written."
            message = f"No audit row can be written: {fault}"
            blocked = (Finding("audit", "error", message, step),)
        if blocked:
            first = blocked[0]
            raise CouldNotRun(first.message, next_step=first.next_step, findings=blocked)

    def _connect(self, purpose: str) -> Iterator[Event]:
        self.close()
        self._connection = self.desk.dedicated(purpose)
        self.stop.on_stop(self._connection.cancel_safe)
        yield BackendKnown(self._connection.info.backend_pid)

    def _open_connection(self) -> Connection:
        if self._connection is None or self._connection.closed:
            raise Moved(
                "The plan's connection is gone; nothing was changed.", next_step="Plan again."
            )
        return self._connection

    def _stand(self, plan: Plan) -> Plan:
        """Remember the plan whose rows the temporary tables hold."""
        self._standing = plan.digest
        return plan

    def _install_ledger(self, connection: Connection) -> None:
        if not self.desk.schema.ledger:
            connection.read_only = False
            install(connection)
            self.desk.refresh()

    def _write(
        self, cursor: psycopg.Cursor[Row], plan: Plan, log_head: str, started: float
    ) -> Iterator[Event]:
        yield Progress("lock")
        opened = open_run(cursor, self.desk, plan, log_head)
        self._lock(cursor)
        start_audit(cursor, self.desk, plan, opened, log_head)
        batches = Batches(cursor, self, plan, opened.audit_base)
        yield Progress("write", 0, plan.rows_written)
        yield from self._batches(batches, plan)
        yield Progress("measure", plan.rows_written, plan.rows_written)
        planned = {kind: plan.counts.get(kind, 0) for kind in self.kinds}
        guard(planned, batches.counts, plan, batches.money)
        self._look_again(cursor, plan)
        self.stop.check()
        money = {self.desk.settings.billing.currency: batches.money}
        yield Measured(dict(batches.counts), money)
        yield from commit(self.desk, self._open_connection(), plan.run_id)
        yield Applied(
            Outcome(
                run_id=plan.run_id,
                operation=self.name,
                counts=dict(batches.counts),
                money=money,
                transaction_id=opened.transaction_id,
                committed_at=self.desk.now(),
                seconds=time.monotonic() - started,
            )
        )

    def _look_again(self, cursor: psycopg.Cursor[Row], plan: Plan) -> None:
        """Where triggers run after the rows are measured, compare the stored rows once more."""
        if late := self.desk.schema.late_triggers:
            images = run_images(cursor, self.desk.schema, plan.run_id)
            if images["as_written"] != plan.rows_written:
                raise Moved(
                    f"A trigger ({', '.join(late)}) changed lines after they were written; "
                    "rolled back, nothing was changed.",
                    next_step="Have the trigger looked at; it changes what an operator has seen.",
                )

    def _batches(self, batches: Batches, plan: Plan) -> Iterator[Event]:
        last = sum(plan.counts.values())
        for number, low in enumerate(range(0, last, self.batch_size), start=1):
            self.stop.check()
            began = time.monotonic()
            counts = batches.write(low, low + self.batch_size)
            yield BatchWritten(number, counts, time.monotonic() - began)
            yield Progress("write", sum(batches.counts.values()), plan.rows_written)

    def write_values(self) -> Mapping[str, str]:
        """Further values that the writing statements take."""
        return {}

    def write_parts(self) -> Mapping[str, sql.Composable]:
        """The identifiers that the writing statements take."""
        return {"columns": columns(self.desk.schema.audit_columns)}

    def _refuse_used_run_id(self, run_id: str) -> str:
        """Why the ledger stands in the way, if it does; a used run id raises `RunIdUsed`."""
        if not self.desk.schema.ledger:
            self._refuse_known_trail(run_id)
            return self.desk.schema.ledger_fault
        with self.desk.reader() as connection:
            row = recorded(connection, run_id)
        if row is not None:
            raise RunIdUsed(
                f"Run id {run_id} has already been used ({row['verdict']} at "
                f"{row['marked_at']:%Y-%m-%d %H:%M:%S} UTC by {row['operator']}).",
                next_step=f"Use a new run id for the retry, such as {propose_retry(run_id)}, "
                "to keep the audit trail distinct.",
            )
        self._refuse_known_trail(run_id)
        return ""

    def _refuse_known_trail(self, run_id: str) -> None:
        """Refuse a run id that another tool's audit rows carry: nobody could tell them apart."""
        if rows := sum(row["cnt"] for row in audit_trail(self.desk, run_id)):
            raise RunIdUsed(
                f"Run id {run_id} already stands in {rows} audit rows of another tool.",
                next_step="Use a new run id, to keep the audit trail distinct.",
            )
