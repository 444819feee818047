"""The state of a session is a fold over its log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from console.operation import Applied, Check, Checked, CommitSent, Event, Planned
from console.session.record import Record, seal
from console.session.state import SessionState, StepState, advance, fold
from console.session.walk import event_data, plan_reference
from tests.unit.session_kit import OUTCOME, RUN, START, TARGET, make_plan

STEPS = st.sampled_from(["1.2", "3", "4.1"])
RUNS = st.sampled_from([RUN, "retry-20260208-fix42"])
VERDICTS = st.sampled_from(["APPLIED", "NOT APPLIED", "REFUSED", "UNKNOWN"])
INTENTS = st.integers(1, 25)


def started() -> tuple[str, dict[str, Any]]:
    data = {"operator": "mona", "reason": "INC-7", "target": TARGET, "runbook": "billing"}
    return "started", data


def intent(verb: str = "apply", run: str = RUN, step: str | None = "3") -> tuple[str, Any]:
    plan = plan_reference(make_plan(run_id=run)) if verb == "apply" else None
    data = {"verb": verb, "operation": "fake", "step": step, "run_id": run}
    return "intent", {**data, "command": {"csv": "a.csv"}, "plan": plan}


def event(number: int, happened: Event) -> tuple[str, Any]:
    kind = type(happened).__name__
    return "event", {"intent": number, "type": kind, "event": event_data(happened)}


def outcome(number: int, verdict: str, message: str = "") -> tuple[str, Any]:
    return "outcome", {"intent": number, "verdict": verdict, "message": message}


def settled(verdict: str, run: str = RUN) -> tuple[str, Any]:
    return "settled", {"run_id": run, "verdict": verdict, "at": START, "message": ""}


EVENTS = st.sampled_from(
    [
        Planned(make_plan()),
        CommitSent(RUN),
        Applied(OUTCOME),
        Checked(Check("duplicates", "pass")),
    ]
)
FACTS = st.one_of(
    st.builds(started),
    st.builds(intent, st.sampled_from(["read", "plan", "apply", "verify"]), RUNS, STEPS),
    st.builds(event, INTENTS, EVENTS),
    st.builds(outcome, INTENTS, VERDICTS | st.sampled_from(["pass", "fail", "not_run"])),
    st.builds(settled, VERDICTS, RUNS),
    st.tuples(st.just("attested"), st.builds(lambda s: {"step": s, "evidence": "seen"}, STEPS)),
    st.tuples(st.just("skipped"), st.builds(lambda s: {"step": s, "evidence": "not ours"}, STEPS)),
    st.tuples(st.just("step"), st.builds(lambda s: {"step": s}, STEPS)),
    st.tuples(st.just("carried"), st.builds(lambda n: {"values": {"n": n}}, st.integers())),
    st.tuples(st.just("resumed"), st.just({"operator": "otto"})),
    st.tuples(st.just("closed"), st.just({})),
    st.tuples(st.just("of-a-later-version"), st.just({"text": "kept, not understood"})),
)


def chained(facts: list[tuple[str, Any]]) -> list[Record]:
    records: list[Record] = []
    for number, (kind, data) in enumerate(facts):
        last = records[-1] if records else None
        at = START + timedelta(seconds=number)
        records.append(seal(last, at, "20260208-021409-a41f9c", kind, data)[0])
    return records


@given(st.lists(FACTS, max_size=25), st.data())
def test_folding_on_from_a_prefix_gives_the_same(facts: list[Any], data: st.DataObject) -> None:
    """Following a log as it grows and reading it from the start never disagree."""
    records = chained(facts)
    cut = data.draw(st.integers(0, len(records)))
    prefix = fold(records[:cut])
    copy = fold(records[:cut])
    assert fold(records[cut:], prefix) == fold(records)
    assert prefix == copy, "an earlier state was changed by folding on"


def test_how_a_session_began() -> None:
    """Who, why, where, and which runbook."""
    state = fold(chained([started()]))
    assert (state.operator, state.reason, state.runbook) == ("mona", "INC-7", "billing")
    assert state.target == TARGET
    assert state.environment == "sandbox"
    assert (state.count, state.started_at, state.last_at) == (1, START, START)


def test_an_apply_without_an_end_is_in_doubt() -> None:
    """A read without an end is not; an apply stays so until it is settled."""
    facts = [started(), intent("read"), intent("apply"), event(3, CommitSent(RUN))]
    state = fold(chained(facts))
    assert [(i.run_id, i.commit_sent, i.command) for i in state.in_doubt] == [
        (RUN, True, {"csv": "a.csv"})
    ]
    facts += [outcome(3, "UNKNOWN"), settled("UNKNOWN"), settled("APPLIED", "another-run")]
    assert len(fold(chained(facts)).in_doubt) == 1
    facts += [settled("APPLIED")]
    state = fold(chained(facts))
    assert state.in_doubt == ()
    assert state.runs[RUN].verdict == "APPLIED"
    assert state.steps["3"].status == "done"


def test_a_run_that_did_not_commit_fails_its_step() -> None:
    """Settled as not applied: the step is to be done again."""
    state = fold(chained([started(), intent("apply"), settled("NOT APPLIED")]))
    assert state.runs[RUN].verdict == "NOT APPLIED"
    assert state.steps["3"].status == "failed"


def test_a_later_refusal_does_not_undo_an_apply() -> None:
    """The same run id refused the second time is still an applied run."""
    facts = [started(), intent(), outcome(2, "APPLIED"), intent(), outcome(4, "REFUSED", "used")]
    assert fold(chained(facts)).runs[RUN].verdict == "APPLIED"


def test_a_plan_is_used_from_the_first_intent_and_new_when_made_again() -> None:
    """Single use, by the log."""
    made = [started(), intent("plan"), event(2, Planned(make_plan())), outcome(2, "planned")]
    token = make_plan().token
    plan = fold(chained(made)).plans[token]
    assert (plan.digest, plan.used, plan.rows_written) == (make_plan().digest, False, 3)
    assert plan.expires_at == make_plan().expires_at
    used = [*made, intent("apply"), outcome(5, "REFUSED")]
    assert fold(chained(used)).plans[token].used
    again = [*used, intent("plan"), event(7, Planned(make_plan()))]
    assert not fold(chained(again)).plans[token].used


def test_steps_by_hand() -> None:
    """Attested and skipped steps keep their evidence; the last touched one is where we are."""
    facts = [
        started(),
        ("attested", {"step": "1.1", "evidence": "backup 02:00 seen"}),
        ("skipped", {"step": "1.2", "evidence": "no OFX today"}),
        ("carried", {"values": {"run_id": RUN}}),
        ("step", {"step": "3"}),
    ]
    records = chained(facts)
    state = fold(records)
    assert state.steps["1.1"] == StepState("attested", "backup 02:00 seen", "", records[1].at)
    assert state.steps["1.2"].status == "skipped"
    assert state.carried == {"run_id": RUN}
    assert state.current_step == "3"


def test_a_check_that_did_not_run_is_no_done_step() -> None:
    """Only pass and warn make a step done."""
    for answer, status in (
        ("pass", "done"),
        ("warn", "done"),
        ("fail", "failed"),
        ("not_run", "failed"),
    ):
        state = fold(chained([started(), intent("read"), outcome(2, answer)]))
        assert (state.steps["3"].status, state.steps["3"].answer) == (status, answer)


def test_an_unknown_kind_moves_the_head_only() -> None:
    """A log of a later version can still be followed."""
    record = chained([("of-a-later-version", {})])[0]
    assert advance(SessionState(), record).head == record.hash
