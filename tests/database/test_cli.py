"""Every subcommand against a real server: what it writes, what it prints, how it ends."""

from __future__ import annotations

import csv as csv_module
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from console.cli import main
from console.desk import Desk
from console.documents import schemas
from tests.database.conftest import Database
from tests.json_schema import faults

ROOT = Path(__file__).resolve().parents[2]
RUN = "manual-20260208-fix42"
OLDER = "manual-20260203-fix17"
SCHEMAS = schemas()


@dataclass(frozen=True, slots=True)
class Result:
    """How one call ended."""

    code: int
    out: str
    err: str

    def json(self, model: str) -> dict[str, Any]:
        """The document, which must fit its printed schema."""
        document: dict[str, Any] = json.loads(self.out)
        assert faults(document, SCHEMAS["$defs"][model], SCHEMAS) == []
        return document


class Shell:
    """Calls the command line on one database with a session folder of its own."""

    def __init__(
        self, database: Database, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.database = database
        self.sessions = folder / "sessions"
        self.config = folder / "ops-console.toml"
        self._capsys = capsys
        self.configure()

    def configure(self, rules: str = 'kind = "staging"', billing: str = "") -> None:
        url = json.dumps(self.database.url)
        self.config.write_text(
            f"[environments.books]\ndatabase_url = {url}\n{rules}\n[billing]\n{billing}\n"
        )

    @property
    def globals(self) -> list[str]:
        return ["--session-dir", str(self.sessions), "--config", str(self.config)]

    def __call__(self, *arguments: str, env: bool = True) -> Result:
        self._capsys.readouterr()
        target = ["--env", "books"] if env else []
        code = main([*self.globals, *target, *arguments])
        shown = self._capsys.readouterr()
        return Result(code, shown.out, shown.err)

    def batch(self, *more: str, csv: Path | None = None, run_id: str = RUN) -> Result:
        """The runbook's tool with the runbook's flags."""
        file = str(csv or self.database.csv)
        url = ["--database-url", self.database.url]
        return self("batch-upsert", "--csv", file, "--run-id", run_id, *url, *more, env=False)

    def upsert(self, *more: str, options: tuple[str, ...] = ("--json",)) -> Result:
        arguments = ("billing", "upsert", "--csv", str(self.database.csv), "--run-id", RUN)
        return self(*options, *arguments, *more)

    def token(self, result: Result) -> str:
        token: str = result.json("WriteDocument")["plan"]["token"]
        return token


@pytest.fixture
def shell(app_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(app_database, tmp_path, capsys)


def state(database: Database) -> tuple[Any, ...]:
    """Every line, and how many audit rows and runs there are."""
    with database.connect() as connection:
        lines = connection.execute(
            "SELECT md5(string_agg(l::text, '|' ORDER BY l.id)), count(*) FROM invoice_lines l"
        ).fetchone()
        audit = connection.execute("SELECT count(*) FROM audit_logs").fetchone()
        runs = connection.execute("SELECT count(*) FROM ops_console.runs").fetchone()
    return (lines, audit, runs)


def test_batch_upsert_prints_the_runbooks_lines(
    both_schemas: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The five lines of section 3.4 with true numbers, on both generations of the tables."""
    shell = Shell(both_schemas, tmp_path, capsys)
    done = shell.batch()
    assert done.code == 0
    assert re.sub(r"\d+ms", "1243ms", done.out).splitlines() == [
        "[batch_upsert] Loading CSV: missing_lines.csv",
        "[batch_upsert] COPY streamed 128 rows into tmp_invoice_lines",
        "[batch_upsert] Upsert complete: 120 inserted, 8 updated (1243ms)",
        f"[batch_upsert] Audit logs written for run_id={RUN}",
        "[batch_upsert] Done.",
    ]
    assert "verify_run: PASS: 128 rows" in done.err
    trail = shell("--json", "billing", "audit-trail", "--run-id", RUN)
    rows = trail.json("CheckDocument")["figures"]["rows"]
    assert {row["op"]: row["cnt"] for row in rows} == {"insert": 120, "update": 8}


def test_batch_upsert_as_json(shell: Shell) -> None:
    """One document on stdout, the runbook's lines on stderr."""
    file = str(shell.database.csv)
    done = shell("--json", "batch-upsert", "--csv", file, "--run-id", RUN, "--batch-size=50")
    document = done.json("WriteDocument")
    assert (done.code, document["status"]) == (0, "applied")
    assert document["outcome"]["counts"] == {"insert": 120, "update": 8}
    assert document["outcome"]["verification"]["status"] == "pass"
    assert document["outcome"]["undo"] == f"ops-console billing rollback --run-id {RUN}"
    assert document["plan"]["counts"]["rejected"] == 0
    assert "[batch_upsert] Done." in done.err


def test_a_dry_run_writes_nothing(shell: Shell) -> None:
    """It compares with the live rows and says what would happen."""
    before = state(shell.database)
    done = shell.batch("--dry-run")
    assert done.code == 0
    assert "120 would be inserted, 8 updated, 0 are already there; nothing was written" in done.out
    assert state(shell.database) == before


def test_a_used_run_id_is_refused(shell: Shell) -> None:
    """A second run under the same name changes nothing."""
    assert shell.batch().code == 0
    before = state(shell.database)
    again = shell.batch()
    assert again.code == 4
    assert "already been used" in again.err
    assert state(shell.database) == before


def faulty(database: Database, folder: Path, number: int) -> Path:
    """A copy of the incident's file with that many wrong amounts, from line 3 on."""
    with database.csv.open(encoding="utf-8", newline="") as source:
        rows = list(csv_module.reader(source))
    place = rows[0].index("amount")
    while len(rows) < number + 3:
        rows.append(list(rows[-1]))
    for row in rows[2 : 2 + number]:
        row[place] = "12,50"
    path = folder / "faulty.csv"
    with path.open("w", encoding="utf-8", newline="") as target:
        csv_module.writer(target).writerows(rows)
    return path


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_every_wrong_line_is_named_and_nothing_is_written(
    more: tuple[str, ...], shell: Shell, tmp_path: Path
) -> None:
    """More faults than one page of findings holds are all there, by line."""
    before = state(shell.database)
    path = faulty(shell.database, tmp_path, 1200)
    done = shell.batch(*more, csv=path)
    assert done.code == 1
    named = [int(n) for n in re.findall(r"^error: line (\d+): .*comma", done.out, re.MULTILINE)]
    assert named == list(range(3, 1203))
    assert "Nothing was written: 1200 of" in done.out
    assert state(shell.database) == before


def test_plan_apply_verify_rollback_and_undo(shell: Shell) -> None:
    """The whole way there and back; the rollback restores every line exactly."""
    before = state(shell.database)
    planned = shell.upsert("--page-size=3", "--page=2")
    plan = planned.json("WriteDocument")["plan"]
    assert planned.code == 0
    assert state(shell.database) == before
    assert [row["line"] for row in plan["rows"]] == [5, 6, 7]
    applied = shell.upsert("--apply", plan["token"]).json("WriteDocument")
    assert (applied["status"], applied["plan"]["digest"]) == ("applied", plan["digest"])
    verified = shell("--json", "billing", "verify", "--run-id", RUN).json("CheckDocument")
    assert verified["status"] == "pass"

    rollback = ("--json", "billing", "rollback", "--run-id", RUN)
    token = shell.token(shell(*rollback))
    undone = shell(*rollback, f"--apply={token}").json("WriteDocument")
    assert undone["outcome"]["run_id"] == f"rollback-{RUN}"
    assert state(shell.database)[0] == before[0]

    redo = ("--json", "billing", "rollback", "--run-id", f"rollback-{RUN}")
    done = shell(*redo, "--apply", shell.token(shell(*redo)))
    assert done.code == 0
    assert done.json("WriteDocument")["outcome"]["run_id"] == f"redo-{RUN}"
    names = [row["run_id"] for row in _rows(shell("--json", "billing", "runs"))]
    assert {RUN, f"rollback-{RUN}", f"redo-{RUN}", OLDER} <= set(names)


def _rows(result: Result) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = result.json("CheckDocument")["figures"]["rows"]
    return rows


def test_the_same_for_people(shell: Shell) -> None:
    """Without JSON the plan and the outcome are lines, and the token can be copied from them."""
    planned = shell.upsert("--page-size=2", options=())
    token = re.findall(r"^  token:  (\S+)$", planned.out, re.MULTILINE)[0]
    assert "insert 120, update 8" in planned.out
    assert "nothing was written" in planned.err
    applied = shell.upsert("--apply", token, options=())
    assert f"Applied as run {RUN}: insert 120, update 8" in applied.out
    assert "verify_run: PASS" in applied.out


def test_a_token_is_good_for_one_apply(shell: Shell) -> None:
    """The second use is refused before anything is asked of the database."""
    token = shell.token(shell.upsert())
    assert shell.upsert("--apply", token).code == 0
    again = shell.upsert("--apply", token)
    assert again.code == 4
    assert "already been used" in again.err
    assert again.json("WriteDocument")["status"] == "refused"


@pytest.mark.parametrize("wrong", ["1/2/3", "128/16553.20/00000000", "", "x" * 500])
def test_a_token_of_no_plan_is_refused(wrong: str, shell: Shell) -> None:
    """Only what a plan printed here counts."""
    before = state(shell.database)
    shell.upsert()
    assert shell.upsert("--apply", wrong).code == 4
    assert state(shell.database) == before


def test_a_token_of_another_command_is_refused(shell: Shell) -> None:
    """The plan of all lines does not allow some of them, nor another run id."""
    token = shell.token(shell.upsert())
    before = state(shell.database)
    narrower = shell.upsert("--select", "2", "--apply", token)
    assert (narrower.code, "another one" in narrower.err) == (4, True)
    file = str(shell.database.csv)
    renamed = ("billing", "upsert", "--csv", file, "--run-id", "another-run-1", "--apply", token)
    assert shell(*renamed).code == 4
    assert state(shell.database) == before


def test_a_plan_of_moved_data_is_refused(shell: Shell) -> None:
    """A line that another hand changed since makes the token worthless, and the change stays."""
    document = shell.upsert("--page-size=200").json("WriteDocument")
    row = next(row for row in document["plan"]["rows"] if row["operation"] == "update")
    with shell.database.connect() as connection:
        connection.execute(
            "UPDATE invoice_lines SET amount = amount + 1 WHERE id = %s", (row["before"]["id"],)
        )
    before = state(shell.database)
    refused = shell.upsert("--apply", document["plan"]["token"])
    assert refused.code == 4
    assert "the data has moved" in refused.err.lower()
    assert refused.json("WriteDocument")["status"] == "refused"
    assert state(shell.database) == before


def test_an_expired_plan_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan made two hours ago is no longer one."""
    earlier = datetime.now(UTC) - timedelta(hours=2)
    with monkeypatch.context() as patch:
        patch.setattr(Desk, "now", lambda _: earlier)
        token = shell.token(shell.upsert())
    refused = shell.upsert("--apply", token)
    assert (refused.code, "expired" in refused.err) == (4, True)


def test_a_selection_writes_only_its_lines(shell: Shell, tmp_path: Path) -> None:
    """Lines named on the command line and in a file are the only ones written."""
    keys = tmp_path / "keys"
    keys.write_text("3\n4\n")
    select = ("--select", "2", f"--select={keys}")
    token = shell.token(shell.upsert(*select))
    applied = shell.upsert(*select, "--apply", token).json("WriteDocument")
    assert sum(applied["outcome"]["counts"].values()) == 3


def test_a_rollback_of_selected_lines(shell: Shell) -> None:
    """The rest of the run stays; a second rollback under a new name takes it back too."""
    before = state(shell.database)
    assert shell.batch().code == 0
    rollback = ("--json", "billing", "rollback", "--run-id", RUN)
    rows = shell(*rollback).json("WriteDocument")["plan"]["rows"]
    select = ("--select", rows[0]["key"], "--select", rows[1]["key"])
    token = shell.token(shell(*rollback, *select))
    part = shell(*rollback, *select, "--apply", token).json("WriteDocument")
    assert sum(part["outcome"]["counts"].values()) == 2
    rest = shell(*rollback, "--apply", shell.token(shell(*rollback)))
    assert rest.json("WriteDocument")["outcome"]["run_id"] == f"rollback2-{RUN}"
    assert state(shell.database)[0] == before[0]
    unknown = shell(*rollback, "--select", "00000000-0000-0000-0000-000000000000")
    assert unknown.code == 2


def test_conflicts_of_a_rollback_are_decided_one_by_one(shell: Shell) -> None:
    """A line changed since is kept unless named; either decision makes the plan clean."""
    assert shell.batch().code == 0
    rollback = ("--json", "billing", "rollback", "--run-id", RUN)
    rows = shell(*rollback, "--page-size=200").json("WriteDocument")["plan"]["rows"]
    key = next(row["key"] for row in rows if row["operation"] == "restore")
    with shell.database.connect() as connection:
        connection.execute("UPDATE invoice_lines SET amount = 4711 WHERE id = %s", (key,))
    open_plan = shell(*rollback)
    assert open_plan.code == 1
    assert open_plan.json("WriteDocument")["findings"][0]["record"] == key
    kept, restored = shell(*rollback, "--keep", key), shell(*rollback, "--restore", key)
    assert (kept.code, restored.code) == (0, 0)
    assert kept.json("WriteDocument")["plan"]["rows_written"] == 127
    assert restored.json("WriteDocument")["plan"]["rows_written"] == 128
    assert shell(*rollback, "--keep", key, "--apply", shell.token(kept)).code == 0
    with shell.database.connect() as connection:
        row = connection.execute("SELECT amount FROM invoice_lines WHERE id = %s", (key,))
        assert str(row.fetchone()[0]) == "4711.00"  # type: ignore[index]  # the line is there


def test_production_wants_the_token_also_from_batch_upsert(shell: Shell) -> None:
    """The URL by hand is recognised as production's; the refusal prints the token."""
    shell.configure('kind = "production"')
    before = state(shell.database)
    refused = shell.batch()
    assert refused.code == 4
    assert state(shell.database) == before
    token = re.findall(r"--apply (\S+)", refused.err)[-1]
    assert shell.batch("--apply", token).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (("preflight",), 0, {"pass", "warn"}),
        (("billing", "duplicates"), 1, {"fail"}),
        (("billing", "runs"), 0, {"pass"}),
        (("billing", "verify", "--run-id", "never-was-there"), 3, {"not_run"}),
        (("billing", "verify", "--run-id", OLDER), 0, {"pass", "warn"}),
        (("billing", "audit-trail", "--run-id", "never-was-there"), 3, {"not_run"}),
    ],
)
def test_reading_commands(
    arguments: tuple[str, ...], code: int, status: set[str], shell: Shell
) -> None:
    """Each has its exit code and a document that fits the schema, and the same for people."""
    before = state(shell.database)
    done = shell("--json", *arguments)
    document = done.json("CheckDocument")
    assert (done.code, document["status"] in status) == (code, True)
    assert document["environment"]["name"] == "books"
    log = Path(document["session"]["log"])
    assert json.loads(log.read_text().splitlines()[-1])["hash"] == document["session"]["head"]
    plain = shell(*arguments)
    assert plain.code == code
    assert plain.out
    assert state(shell.database) == before


def test_an_unreachable_database_is_not_green(shell: Shell) -> None:
    """Nothing is known, nothing is claimed: exit 3, also for a dry run."""
    url = ("--database-url", "postgresql://nobody@127.0.0.1:1/none")
    document = shell("--json", *url, "preflight", env=False)
    assert document.code == 3
    assert document.json("WriteDocument")["status"] == "not_run"
    file = str(shell.database.csv)
    dry = ("batch-upsert", "--csv", file, "--run-id", RUN, "--dry-run")
    assert shell(*url, *dry, env=False).code == 3


def test_session_commands(shell: Shell) -> None:
    """What was done is listed, shown and verified; an edited log fails."""
    shell.upsert()
    listed = shell("--json", "session", "list").json("SessionListDocument")
    (session,) = listed["sessions"]
    assert session["closed"] is True
    shown = shell("--json", "session", "show", session["id"]).json("SessionDocument")
    assert len(shown["plans"]) == 1
    verified = shell("--json", "session", "verify", session["id"])
    assert (verified.code, verified.json("LogCheckDocument")["status"]) == (0, "pass")
    for words in (("list",), ("show", session["id"]), ("verify", session["id"])):
        assert shell("session", *words).out
    log = Path(session["log"])
    log.write_text(log.read_text().replace(RUN, RUN.replace("42", "43")))
    broken = shell("--json", "session", "verify", session["id"])
    assert (broken.code, broken.json("LogCheckDocument")["status"]) == (1, "fail")


def test_sandbox_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Up, status, reset and down each print where it is; it stays up in between."""
    folder = ["--dir", str(tmp_path / "box")]
    try:
        states = []
        for words in (["up", "--invoices=90"], ["status"], ["reset", "--seed", "2"], ["down"]):
            assert main(["sandbox", *words, *folder]) == 0
            document = Result(0, capsys.readouterr().out, "").json("SandboxDocument")
            assert document["config"] == str(tmp_path / "box" / "ops-console.toml")
            states.append((document["state"], document["pid"] is not None, document["seed"]))
    finally:
        main(["sandbox", "down", *folder])
    running, stopped = ("running", True), ("stopped", False)
    assert states == [(*running, 1), (*running, 1), (*running, 2), (*stopped, 2)]


SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.25); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT OR UPDATE ON invoice_lines
FOR EACH ROW EXECUTE FUNCTION slow();
"""
CANARY = "canary-3f1c-ä/&"
QUOTED = "canary-3f1c-%C3%A4%2F%26"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(shell: Shell) -> Iterator[Start]:
    """Start a slow batch-upsert with a password in its URL, in a process of its own."""
    started: list[subprocess.Popen[str]] = []
    with shell.database.connect() as connection:
        connection.execute(SLOW)
    url = shell.database.url.replace("postgres@", f"postgres:{QUOTED}@")
    assert QUOTED in url

    def begin(*options: str) -> subprocess.Popen[str]:
        words = ["batch-upsert", "--csv", str(shell.database.csv), "--run-id", RUN]
        words += ["--database-url", url, "--batch-size", "1"]
        process = subprocess.Popen(
            [sys.executable, "-m", "console", *shell.globals, *options, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        started.append(process)
        _wait_until_writing(shell.database, process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def _wait_until_writing(database: Database, process: subprocess.Popen[str]) -> None:
    """Return once the process sleeps inside its writing statement."""
    with database.connect() as connection:
        for _ in range(3000):
            assert process.poll() is None, process.communicate()
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event = 'PgSleep'"
            ).fetchone()
            if row is not None and row[0]:
                return
            time.sleep(0.01)
    raise AssertionError("it never wrote")


def _everything(database: Database, folder: Path) -> str:
    """All that is left behind: audit rows, ledger and files."""
    with database.connect() as connection:
        rows: list[Any] = []
        for table in ("audit_logs", "ops_console.runs", "invoice_lines"):
            rows += connection.execute(
                psycopg.sql.SQL("SELECT t::text FROM {} t").format(
                    psycopg.sql.Identifier(*table.split("."))
                )
            ).fetchall()
    files = [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
    return "\n".join([repr(rows), *files])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_rolls_back(number: signal.Signals, shell: Shell, start: Start) -> None:
    """Exit 130, said so, no row left behind, and the session is closed."""
    before = state(shell.database)
    process = start("--json")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    document = Result(130, out, err).json("WriteDocument")
    assert (process.returncode, document["status"]) == (130, "stopped")
    assert "roll" in err
    assert "Traceback" not in err
    assert state(shell.database) == before
    (session,) = shell("--json", "session", "list").json("SessionListDocument")["sessions"]
    assert (session["closed"], session["in_doubt"]) == (True, [])


def test_a_password_by_hand_is_found_nowhere(shell: Shell, start: Start) -> None:
    """Not in what is printed, logged, written or listed among the processes."""
    process = start()
    listed = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert b"batch-upsert" in listed
    assert b"canary" not in listed
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "canary" not in out + err
    assert "process list" in err
    assert "canary" not in _everything(shell.database, shell.sessions)


def test_a_password_stays_out_of_an_applied_run(shell: Shell) -> None:
    """The audit rows, the ledger and the log of a committed run do not know it."""
    url = shell.database.url.replace("postgres@", f"postgres:{QUOTED}@")
    words = ("batch-upsert", "--csv", str(shell.database.csv), "--run-id", RUN)
    done = shell("--reason", f"with {CANARY}", *words, "--database-url", url, env=False)
    assert done.code == 0
    assert "canary" not in done.out + done.err
    assert "canary" not in _everything(shell.database, shell.sessions)


def test_a_killed_apply_is_settled_by_resume(shell: Shell, start: Start) -> None:
    """After kill -9 the session is in doubt; resuming finds out and says it."""
    before = state(shell.database)[0]
    process = start()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (session,) = shell("--json", "session", "list").json("SessionListDocument")["sessions"]
    assert session["in_doubt"] == [RUN]
    resumed = shell("--json", "session", "resume", session["id"], env=False)
    document = resumed.json("SessionDocument")
    assert (resumed.code, document["in_doubt"], document["closed"]) == (0, [], True)
    assert "did not commit and cannot any more" in resumed.err
    assert state(shell.database)[0] == before


def test_resume_refuses_another_database(
    shell: Shell, start: Start, cloud_database: Database
) -> None:
    """A run is settled only where it was tried."""
    process = start()
    process.kill()
    process.wait()
    (session,) = shell("--json", "session", "list").json("SessionListDocument")["sessions"]
    words = ("session", "resume", session["id"])
    refused = shell("--database-url", cloud_database.url, *words, env=False)
    assert (refused.code, "not the database" in refused.err) == (4, True)
