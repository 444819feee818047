"""The artifacts of a run: what the runbook's validator finds, and what it lets pass."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.billing.artifacts import ArtifactsOperation, ValidateArtifacts, exit_code
from console.cli import main
from console.errors import BadInput
from console.operation import Check, Checked
from console.session.log import verify

HEADER = "invoice_id,unit_id,line_type,description,amount,tax_rate,meta\n"
GOOD = {
    "run_id": "ci-20260208-134500-0a1b2c3d",
    "timestamp": "2026-02-08T13:45:00Z",
    "missing_lines_count": 0,
    "parity_pass": True,
}


def make(folder: Path, lines: int = 0, **changes: Any) -> Path:
    """A folder of artifacts with a correct list of checksums."""
    run = folder / GOOD["run_id"]
    run.mkdir()
    (run / "missing_lines.csv").write_text(HEADER + "a,b,c,d,1,0,\n" * lines)
    summary = {**GOOD, "missing_lines_count": lines, "parity_pass": lines == 0, **changes}
    (run / "summary.json").write_text(json.dumps(summary))
    return protect(run)


def protect(run: Path, prefix: str = "") -> Path:
    names = sorted(p.name for p in run.iterdir() if p.name != "checksums.sha256")
    listed = (f"{hashlib.sha256((run / n).read_bytes()).hexdigest()}  {prefix}{n}\n" for n in names)
    (run / "checksums.sha256").write_text("".join(listed))
    return run


def validate(run: Path) -> Check:
    *_, last = ArtifactsOperation(ValidateArtifacts(run)).read()
    assert isinstance(last, Checked)
    return last.check


def test_valid_and_in_parity(tmp_path: Path) -> None:
    """Nothing is missing and every file is protected: both answers are yes."""
    check = validate(make(tmp_path))
    assert (check.answer, exit_code(check)) == ("pass", 0)
    assert check.summary == "Artifact validation passed, missing_lines_count: 0"


def test_valid_is_not_parity(tmp_path: Path) -> None:
    """Valid artifacts with missing lines are valid, and not green."""
    check = validate(make(tmp_path, lines=3))
    assert (check.answer, exit_code(check)) == ("fail", 1)
    assert (check.figures["valid"], check.figures["parity_passed"]) == (True, False)


def test_lists_of_the_repository_root(tmp_path: Path) -> None:
    """Checksums that CI made at the repository's root are understood."""
    run = make(tmp_path)
    protect(run, f"reconciliations/{run.name}/")
    assert validate(run).answer == "pass"


def gone(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).unlink()


def text(name: str, content: str) -> Callable[[Path], None]:
    return lambda run: (run / name).write_text(content) and None


def summary(**changes: Any) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / "summary.json").write_text(json.dumps({**GOOD, **changes}))
        protect(run)

    return change


def link(run: Path) -> None:
    (run / "missing_lines.csv").unlink()
    (run / "missing_lines.csv").symlink_to("/etc/hostname")


FAULTS: dict[str, tuple[Callable[[Path], None], int]] = {
    "no summary": (gone("summary.json"), 3),
    "no checksums": (gone("checksums.sha256"), 4),
    "an edited file": (text("missing_lines.csv", HEADER + "x,,,,,,\n"), 5),
    "a file that is listed and gone": (gone("missing_lines.csv"), 5),
    "a link instead of a file": (link, 5),
    "a sentence instead of checksums": (text("checksums.sha256", "no CSV was written\n"), 5),
    "an empty list": (text("checksums.sha256", ""), 5),
    "a file that nobody lists": (text("db_diffs.json", "{}"), 5),
    "a path out of the folder": (text("checksums.sha256", "0" * 64 + "  ../../etc/passwd\n"), 5),
    "an absolute path": (text("checksums.sha256", "0" * 64 + "  /etc/passwd\n"), 5),
    "no run id": (summary(run_id=""), 6),
    "a count as text": (summary(missing_lines_count="0"), 6),
    "a count that is true": (summary(missing_lines_count=True), 6),
    "no JSON": (text("summary.json", "{"), 5),
    "another run's folder": (summary(run_id="ci-20260101-000000-ffffffff"), 1),
    "a time without a zone": (summary(timestamp="2026-02-08 13:45"), 1),
    "parity against the count": (summary(parity_pass=False), 1),
    "a count that the file does not have": (
        summary(missing_lines_count=500, parity_pass=False),
        1,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong(tmp_path: Path, fault: str) -> None:
    """Each fault has the documents' exit code and is never green."""
    change, code = FAULTS[fault]
    run = make(tmp_path)
    change(run)
    check = validate(run)
    assert check.answer == "fail"
    assert exit_code(check) == code
    assert all(finding.next_step for finding in check.findings)


@pytest.mark.parametrize(("fault", "code"), [(None, 0), ("no summary", 3), ("no checksums", 4)])
def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str | None, code: int
) -> None:
    """The command prints the runbook's line, ends with its code, and is on record."""
    run, sessions = make(tmp_path), tmp_path / "sessions"
    if fault:
        FAULTS[fault][0](run)
    words = ["--session-dir", str(sessions), "billing", "validate-artifacts", str(run)]
    assert main(words) == code
    said = capsys.readouterr()
    assert ("Artifact validation passed" in said.out + said.err) is (code == 0)
    (log,) = sessions.glob("*.jsonl")
    assert verify(log).ok


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is wrong input."""
    with pytest.raises(BadInput, match="not a folder"):
        validate(tmp_path / "nothing")
