"""Puts the real floors behind the screens: configuration, desks, sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.errors import BadInput, ConsoleError
from console.operation import Event, Target
from console.runbooks import Runbook, runbook
from console.secrets import Secret
from console.session import directory
from console.session.session import Session
from console.settings import Environment, Settings
from screens.incident import SessionIncident
from screens.ports import Case, Place

if TYPE_CHECKING:
    from console.desk import Desk

OFFLINE = "not connected"


class Wiring:
    """The stage of a real run; a desk is opened when its environment is first needed."""

    def __init__(
        self,
        settings: Settings,
        *,
        operator: str,
        reason: str = "",
        session_dir: Path | None = None,
        first: str | None = None,
    ) -> None:
        self._settings = settings
        self._operator = operator
        self._reason = reason
        self._folder = session_dir or directory.default_directory()
        self._first = first or settings.default_environment
        self._desks: dict[str, Desk] = {}
        self._targets: dict[str, Target] = {}
        self._open: list[SessionIncident] = []

    @property
    def operator(self) -> str:
        return self._operator

    def places(self) -> Sequence[Place]:
        """The environments of the configuration, the default one first."""
        named = self._settings.environments.items()
        found = [Place(name, env.kind, env.read_only, env.notice) for name, env in named]
        return sorted(found, key=lambda place: place.name != self._first)

    def _environment(self, name: str) -> Environment:
        return self._settings.environment(name)[1]

    def _desk(self, name: str) -> Desk:
        # psycopg is loaded only here, after the first picture stands.
        from console.desk import Desk

        if name not in self._desks:
            environment = self._environment(name)
            _understand(name, environment)
            self._desks[name] = Desk(
                name,
                environment,
                self._settings,
                operator=self._operator,
                reason=self._reason,
            )
        return self._desks[name]

    def target(self, environment: str) -> Target:
        found = self._desk(environment).target
        self._targets[environment] = found
        return found

    def preflight(self, environment: str) -> Iterator[Event]:
        from console.billing.requirements import REQUIREMENTS
        from console.database.preflight import Preflight, PreflightOperation

        operation = PreflightOperation(self._desk(environment), Preflight(REQUIREMENTS))
        yield from operation.read()
        self.target(environment)

    def cases(self) -> Sequence[Case]:
        """The sessions that are not closed and whose environment is configured."""
        found = directory.sessions(self._folder)
        return [_case(one) for one in found if not one.closed and self._knows(one)]

    def _knows(self, session: directory.SessionSummary) -> bool:
        return session.runbook is not None and session.environment in self._settings.environments

    def begin(self, book: Runbook, environment: str) -> SessionIncident:
        desk = self._desk(environment)
        place = self._environment(environment)
        offline = Target(environment, place.kind, OFFLINE, "", "", place.read_only)
        session = Session.start(
            self._folder,
            operator=self._operator,
            reason=self._reason,
            target=self._targets.get(environment, offline),
            runbook=book.id,
            environment=place,
        )
        return self._opened(SessionIncident(session, book, desk))

    def resume(self, case_id: str) -> SessionIncident:
        path = directory.find(self._folder, case_id)
        summary = next(one for one in directory.sessions(self._folder) if one.path == path)
        session = Session.resume(
            path,
            operator=self._operator,
            environment=self._environment(summary.environment),
        )
        book = runbook(summary.runbook or "")
        return self._opened(SessionIncident(session, book, self._desk(summary.environment)))

    def _opened(self, incident: SessionIncident) -> SessionIncident:
        self._open.append(incident)
        return incident

    def waits_for(self, environment: str, pid: int) -> str:
        """What the server process waits for; empty as well when the server cannot be asked."""
        from console.database.activity import waits_for

        try:
            return waits_for(self._desk(environment), pid)
        except ConsoleError:
            return ""

    def export_folder(self) -> Path:
        return Path("exports")

    def close(self) -> None:
        for incident in self._open:
            incident.leave()
        self._open.clear()


def _understand(name: str, environment: Environment) -> None:
    """See that the environment names a database, and let its password be blotted out."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(environment.conninfo())
    except psycopg.ProgrammingError:
        parts = {}
    if not (parts.get("dbname") or parts.get("service")):
        raise BadInput(
            f"The environment {name} names no database.",
            next_step="Write database_url or service into its part of the configuration.",
        )
    if parts.get("password"):
        Secret(str(parts["password"]))


def _case(session: directory.SessionSummary) -> Case:
    attention = session.fault
    if session.in_doubt:
        attention = f"in doubt: {', '.join(session.in_doubt)}; go on and settle it"
    book = runbook(session.runbook or "")
    at = next((step for step in book.steps if step.id == session.current_step), None)
    step = f"at {at.section} {at.title}" if at else "no step done"
    return Case(
        id=session.id,
        runbook=session.runbook or "",
        environment=session.environment,
        started_at=session.started or datetime.min.replace(tzinfo=UTC),
        summary=f"{book.title}, {step}\n{session.id}, {session.operator}",
        attention=attention,
    )
