"""Where session logs live, and which there are."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from console.errors import BadInput, ConsoleError
from console.session.chain import read
from console.session.log import SUFFIX
from console.session.state import fold


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One session at a glance; `fault` says why a log could not be read."""

    id: str
    path: Path
    operator: str = ""
    reason: str = ""
    environment: str = ""
    runbook: str | None = None
    current_step: str | None = None
    started: datetime | None = None
    last: datetime | None = None
    closed: bool = False
    in_doubt: tuple[str, ...] = ()
    records: int = 0
    fault: str = ""


def default_directory() -> Path:
    """The user's state directory for session logs."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    base = state if state.is_absolute() else Path.home() / ".local" / "state"
    return base / "ops-console" / "sessions"


def new_session_id(now: datetime) -> str:
    """An id that sorts by time, such as `20260208-021409-a41f9c`."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def sessions(directory: Path) -> list[SessionSummary]:
    """The sessions of a folder, the one used last first; a missing folder holds none."""
    found = [_summary(path) for path in Path(directory).glob(f"*{SUFFIX}")]
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda summary: (summary.last or never, summary.id), reverse=True)


def find(directory: Path, session_id: str) -> Path:
    """The log of one session, by its id or the unambiguous beginning of it."""
    names = sorted(path.name.removesuffix(SUFFIX) for path in Path(directory).glob(f"*{SUFFIX}"))
    hits = [name for name in names if name.startswith(session_id)] if session_id else []
    exact = session_id in names
    if not exact and len(hits) != 1:
        what = "Several sessions begin" if hits else "No session begins"
        raise BadInput(
            f"{what} with {session_id[:80]!r} in {directory}.",
            next_step="See them with: ops-console session list",
        )
    return Path(directory) / f"{session_id if exact else hits[0]}{SUFFIX}"


def _summary(path: Path) -> SessionSummary:
    name = path.name.removesuffix(SUFFIX)
    try:
        state = fold(read(path))
    except ConsoleError as error:
        return SessionSummary(name, path, fault=error.message)
    except (KeyError, TypeError, ValueError) as error:
        return SessionSummary(name, path, fault=f"A record is not understood: {error!r}.")
    return SessionSummary(
        id=name,
        path=path,
        operator=state.operator,
        reason=state.reason,
        environment=state.environment,
        runbook=state.runbook,
        current_step=state.current_step,
        started=state.started_at,
        last=state.last_at,
        closed=state.closed,
        in_doubt=tuple(intent.run_id for intent in state.in_doubt),
        records=state.count,
        fault="" if state.started_at else "The log does not say how the session began.",
    )
