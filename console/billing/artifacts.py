"""Validation of a run's artifacts (billing runbook, 1.3): `reconciliations/<RUN_ID>/`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from console.billing.lines_file import open_lines_file
from console.errors import BadInput
from console.operation import (
    Answer,
    Check,
    Checked,
    Command,
    Event,
    Finding,
    Operation,
    Progress,
    StopToken,
)

SUMMARY = "summary.json"
CHECKSUMS = "checksums.sha256"
MISSING_LINES = "missing_lines.csv"
# The documents' exit codes; whatever else is wrong ends with 1.
EXIT_CODES = {"no_summary": 3, "no_checksums": 4, "checksum": 5, "fields": 6}
MAX_SUMMARY_BYTES = 256 * 1024
_FIELDS: Mapping[str, tuple[type, str]] = {
    "run_id": (str, "text"),
    "timestamp": (str, "text"),
    "missing_lines_count": (int, "a whole number"),
    "parity_pass": (bool, "true or false"),
}
_CHECKSUM = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>.+)")


@dataclass(frozen=True, slots=True)
class ValidateArtifacts(Command):
    """Validate the folder of one run."""

    folder: Path


class ArtifactsOperation(Operation):
    """Two answers: the artifacts are valid, and parity passed; green only when both hold."""

    name: ClassVar[str] = "validate_artifacts"

    def __init__(self, command: ValidateArtifacts) -> None:
        self.command = command
        self.stop = StopToken()

    def describe(self) -> str:
        return f"./tools/validate-artifacts.sh {self.command.folder}"

    def read(self) -> Iterator[Event]:
        """End with a check; `figures` has `valid`, `parity_passed` and `missing_lines_count`."""
        folder = self.command.folder
        if not folder.is_dir():
            raise BadInput(f"{folder} is not a folder.", next_step="Name reconciliations/<RUN_ID>.")
        yield Progress("artifacts")
        findings = []
        for found in _look(folder):
            self.stop.check()
            findings.append(found)
        yield Checked(_judge(folder, findings))


def exit_code(check: Check) -> int:
    """The documents' exit code of the first fault in their order, else 1; 0 when all is well."""
    if check.answer == "pass":
        return 0
    codes = {finding.code for finding in check.findings}
    return next((code for name, code in EXIT_CODES.items() if name in codes), 1)


def _judge(folder: Path, findings: list[Finding]) -> Check:
    summary = _summary(folder)
    count = summary.get("missing_lines_count")
    parity = not findings and count == 0 and summary.get("parity_pass") is True
    figures = {
        "run_id": summary.get("run_id"),
        "valid": not findings,
        "parity_passed": parity,
        "missing_lines_count": count,
    }
    if findings:
        return Check("validate_artifacts", "fail", "the artifacts are not valid",
                     tuple(findings), figures)  # fmt: skip
    answer: Answer = "pass" if parity else "fail"
    said = f"Artifact validation passed, missing_lines_count: {count}"
    missing = Finding(
        "parity",
        "error",
        f"the artifacts are valid, but parity has not passed: {count} lines are missing",
        "Plan the upsert of missing_lines.csv, then run the dry run again.",
        str(folder.name),
    )
    return Check("validate_artifacts", answer, said, () if parity else (missing,), figures)


def _look(folder: Path) -> Iterator[Finding]:
    if not (folder / SUMMARY).is_file():
        yield _fault("no_summary", SUMMARY, "it is missing", "Run the dry run again.")
    else:
        yield from _look_at_summary(folder)
    if not (folder / CHECKSUMS).is_file():
        yield _fault("no_checksums", CHECKSUMS, "it is missing", "Run the dry run again.")
    else:
        yield from _look_at_checksums(folder)


def _look_at_summary(folder: Path) -> Iterator[Finding]:
    summary = _summary(folder)
    faults = [
        f"{name} is not {words}" if name in summary else f"{name} is missing"
        for name, (kind, words) in _FIELDS.items()
        if type(summary.get(name)) is not kind or summary[name] == ""
    ]
    if faults:
        yield _fault("fields", SUMMARY, "; ".join(faults), "Have the harness write all fields.")
        return
    yield from _contradictions(folder, summary)


def _contradictions(folder: Path, summary: Mapping[str, Any]) -> Iterator[Finding]:
    step = "Do not trust this folder; run the dry run again."
    count, rows = summary["missing_lines_count"], _rows(folder)
    checks: tuple[tuple[bool, str], ...] = (
        (summary["run_id"] != folder.resolve().name, "run_id is not the name of the folder"),
        (not _dated(summary["timestamp"]), "timestamp is no ISO time with a zone"),
        (count < 0, "missing_lines_count is negative"),
        (summary["parity_pass"] is not (count == 0), "parity_pass contradicts the count"),
        (rows is None and count > 0, f"{MISSING_LINES} is missing although lines are"),
        (rows is not None and rows != count, f"{MISSING_LINES} has {rows} rows, not {count}"),
    )
    for wrong, text in checks:
        if wrong:
            yield _fault("contradiction", SUMMARY, text, step)


def _rows(folder: Path) -> int | None:
    """Data rows of the CSV; None without one, -1 when it cannot be read."""
    path = folder / MISSING_LINES
    if not path.is_file():
        return None
    try:
        return sum(len(block) for _, block in open_lines_file(path).blocks())
    except BadInput:
        return -1


def _look_at_checksums(folder: Path) -> Iterator[Finding]:
    listed: set[str] = set()
    text = (folder / CHECKSUMS).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        entry = _CHECKSUM.fullmatch(line)
        name = _inside(folder, entry["name"]) if entry else None
        if entry is None or name is None:
            why = "leads out of the folder" if entry else "is no sha256sum line"
            yield _fault("checksum", CHECKSUMS, f"line {number} {why}", "Make the list anew.")
            continue
        listed.add(name)
        if fault := _differs(folder / name, entry["digest"]):
            yield _fault("checksum", name, fault, "Do not trust this folder; fetch it again.")
    for name in sorted(_files(folder) - listed):
        yield _fault("checksum", name, "no checksum protects it", "Make the list anew.")


def _differs(path: Path, digest: str) -> str:
    if path.is_symlink() or not path.is_file():
        return "it is listed, but there is no such file"
    with path.open("rb") as raw:
        found = hashlib.file_digest(raw, "sha256").hexdigest()
    return "" if found == digest else "its checksum differs"


def _inside(folder: Path, name: str) -> str | None:
    """A listed name relative to the folder; lists made at the repository's root are understood."""
    parts = PurePosixPath(name).parts
    if folder.resolve().name in parts[:-1]:
        parts = parts[parts.index(folder.resolve().name) + 1 :]
    safe = parts and not PurePosixPath(*parts).is_absolute() and ".." not in parts
    return "/".join(parts) if safe else None


def _files(folder: Path) -> set[str]:
    found = (p for p in folder.rglob("*") if p.is_symlink() or p.is_file())
    names = {p.relative_to(folder).as_posix() for p in islice(found, 10_000)}
    return names - {CHECKSUMS, ".gitkeep"}


def _summary(folder: Path) -> dict[str, Any]:
    """The summary as far as it is a JSON object; anything else has no fields."""
    path = folder / SUMMARY
    try:
        if path.stat().st_size > MAX_SUMMARY_BYTES:
            return {}
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _dated(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _fault(code: str, name: str, text: str, step: str) -> Finding:
    return Finding(code, "error", f"{name}: {text}", step, name)
