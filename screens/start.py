"""Starts the screens; Textual is loaded only here."""

from __future__ import annotations

from pathlib import Path

from console.settings import Settings


def start(
    settings: Settings,
    *,
    operator: str,
    reason: str = "",
    session_dir: Path | None = None,
    environment: str | None = None,
    runbook: str | None = None,
) -> int:
    """Run the console until the operator leaves; returns the exit code."""
    from screens.app import OpsConsole
    from screens.wiring import Wiring

    stage = Wiring(
        settings, operator=operator, reason=reason, session_dir=session_dir, first=environment
    )
    return OpsConsole(stage, start=runbook or "home").run() or 0
