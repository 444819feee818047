"""A session gates, announces, runs and records; what it claims is what happened."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.errors import (
    BadInput,
    Busy,
    CouldNotRun,
    InDoubt,
    Moved,
    Refused,
    RunIdUsed,
    Stopped,
)
from console.operation import (
    Applied,
    BatchWritten,
    Check,
    Checked,
    CommitSent,
    Event,
    Measured,
    Plan,
    Planned,
    Progress,
)
from console.secrets import Secret
from console.session.directory import default_directory, find, new_session_id, sessions
from console.session.log import SessionLog, read, verify
from console.session.session import Session
from console.settings import Environment
from tests.unit.session_kit import OUTCOME, RUN, START, TARGET, Clock, Fake, make_plan, whole


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = start(tmp_path)
    yield made
    made.leave()


def start(directory: Path, **changes: Any) -> Session:
    values: dict[str, Any] = {"operator": "mona", "reason": "INC-7", "target": TARGET}
    return Session.start(directory, **{**values, "clock": Clock(), **changes})


def kinds(session: Session) -> list[str]:
    return [r.data.get("type", r.kind) for r in read(session.path)]


def last_outcome(session: Session) -> dict[str, Any]:
    outcomes = [r.data for r in read(session.path) if r.kind == "outcome"]
    return dict(outcomes[-1])


def test_an_apply_that_goes_well(session: Session) -> None:
    """Intent, every event but progress, outcome; the operation got the head after the intent."""
    operation = Fake()
    events = list(session.run("apply", operation, step="3.2", plan=make_plan()))
    assert isinstance(events[0], Progress)
    assert kinds(session) == [
        "started",
        "intent",
        "BatchWritten",
        "Measured",
        "CommitSent",
        "Applied",
        "outcome",
    ]
    records = list(read(session.path))
    assert operation.head == records[1].hash
    intent = records[1].data
    assert intent["command"] == {"csv": "missing_lines.csv", "amount": "1.10"}
    assert intent["plan"]["token"] == make_plan().token
    assert (intent["verb"], intent["operation"], intent["run_id"]) == ("apply", "fake", RUN)
    assert records[3].data["event"]["money"] == {"EUR": "41207.55"}
    assert last_outcome(session)["verdict"] == "APPLIED"
    assert session.state.runs[RUN].verdict == "APPLIED"
    assert session.state.steps["3.2"].status == "done"
    assert session.state.in_doubt == ()
    assert verify(session.path, [(session.head.count, session.head.hash)]).not_proven == ()


def test_every_event_is_in_the_log_before_it_is_handed_on(session: Session) -> None:
    """Whoever sees an event can already read it in the file."""
    for event in session.run("apply", Fake(), plan=make_plan()):
        if not isinstance(event, Progress):
            assert kinds(session)[-1] == type(event).__name__


def test_what_surrounds_a_commit_is_flushed(session: Session, monkeypatch) -> None:
    """Intent, measurement, COMMIT sent, applied, outcome: five flushes, however many batches."""

    def many(operation: Fake) -> Iterator[Event]:
        for number in range(200):
            yield BatchWritten(number, {"insert": 50}, 0.01)
        yield from whole(operation)

    flushed: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        flushed.append(session.path.read_bytes().splitlines()[-1].decode())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    list(session.run("apply", Fake(many), plan=make_plan()))
    records = [json.loads(line) for line in flushed]
    names = [r["data"].get("type", r["kind"]) for r in records]
    assert names == ["intent", "Measured", "CommitSent", "Applied", "outcome"]


def test_reads_plans_and_verifications_are_recorded_with_their_answer(session: Session) -> None:
    """The answer of the check, `planned` for a plan."""
    assert isinstance(list(session.run("read", Fake(), step="1.2"))[-1], Checked)
    assert last_outcome(session)["verdict"] == "warn"
    assert isinstance(list(session.run("plan", Fake()))[-1], Planned)
    assert last_outcome(session)["verdict"] == "planned"
    list(session.run("verify", Fake(), outcome=OUTCOME))
    assert last_outcome(session)["verdict"] == "pass"
    assert session.state.plans[make_plan().token].digest == make_plan().digest


BEFORE = [Measured({"insert": 3}, {})]
AFTER = [Measured({"insert": 3}, {}), CommitSent(RUN)]
DONE = [CommitSent(RUN), Applied(OUTCOME)]


@pytest.mark.parametrize(
    ("events", "error", "verdict"),
    [
        (BEFORE, Moved(), "REFUSED"),
        (BEFORE, RunIdUsed(), "REFUSED"),
        (BEFORE, BadInput("x"), "NOT APPLIED"),
        (BEFORE, CouldNotRun("x"), "NOT APPLIED"),
        (BEFORE, Stopped(), "NOT APPLIED"),
        (BEFORE, ZeroDivisionError("x"), "NOT APPLIED"),
        (BEFORE, KeyboardInterrupt(), "NOT APPLIED"),
        (AFTER, InDoubt(), "UNKNOWN"),
        (AFTER, ConnectionError("x"), "UNKNOWN"),
        (AFTER, KeyboardInterrupt(), "UNKNOWN"),
        (AFTER, CouldNotRun("a deferred constraint failed"), "NOT APPLIED"),
        (DONE, ConnectionError("while closing"), "APPLIED"),
    ],
    ids=repr,
)
def test_an_error_becomes_its_verdict_and_goes_on(
    session: Session, events: list[Event], error: BaseException, verdict: str
) -> None:
    """The very exception is raised on; the log says what it means for the data."""

    def script(_: Fake) -> Iterator[Event]:
        yield from events
        raise error

    with pytest.raises(type(error)) as raised:
        list(session.run("apply", Fake(script), step="3", plan=make_plan()))
    assert raised.value is error
    assert last_outcome(session)["verdict"] == verdict
    assert last_outcome(session)["error"] == type(error).__name__
    assert [i.run_id for i in session.state.in_doubt] == ([RUN] if verdict == "UNKNOWN" else [])


@pytest.mark.parametrize(("events", "error"), [(BEFORE, CouldNotRun), (AFTER, InDoubt)])
def test_an_apply_that_ends_without_a_result_claims_nothing(
    session: Session, events: list[Event], error: type[Exception]
) -> None:
    """Silence is no success."""
    with pytest.raises(error):
        list(session.run("apply", Fake(lambda _: iter(events)), plan=make_plan()))
    assert last_outcome(session)["verdict"] == ("UNKNOWN" if events is AFTER else "NOT APPLIED")


def test_a_reading_without_an_answer_did_not_run(session: Session) -> None:
    """Nothing is green that did not run."""

    class Silent(Fake):
        def read(self) -> Iterator[Event]:
            yield Progress("reading")

    class Broken(Fake):
        def read(self) -> Iterator[Event]:
            yield Checked(Check("duplicates", "pass"))
            raise ConnectionError("gone")

    with pytest.raises(CouldNotRun):
        list(session.run("read", Silent()))
    assert last_outcome(session)["verdict"] == "not_run"
    with pytest.raises(ConnectionError):
        list(session.run("read", Broken()))
    assert last_outcome(session)["verdict"] == "not_run"


def test_an_operation_that_fails_before_its_first_event_has_an_end_too(session: Session) -> None:
    """Also when calling it raises, before there is anything to walk."""

    class Unable(Fake):
        def apply(self, plan: Plan, log_head: str) -> Iterator[Event]:
            raise CouldNotRun("no connection")

        def read(self) -> Iterator[Event]:
            raise NotImplementedError

    with pytest.raises(CouldNotRun):
        list(session.run("apply", Unable(), plan=make_plan()))
    assert last_outcome(session)["verdict"] == "NOT APPLIED"
    with pytest.raises(NotImplementedError):
        list(session.run("read", Unable()))
    assert last_outcome(session)["verdict"] == "not_run"
    assert session.state.pending == {}


def test_closing_early_rolls_back_and_is_recorded(session: Session) -> None:
    """A closed generator is an end like any other; after CommitSent it is in doubt."""
    for stop, verdict in ((BatchWritten, "NOT APPLIED"), (CommitSent, "UNKNOWN")):
        operation = Fake()
        plan = make_plan(digest=verdict.encode().hex().ljust(64, "0"))
        run = session.run("apply", operation, plan=plan)
        assert any(isinstance(event, stop) for event in run)
        run.close()  # type: ignore[attr-defined]
        assert operation.rolled_back
        assert last_outcome(session)["verdict"] == verdict
        assert last_outcome(session)["error"] == "GeneratorExit"


def test_a_run_that_is_never_begun_leaves_no_intent(session: Session) -> None:
    """Nothing is announced that nobody walks."""
    session.run("apply", Fake(), plan=make_plan())
    assert kinds(session) == ["started"]


def test_a_refusal_by_the_gate_is_recorded_and_nothing_begins(tmp_path: Path) -> None:
    """No intent, no first step of the operation."""
    session = start(tmp_path, environment=Environment(read_only=True))
    operation = Fake()
    with pytest.raises(Refused, match="read-only"):
        list(session.run("apply", operation, plan=make_plan()))
    assert not operation.began
    assert kinds(session) == ["started", "refused"]


def test_a_plan_is_applied_once(session: Session) -> None:
    """Also when it was planned in another session, and the first attempt was stopped."""

    def stopped(_: Fake) -> Iterator[Event]:
        raise Stopped
        yield

    with pytest.raises(Stopped):
        list(session.run("apply", Fake(stopped), plan=make_plan()))
    with pytest.raises(Refused, match="already been used"):
        list(session.run("apply", Fake(), plan=make_plan()))


def test_used_plans_are_remembered_by_the_log(session: Session) -> None:
    """Planned and used before the session was left; refused after it is resumed."""
    list(session.run("plan", Fake()))
    list(session.run("apply", Fake(), plan=make_plan()))
    session.leave()
    again = Session.resume(session.path, clock=Clock())
    with pytest.raises(Refused, match="already been used"):
        list(again.run("apply", Fake(), plan=make_plan()))
    again.leave()


def test_one_apply_at_a_time(session: Session) -> None:
    """A second one is refused while the first is open; a reading is not."""
    first = session.run("apply", Fake(), plan=make_plan())
    next(first)
    with pytest.raises(Busy):
        next(session.run("apply", Fake(), plan=make_plan(digest="77" * 32)))
    list(session.run("read", Fake()))
    list(first)
    list(session.run("apply", Fake(), plan=make_plan(digest="78" * 32)))


# A log that cannot be written.


def fail_write_number(monkeypatch: pytest.MonkeyPatch, session: Session, number: int) -> None:
    """From the given write on, the disk is full."""
    real, seen = os.write, [0]

    def write(descriptor: int, data: Any) -> int:
        seen[0] += 1
        if seen[0] >= number:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)


@pytest.mark.parametrize("number", range(1, 8))
def test_every_failing_log_write_of_an_apply(session: Session, monkeypatch, number: int) -> None:
    """Before COMMIT nothing is changed; after it the run is in doubt, never called failed."""
    operation = Fake()
    fail_write_number(monkeypatch, session, number)
    # 1 intent, 2 batch, 3 measured, 4 commit sent, 5 applied, 6 outcome, 7 all is written
    if number == 7:
        list(session.run("apply", operation, plan=make_plan()))
    else:
        with pytest.raises(InDoubt if number > 4 else CouldNotRun):
            list(session.run("apply", operation, plan=make_plan()))
    monkeypatch.undo()
    assert operation.began == (number > 1)
    assert operation.committed == (number > 4)
    assert verify(session.path).ok
    session.leave()
    doubts = [intent.run_id for intent in Session.resume(session.path).state.in_doubt]
    assert doubts == ([RUN] if 1 < number < 7 else [])


def test_a_log_that_fails_for_a_moment_after_commit_was_sent(session: Session, monkeypatch) -> None:
    """The log's own failure is no promise that nothing was changed."""

    def late(_: Fake) -> Iterator[Event]:
        yield CommitSent(RUN)
        yield BatchWritten(1, {}, 0.1)

    real, seen = os.write, [0]

    def write(descriptor: int, data: Any) -> int:
        seen[0] += 1
        if seen[0] == 3:  # intent, commit sent, batch
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(InDoubt):
        list(session.run("apply", Fake(late), plan=make_plan()))
    assert last_outcome(session)["verdict"] == "UNKNOWN"


def test_the_rollback_comes_before_its_verdict(session: Session, monkeypatch) -> None:
    """NOT APPLIED is written only when what was open has been given back."""
    seen: list[list[str]] = []

    def script(_: Fake) -> Iterator[Event]:
        try:
            yield BatchWritten(1, {"insert": 3}, 0.1)
        finally:
            seen.append(kinds(session))

    fail_write_number(monkeypatch, session, 2)
    with pytest.raises(CouldNotRun):
        list(session.run("apply", Fake(script), plan=make_plan()))
    monkeypatch.undo()
    run = session.run("apply", Fake(script), plan=make_plan(digest="77" * 32, run_id="another-run"))
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert seen[0] == ["started", "intent"]
    assert seen[1][-1] == "BatchWritten"
    assert kinds(session)[-1] == "outcome"


def test_a_session_that_cannot_log_does_not_start(tmp_path: Path, monkeypatch) -> None:
    """No half-made session is left behind."""
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(CouldNotRun):
        start(tmp_path)
    assert sessions(tmp_path) == []


# Resuming, settling, closing.


def test_a_session_is_gone_on_with_where_it_was(session: Session) -> None:
    """The state after resuming is the state before, one record later."""
    session.attest("1.1", "backup of 02:00 seen")
    session.skip("1.3", "no OFX today")
    session.note("asked Otto")
    session.carry({"run_id": RUN, "csv": Path("a/b.csv")})
    session.go_to("3")
    before = session.state
    session.leave()
    again = Session.resume(session.path, operator="otto")
    assert again.state.steps == before.steps
    assert again.state.carried == {"run_id": RUN, "csv": "a/b.csv"}
    assert again.state.current_step == "3"
    assert (again.state.operator, again.state.reason) == ("otto", "INC-7")
    assert again.head.count == before.count + 1
    again.leave()


def test_a_run_in_doubt_is_settled_before_it_is_touched_again(session: Session) -> None:
    """Refused, then settled, then the session may be closed for good."""

    def lost(_: Fake) -> Iterator[Event]:
        yield CommitSent(RUN)
        raise InDoubt

    with pytest.raises(InDoubt):
        list(session.run("apply", Fake(lost), step="3", plan=make_plan()))
    with pytest.raises(Refused, match="in doubt"):
        list(session.run("apply", Fake(), plan=make_plan(digest="77" * 32)))
    with pytest.raises(Refused, match="In doubt"):
        session.close()
    session.settled(RUN, "UNKNOWN", START)
    assert session.state.in_doubt
    session.settled(RUN, "APPLIED", START, "committed at 02:14:09")
    assert session.state.steps["3"].evidence == "committed at 02:14:09"
    with pytest.raises(BadInput):
        session.settled(RUN, "FAILED", START)  # type: ignore[arg-type]
    head = session.close()
    assert verify(session.path, [(head.count, head.hash)]).unanchored == 0
    with pytest.raises(Refused, match="closed"):
        Session.resume(session.path)
    with pytest.raises(Refused, match="closed"):
        session.note("too late")


def test_an_altered_or_headless_log_is_not_resumed(session: Session) -> None:
    """The log is the state, so a doubtful log is no state."""
    session.note("one")
    session.leave()
    whole_file = session.path.read_bytes()
    session.path.write_bytes(whole_file.replace(b"one", b"two"))
    with pytest.raises(Refused, match="altered"):
        Session.resume(session.path)
    session.path.write_bytes(whole_file[:40])
    with pytest.raises(Refused, match="does not say how"):
        Session.resume(session.path)


def test_another_process_writing_to_the_same_session_is_seen(session: Session) -> None:
    """Its apply makes the plan a used one here too."""
    list(session.run("plan", Fake()))
    other = Session.resume(session.path, clock=Clock())
    list(other.run("apply", Fake(), plan=make_plan()))
    with pytest.raises(Refused, match="already been used"):
        list(session.run("apply", Fake(), plan=make_plan()))
    session.note("both are in one chain")
    assert session.state.runs[RUN].verdict == "APPLIED"
    assert verify(session.path).ok
    other.leave()


def test_what_says_nothing_is_refused(tmp_path: Path, session: Session) -> None:
    """Evidence, notes and operators are words."""
    for call in (lambda: session.attest("1", " "), lambda: session.note("x" * 70_000)):
        with pytest.raises(BadInput):
            call()
    with pytest.raises(BadInput, match="operator"):
        start(tmp_path, operator="")


def test_no_secret_of_a_command_event_or_error_is_logged(session: Session) -> None:
    """Wherever it travels."""
    canary = Secret("kanarienvogel-72")

    @dataclass(frozen=True, slots=True)
    class Login(Event):
        password: str
        text: str

    def leak(_: Fake) -> Iterator[Event]:
        yield Login("kanarienvogel-72", f"url postgresql://ops:{canary.reveal()}@db/x")
        raise CouldNotRun(f"refused for {canary.reveal()}", next_step=canary.reveal())

    with pytest.raises(CouldNotRun):
        list(session.run("apply", Fake(leak), plan=make_plan()))
    session.note(f"it was {canary.reveal()}")
    assert b"kanarienvogel" not in session.path.read_bytes()
    assert "***" in last_outcome(session)["message"]


def test_a_password_that_is_a_common_word_breaks_nothing(tmp_path: Path, monkeypatch) -> None:
    """Names of the program stay readable; names from outside may be blotted out, consistently."""
    words = re.compile("operator|sandbox|billing|fake|text|token|plan|step|APPLIED|Applied|41207")
    for module in ("record", "guard"):
        where = f"console.session.{module}.redact"
        monkeypatch.setattr(where, lambda text: words.sub("***", text))
    session = start(tmp_path, runbook="billing")
    list(session.run("plan", Fake(), step="a step"))
    list(session.run("apply", Fake(), step="a step", plan=make_plan()))
    session.leave()
    with Session.resume(session.path, clock=Clock()) as again:
        assert again.state.runbook == "billing"
        assert again.state.steps["a step"].status == "done"
        assert again.state.runs[RUN].verdict == "APPLIED"
        assert again.state.environment == "***"
        with pytest.raises(Refused, match="already been used"):
            list(again.run("apply", Fake(), plan=make_plan()))
        with pytest.raises(BadInput, match="secret"):
            list(again.run("apply", Fake(), plan=make_plan(run_id="manual-41207-fix")))


# The folder of sessions.


def test_sessions_are_listed_with_what_matters(tmp_path: Path) -> None:
    """The last used first; a damaged one is listed with its fault."""
    assert sessions(tmp_path / "none") == []
    doubtful = start(tmp_path, runbook="billing")
    run = doubtful.run("apply", Fake(), plan=make_plan())
    assert any(isinstance(event, CommitSent) for event in run)
    run.close()  # type: ignore[attr-defined]
    doubtful.leave()
    closed = start(tmp_path)
    closed.close()
    damaged = SessionLog.create(tmp_path, "00000000-damaged")
    damaged.path.write_bytes(b"nonsense\n")
    first, second, third = sessions(tmp_path)
    assert (first.id, first.in_doubt, first.closed) == (doubtful.id, (RUN,), False)
    assert (first.operator, first.environment, first.runbook) == ("mona", "sandbox", "billing")
    assert (second.id, second.closed, second.in_doubt) == (closed.id, True, ())
    assert third.fault
    assert find(tmp_path, "00000000") == damaged.path
    for wrong in ("", "2026", "nothing-like-it", "../"):
        with pytest.raises(BadInput):
            find(tmp_path, wrong)


def test_the_default_folder_follows_the_users_state_directory(monkeypatch) -> None:
    """A relative XDG_STATE_HOME is to be ignored."""
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/state")
    assert default_directory() == Path("/srv/state/ops-console/sessions")
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert default_directory() == Path.home() / ".local/state/ops-console/sessions"
    assert new_session_id(START).startswith("20260208-021409-")
