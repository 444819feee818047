"""What one operator has open: an environment with its connections, opened when first needed."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from psycopg import conninfo

from console.database.connect import Connection, connect
from console.database.schema import Schema, probe_audit, read_schema
from console.errors import ConsoleError, Refused
from console.operation import Target
from console.settings import Environment, Settings


class Desk:
    """One operator at one environment.

    `session_id` names the session that the ledger and the audit rows point back to; `options` are
    the global options of a command line that leads to this environment.
    """

    def __init__(
        self,
        name: str,
        environment: Environment,
        settings: Settings,
        *,
        operator: str,
        reason: str = "",
        options: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.environment = environment
        self.settings = settings
        self.operator = operator
        self.reason = reason
        self.options = options or ("--env", name)
        self.session_id = ""
        self._schema: Schema | None = None

    def command_line(self, *words: str) -> str:
        """A command line at this environment, complete enough to be pasted."""
        return shlex.join(["ops-console", *self.options, *words])

    def now(self) -> datetime:
        return datetime.now(UTC)

    @contextmanager
    def reader(self, purpose: str = "reads") -> Iterator[Connection]:
        """A connection on which the server itself refuses every write."""
        with self._opened(purpose, read_only=True) as connection:
            yield connection

    def dedicated(self, purpose: str) -> Connection:
        """A connection of its own for one writing operation; the caller closes it."""
        if self.environment.read_only:
            raise Refused(
                f"Environment {self.name} is read-only by its configuration.",
                next_step="Choose another environment, or have its configuration changed.",
            )
        return connect(self.environment.conninfo(), purpose, read_only=False)

    @property
    def schema(self) -> Schema:
        """The catalogue as read when it was first needed; `refresh` reads it again."""
        return self._schema or self.refresh()

    def refresh(self) -> Schema:
        """Read the catalogue again."""
        with self.reader("preflight") as connection:
            schema = read_schema(connection)
        self._require_identity(schema.server_id)
        self._schema = schema
        return schema

    def _require_identity(self, server_id: str) -> None:
        """Refuse a server that is not the one configured, or one that another name stands for."""
        wanted = self.environment.server_id
        if wanted and wanted != server_id:
            raise Refused(
                f"{self.name} leads to server {server_id}, not the configured {wanted}.",
                next_step="Find out which database this is before anything else is done.",
            )
        for name, other in self.settings.environments.items():
            if not wanted and name != self.name and other.server_id == server_id:
                raise Refused(
                    f"This is the database of environment {name}, so that one's rules hold.",
                    next_step=f"Name it: --env {name}.",
                )

    def audit_fault(self) -> str:
        """Why no audit row can be written, by trying and rolling back; empty when one can."""
        # On a connection of its own: a trigger keeps the plan of its first call.
        connection = self.dedicated("probes")
        try:
            probe_audit(connection, self.schema)
        except ConsoleError as error:
            return error.message
        finally:
            connection.close()
        return ""

    @property
    def role_fault(self) -> str:
        """Why this role may not write here; production refuses one that no grant can bind."""
        server, rules = self.schema.server, self.environment
        unbound = server["superuser"] or server["bypasses_row_security"]
        if not unbound or rules.kind != "production" or rules.allow_superuser:
            return ""
        return f"The role {server['role']} is a superuser or bypasses row security."

    @property
    def target(self) -> Target:
        """Which database this is, by the server's own word."""
        schema = self.schema
        return Target(
            environment=self.name,
            kind=self.environment.kind,
            host=self.host(),
            database=str(schema.server["database"]),
            server_id=schema.server_id,
            read_only=self.environment.read_only or bool(schema.server["in_recovery"]),
        )

    def host(self) -> str:
        """The host as configured, without port or password."""
        configured = conninfo.conninfo_to_dict(self.environment.conninfo()).get("host")
        return str(configured or socket.gethostname())

    @contextmanager
    def _opened(self, purpose: str, *, read_only: bool) -> Iterator[Connection]:
        connection = connect(self.environment.conninfo(), purpose, read_only=read_only)
        try:
            yield connection
        finally:
            connection.close()
