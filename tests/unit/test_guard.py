"""What must hold before anything is written."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import BadInput, Refused
from console.operation import Operation, Plan, Target
from console.session.directory import sessions
from console.session.facts import Intent, PlanMade, SessionState
from console.session.guard import find_plan, gate, propose_retry, propose_run_id, run_id_valid
from console.session.session import Session
from console.settings import Environment
from tests.unit.session_kit import RUN, START, TARGET, Clock, Fake, make_plan

FINE = SessionState(session="s", operator="mona", target=TARGET, started_at=START)


class Reader(Fake):
    writes = False


class Other(Fake):
    name = "other"


def ask(
    plan: Plan | None,
    *,
    verb: str = "apply",
    operation: Operation | None = None,
    target: Target = TARGET,
    environment: Environment | None = None,
    state: SessionState = FINE,
    later: timedelta = timedelta(),
) -> None:
    gate(verb, operation or Fake(), plan, target, environment, START + later, state=state)  # type: ignore[arg-type]


def made(**changes: object) -> SessionState:
    plan = make_plan()
    entry = PlanMade(plan.token, plan.digest, "fake", RUN, START, plan.expires_at)
    return replace(FINE, plans={plan.token: replace(entry, **changes)})  # type: ignore[arg-type]


DOUBTFUL = replace(FINE, pending={4: Intent(4, "apply", "fake", START, run_id=RUN)})


def test_a_good_plan_passes() -> None:
    """Fresh, of this target, unused."""
    ask(make_plan(), state=made(), environment=Environment(kind="staging"))


@pytest.mark.parametrize(
    ("words", "case"),
    [
        ("read-only", {"plan": make_plan(), "environment": Environment(read_only=True)}),
        ("read-only", {"plan": make_plan(), "target": replace(TARGET, read_only=True)}),
        ("expired", {"plan": make_plan(), "later": timedelta(minutes=30)}),
        ("locked period", {"plan": make_plan(blocked="locked period 2026-01")}),
        ("was made for", {"plan": make_plan(target=replace(TARGET, server_id="9"))}),
        ("was made for", {"plan": make_plan(target=replace(TARGET, environment="production"))}),
        ("was made for", {"plan": make_plan(target=replace(TARGET, database="other"))}),
        ("no plan", {"plan": None}),
        ("already been used", {"plan": make_plan(), "state": made(used=True)}),
        ("in doubt", {"plan": make_plan(), "state": DOUBTFUL}),
        ("closed", {"plan": make_plan(), "state": replace(FINE, closed=True)}),
        ("not write", {"plan": make_plan(), "operation": Reader()}),
        ("not of other", {"plan": make_plan(), "operation": Other()}),
        ("no outcome", {"plan": None, "verb": "verify"}),
    ],
)
def test_a_write_is_refused(words: str, case: dict[str, object]) -> None:
    """Each reason in words, before anything is logged as intended."""
    with pytest.raises(Refused, match=words):
        ask(**case)  # type: ignore[arg-type]


def test_a_plan_with_a_wrong_run_id_or_an_unknown_verb_is_bad_input() -> None:
    """Grammar is input, not refusal."""
    with pytest.raises(BadInput):
        ask(make_plan(run_id="../../x"))
    with pytest.raises(BadInput, match="no verb"):
        ask(make_plan(), verb="undo")


def test_another_name_of_the_same_server_is_the_same_target() -> None:
    """The server's own identity counts, not the name it was called by."""
    ask(make_plan(target=replace(TARGET, host="localhost")))


def test_reading_and_planning_are_allowed_where_writing_is_not() -> None:
    """A replica can be looked at, and what would change can be planned."""
    for verb in ("read", "plan"):
        ask(None, verb=verb, environment=Environment(read_only=True))


# Tokens across sessions.


def session(directory: Path) -> Session:
    clock = Clock()
    return Session.start(directory, operator="mona", reason="", target=TARGET, clock=clock)


def test_a_printed_plan_is_found_by_its_token(tmp_path: Path) -> None:
    """In whichever session it was made; a token that nobody saw is refused with the next step."""
    token = make_plan().token
    with pytest.raises(Refused) as refused:
        find_plan(tmp_path, token, START)
    assert "without --apply" in refused.value.next_step
    with session(tmp_path) as planning:
        list(planning.run("plan", Fake()))
    with session(tmp_path):
        pass
    found = find_plan(tmp_path, token, START + timedelta(minutes=5))
    assert (found.token, found.digest, found.run_id) == (token, make_plan().digest, RUN)
    with pytest.raises(Refused, match="No plan"):
        find_plan(tmp_path, token[:-1], START)
    with pytest.raises(Refused, match="No plan"):
        find_plan(tmp_path, "\ud800'; DROP TABLE \x1b[2J" * 9, START)
    with pytest.raises(Refused, match="expired at 2026-02-08 02:44:09"):
        find_plan(tmp_path, token, START + timedelta(minutes=31))


def test_a_used_token_is_refused_until_it_is_planned_again(tmp_path: Path) -> None:
    """Also when another session used it."""
    token = make_plan().token
    with session(tmp_path) as one:
        list(one.run("plan", Fake()))
        list(one.run("apply", Fake(), plan=make_plan()))
    with pytest.raises(Refused, match="already been used"):
        find_plan(tmp_path, token, START)
    later = Clock()
    later.now += timedelta(minutes=2)
    with Session.start(tmp_path, operator="m", reason="", target=TARGET, clock=later) as two:
        list(two.run("plan", Fake()))
    assert find_plan(tmp_path, token, START).made_at > START + timedelta(minutes=2)


def test_an_altered_log_vouches_for_no_plan(tmp_path: Path) -> None:
    """Someone who edits the file cannot make a token valid."""
    with session(tmp_path) as planning:
        list(planning.run("plan", Fake()))
    path = sessions(tmp_path)[0].path
    path.write_bytes(path.read_bytes().replace(b"2026-02-08T02:44", b"2027-02-08T02:44"))
    with pytest.raises(Refused, match="No plan"):
        find_plan(tmp_path, make_plan().token, START)


# Run ids.

SOME_UUID = UUID("1ab8125c-9e38-41c6-902a-7d3a5c0b9e11")
GRAMMAR = re.compile(r"[a-z0-9][a-z0-9-]{7,63}")


@pytest.mark.parametrize(
    "run_id",
    ["manual-20260208-fix42", "retry-20260208-fix42", "dryrun-check", "a" * 64, str(SOME_UUID)],
)
def test_documented_run_ids_are_valid(run_id: str) -> None:
    """As the runbook writes them, and UUIDs."""
    assert run_id_valid(run_id) == run_id


@pytest.mark.parametrize(
    "run_id",
    [
        "'; DROP TABLE invoice_lines",
        "$(reboot)12345",
        "`reboot`12345",
        "../../etc/passwd",
        "/etc/passwd",
        "manual-2026\x00fix",
        "manual-20260208\n",
        "manual-20260208-\U0001f600",
        "manual-\u202e20260208",
        "Manual-20260208",
        "manual-２０２６０２０８",
        "-manual-20260208",
        "manual-%s-20260208",
        "manual-{}-20260208",
        "",
        "        ",
        "short",
        "a" * 65,
        "a" * 10_000,
        str(SOME_UUID).upper(),
        "{" + str(SOME_UUID) + "}",
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_a_run_id_outside_the_grammar_is_named(run_id: str) -> None:
    """One short sentence that holds the grammar."""
    with pytest.raises(BadInput, match="a-z, 0-9 and '-'") as bad:
        run_id_valid(run_id)
    assert len(bad.value.message) < 600


@given(st.text(max_size=80))
def test_a_proposed_run_id_is_valid(prefix: str) -> None:
    """Whatever the prefix."""
    assert GRAMMAR.fullmatch(propose_run_id(START, prefix))


@given(st.from_regex(GRAMMAR, fullmatch=True))
def test_a_proposed_retry_is_valid_and_another_id(run_id: str) -> None:
    """Also for the longest ids, and for the retry of a retry."""
    seen = {run_id}
    for _ in range(4):
        run_id = run_id_valid(propose_retry(run_id))
        assert run_id not in seen
        seen.add(run_id)


def test_retries_are_named_as_the_runbook_does() -> None:
    """manual- becomes retry-, then they are counted."""
    assert propose_run_id(START).startswith("manual-20260208-")
    assert propose_retry("manual-20260208-fix42") == "retry-20260208-fix42"
    assert propose_retry("retry-20260208-fix42") == "retry2-20260208-fix42"
    assert propose_retry("retry2-20260208-fix42") == "retry3-20260208-fix42"
    assert propose_retry("dryrun-check") == "retry-dryrun-check"
