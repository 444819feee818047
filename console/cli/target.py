"""Which database a command works on: only what was named, never what lies around."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from console.cli.options import Options
from console.cli.pasted import target_options
from console.errors import BadInput
from console.secrets import Secret, redact

if TYPE_CHECKING:
    from console.desk import Desk
    from console.settings import Environment, Settings

# libpq would take its target from these; passwords, pgpass and service files stay usable.
AMBIENT = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGOPTIONS")
BY_HAND = "by-hand"
_PLACE = ("service", "host", "hostaddr", "port", "dbname")


def forget_ambient_target() -> tuple[str, ...]:
    """Take from this process what would silently name a target; return the names found."""
    if password := os.environ.get("PGPASSWORD"):
        Secret(password)
    return tuple(name for name in AMBIENT if os.environ.pop(name, None) is not None)


def open_desk(options: Options, warn: Callable[[str], None]) -> Desk:
    """The desk for the options; `BadInput` before anything connects."""
    from console.settings import load

    settings = load(options.config)
    name, environment = _choose(settings, options)
    parts = _understood(environment.conninfo(), name)
    if options.database_url is not None:
        _password_by_hand(options.database_url, name, environment, warn)
    for name_of_secret in ("password", "sslpassword"):
        Secret(str(parts.get(name_of_secret) or ""))
    from console.desk import Desk

    return Desk(
        name,
        environment,
        settings,
        # Both go into audit rows, which nobody can redact afterwards.
        operator=redact(options.operator or os_user()),
        reason=redact(options.reason),
        options=target_options(options, name),
    )


def os_user() -> str:
    """The account that runs this process, by the system's word rather than a variable's."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def _choose(settings: Settings, options: Options) -> tuple[str, Environment]:
    from pydantic import SecretStr

    from console.settings import Environment

    url = options.database_url
    if url is None:
        return settings.environment(options.env)
    place = _place(_understood(url, "--database-url"))
    twins = {n: e for n, e in settings.environments.items() if _place_of(e) == place}
    # Where several environments are one database, the strictest one's rules hold.
    strictest = sorted(twins, key=lambda n: (twins[n].kind != "production", not twins[n].read_only))
    name = options.env or next(iter(strictest), None)
    environment = settings.environment(name)[1] if name else Environment()
    if options.env and options.env not in twins and environment.conninfo():
        raise BadInput(
            f"The database URL is not the database of environment {options.env}.",
            next_step="Leave out one of --env and --database-url.",
        )
    by_hand = {"database_url": SecretStr(url), "service": None}
    return name or BY_HAND, environment.model_copy(update=by_hand)


def _password_by_hand(
    url: str, name: str, environment: Environment, warn: Callable[[str], None]
) -> None:
    password = _understood(url, name).get("password")
    if not password:
        return
    Secret(str(password))
    if environment.kind == "production" and not environment.allow_password_on_command_line:
        raise BadInput(
            f"Environment {name} is production; a password on the command line is refused there.",
            next_step="Use a pgpass file, a service file, or PGPASSWORD.",
        )
    warn(
        "Warning: a password on the command line shows in the process list and stays in the "
        "shell's history; a pgpass file or a service file does not."
    )


def _understood(conninfo: str, name: str) -> Mapping[str, Any]:
    """The parts of a connection string; it must name a database or a service."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        raise BadInput(
            f"The database URL of {name} cannot be understood.",
            next_step="Write postgresql://USER@HOST:PORT/DATABASE or service=NAME.",
        ) from None
    if not (parts.get("dbname") or parts.get("service")):
        raise BadInput(
            f"{name} names no database.",
            next_step="Write postgresql://USER@HOST:PORT/DATABASE or service=NAME.",
        )
    return parts


def _place_of(environment: Environment) -> tuple[str, ...] | None:
    try:
        return _place(_understood(environment.conninfo(), ""))
    except BadInput:
        return None


def _place(parts: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a connection string leads, spelled in one way."""
    found = {name: str(parts.get(name) or "").lower() for name in _PLACE[:-1]}
    found["port"] = found["port"] or "5432"
    if found["host"] in ("127.0.0.1", "::1"):
        found["host"] = "localhost"
    return (*found.values(), str(parts.get("dbname") or ""))
