"""Crash reports: a file for its owner, without local variables and without secrets."""

import io
import os
import traceback
from datetime import UTC, datetime
from pathlib import Path

from console.secrets import emit
from console.text import harmless


def write_crash_report(error: BaseException, folder: Path) -> Path:
    """Write the redacted traceback of an error into a new file of mode 0600 and return its path."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    report = io.StringIO()
    emit(_report(error), report)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = folder / f"crash-{stamp}-{os.getpid()}.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - Path cannot open one
        file.write(report.getvalue())
    return path


def _report(error: BaseException) -> str:
    """Traceback text; frames only, because locals hold rows and connection strings."""
    cause = getattr(error, "error", None)  # a failed worker carries the true error here
    parts = [error, cause] if isinstance(cause, BaseException) else [error]
    head = f"ops-console stopped at {datetime.now(UTC).isoformat(timespec='seconds')}\n\n"
    return head + "\n".join("".join(traceback.format_exception(part)) for part in parts)


def crash_message(error: BaseException, folder: Path) -> str:
    """Write the report and return the short sentences for the operator; never raises."""
    cause = getattr(error, "error", None)
    name = type(cause if isinstance(cause, BaseException) else error).__name__
    said = f"ops-console stopped on an internal error ({harmless(name, 80)})."
    try:
        path = write_crash_report(error, folder)
    except Exception as refused:  # a full disk must not hide the first error
        reason = harmless(getattr(refused, "strerror", None) or type(refused).__name__, 120)
        return f"{said}\nThe report could not be written to {folder}: {reason}."
    return (
        f"{said}\nWhat was in flight is not claimed: `ops-console session list` shows it."
        f"\nReport, without data: {path}"
    )
