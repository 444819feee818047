"""A plan that writes nothing is not applied: no run id is used up for it."""

from pathlib import Path

from tests.database.cli_kit import RUN, Shell, state


def test_a_file_that_is_already_there(shell: Shell) -> None:
    """The runbook's tool says so with true numbers, leaves no run, and succeeds."""
    assert shell.batch().code == 0
    before = state(shell.database)
    again = shell.batch(run_id="manual-20260208-again")
    assert again.code == 0
    assert "0 inserted, 0 updated; 128 are already there" in again.out
    assert "Audit logs written" not in again.out
    assert "Undo" not in again.err
    assert state(shell.database) == before


def test_an_empty_plan_has_nothing_to_apply(shell: Shell, tmp_path: Path) -> None:
    """The second rollback of a run shows no token, and its token is refused."""
    shell.batch()
    rollback = ("billing", "rollback", "--run-id", RUN)
    shell(*rollback, "--apply", shell.token(shell("--json", *rollback)))
    before = state(shell.database)
    again = shell(*rollback)
    assert (again.code, "token" in again.out) == (0, False)
    assert "nothing to apply" in again.err
    forced = shell(*rollback, "--apply", shell.token(shell("--json", *rollback)))
    assert forced.code == 4
    assert state(shell.database) == before


def test_a_page_says_how_much_it_is(shell: Shell) -> None:
    """A page that is not the whole plan is not taken for it."""
    shown = shell.upsert("--page-size", "5", options=())
    assert "These are 5 of 128 rows" in shown.err
    assert "rows; see --page" not in shell.upsert("--page-size", "500", options=()).err
