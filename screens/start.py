"""Starts the screens; Textual is loaded only here."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from console.settings import Settings

# Textual draws at most so often; a key takes two drawings, and 50 ms are all that it may take.
DRAWINGS_A_SECOND = "120"
# How long a thread that stages or writes may keep the screen's thread waiting, at most.
SWITCH_SECONDS = 0.001
# Looking through everything takes 20 ms; by Python's own measure it comes with every 17th key.
COLLECT_AFTER = (2000, 10, 50)


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
    os.environ.setdefault("TEXTUAL_FPS", DRAWINGS_A_SECOND)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.disable()
    from screens.app import OpsConsole
    from screens.wiring import Wiring

    # Modules stay to the end: looking through all of them again is a pause of 30 ms each time.
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    gc.enable()
    stage = Wiring(
        settings, operator=operator, reason=reason, session_dir=session_dir, first=environment
    )
    return OpsConsole(stage, start=runbook or "home").run() or 0
