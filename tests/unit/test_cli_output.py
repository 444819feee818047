"""What the command line prints: documents, lines, and its last words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from console import secrets
from console.cli import main
from console.cli.work import Call
from console.document_parts import to_json
from console.documents import DOCUMENTS, CheckDocument, SessionPart, schemas
from console.operation import Finding

ROOT = Path(__file__).resolve().parents[2]


def test_json_of_a_refusal_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that asked for JSON gets it also for its own mistakes."""
    assert main(["--json", "preflight"]) == 2
    shown = capsys.readouterr()
    assert "No target is named" in shown.err
    document = json.loads(shown.out)
    assert (document["status"], document["findings"][0]["code"]) == ("not_run", "bad_input")
    assert document["operation"] == "preflight"
    assert main(["--json", "billing", "audit-trail"]) == 2
    assert json.loads(capsys.readouterr().out)["operation"] == "billing_audit_trail"


def test_an_unexpected_error_is_reported_without_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, the file of the report, and no traceback on the screen."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret data")

    monkeypatch.setattr("console.cli.session_reports.sessions", broken)
    assert main(["session", "list"]) == 3
    shown = capsys.readouterr().err
    assert "internal error (ZeroDivisionError)" in shown
    assert "Traceback" not in shown
    report = Path(shown.rpartition("Report, without data: ")[2].strip())
    assert report.stat().st_mode & 0o777 == 0o600


def test_a_closed_pipe_is_no_error() -> None:
    """The reader may leave early."""
    with subprocess.Popen(
        [sys.executable, "-m", "console", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (0, b"")


def test_a_full_disk_is_said() -> None:
    """A result that nobody could store is not success."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "console", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    assert done.returncode == 3
    assert "could not be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_foreign_text_is_harmless_and_findings_say_their_step_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No escape sequence leaves, and equal advice in a row is given once."""
    out = Call().out
    out.findings([Finding("x", "error", f"line {n}: \x1b[31m", "Fix it.") for n in (2, 3)])
    out.table(("a", "b"), [("[/]", "\u202e"), ("longer", 1)])
    assert capsys.readouterr().out.splitlines() == [
        "error: line 2: \\x1b[31m",
        "  -> Fix it.",
        "error: line 3: \\x1b[31m",
        "a       b",
        "[/]     \\u{202E}",
        "longer  1",
    ]


@pytest.mark.parametrize("password", ["pass", "1234", "fail", "true", "null", '"}x{"', "status"])
def test_a_document_stays_json_whatever_the_password(password: str) -> None:
    """Secrets vanish from texts; numbers and the program's own words stay."""
    secrets.Secret(password)
    document = CheckDocument(
        operation="verify_run",
        status="pass",
        session=SessionPart(log=f"/logs/{password}", head="0"),
        started_at="2026-02-08T02:14:09Z",  # type: ignore[arg-type]  # parsed
        finished_at="2026-02-08T02:14:09Z",  # type: ignore[arg-type]  # parsed
        summary=f"password={password}",
        figures={"rows": 1234, "password": "hunter2-and-more", "list": [password]},
    )
    text = to_json(document)
    read = json.loads(text)
    assert text.isascii()
    assert (read["status"], read["figures"]["rows"]) == ("pass", 1234)
    assert read["started_at"] == "2026-02-08T02:14:09Z"
    assert "hunter2" not in text
    assert read["figures"]["list"] == ["***"]


def test_schema_names_every_document(capsys: pytest.CaptureFixture[str]) -> None:
    """The printed schema is the one of the models."""
    assert main(["schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == schemas()
    assert {model.__name__ for model in DOCUMENTS} <= printed["$defs"].keys()


def test_a_finding_names_its_record_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Where neither the message nor a line of the file names the record, it stands behind it."""
    Call().out.findings(
        [
            Finding("x", "error", "twins", record="inv-1"),
            Finding("x", "error", "inv-2 is open", record="inv-2"),
            Finding("x", "error", "line 3: bad", record="inv-3", line=3),
        ]
    )
    said = capsys.readouterr().out.splitlines()
    assert said == ["error: twins (inv-1)", "error: inv-2 is open", "error: line 3: bad"]
