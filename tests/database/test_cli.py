"""Plans, applies and refusals of the command line on a real server."""

from __future__ import annotations

import csv as csv_module
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from console.desk import Desk
from tests.database.cli_kit import OLDER, RUN, Result, Shell, state
from tests.database.conftest import Database


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
    assert document["outcome"]["undo"].endswith(f"--env books billing rollback --run-id {RUN}")
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
    shell.configure('kind = "production"\nallow_superuser = true')
    before = state(shell.database)
    refused = shell.batch()
    assert refused.code == 4
    assert state(shell.database) == before
    token = re.findall(r"--apply (\S+)", refused.err)[-1]
    assert shell.batch("--apply", token).code == 0
