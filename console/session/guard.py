"""What must hold before anything is written, and the grammar of run ids."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from console.errors import BadInput, CouldNotRun, Refused
from console.operation import Operation, Outcome, Plan, Target
from console.secrets import redact
from console.session.chain import raw_lines, read, verify
from console.session.state import PlanMade, SessionState, Verb, fold
from console.settings import Environment

_RUN_ID = re.compile(r"[a-z0-9][a-z0-9-]{7,63}")
_LONGEST = 64
_VERBS = ("read", "plan", "apply", "verify")
_AGAIN = "Plan again, read the new plan, and apply that one."


def gate(
    verb: Verb,
    operation: Operation,
    plan: Plan | None,
    target: Target,
    environment: Environment | None,
    now: datetime,
    *,
    state: SessionState,
    outcome: Outcome | None = None,
) -> None:
    """Raise `Refused` unless the session may do this; reading and planning are always allowed."""
    if verb not in _VERBS:
        raise BadInput(f"There is no verb {verb!r}; there are {', '.join(_VERBS)}.")
    if state.closed:
        raise Refused("This session is closed.", next_step="Start a new one.")
    if verb == "verify" and outcome is None:
        raise Refused("There is no outcome to verify.", next_step="Apply a plan first.")
    if verb != "apply":
        return
    if target.read_only or (environment is not None and environment.read_only):
        raise Refused(
            f"The environment {target.environment} is read-only.",
            next_step="Choose an environment that may be written.",
        )
    if not operation.writes:
        raise Refused(f"{operation.name} does not write anything; there is nothing to apply.")
    if plan is None:
        raise Refused("There is no plan to apply.", next_step="Plan first, and read the plan.")
    _gate_plan(operation, plan, target, now)
    _gate_history(plan, state)


def _gate_plan(operation: Operation, plan: Plan, target: Target, now: datetime) -> None:
    if plan.operation != operation.name:
        raise Refused(f"The plan is one of {plan.operation}, not of {operation.name}.")
    if _place(plan.target) != _place(target):
        raise Refused(
            f"The plan was made for {_words(plan.target)}, this session works on {_words(target)}.",
            next_step=_AGAIN,
        )
    if plan.blocked:
        raise Refused(
            f"The plan cannot be applied: {plan.blocked}", next_step=_AGAIN, findings=plan.findings
        )
    if now >= plan.expires_at:
        raise Refused(f"The plan expired at {plan.expires_at:%H:%M:%S} UTC.", next_step=_AGAIN)
    if plan.run_id:
        run_id_valid(plan.run_id)


def _gate_history(plan: Plan, state: SessionState) -> None:
    if any(intent.run_id == plan.run_id for intent in state.in_doubt):
        raise Refused(
            f"Whether run {plan.run_id} has been applied is still in doubt.",
            next_step=f"Settle it first: ops-console session resume {state.session}",
        )
    made = state.plans.get(redact(plan.token))  # as the log spells it
    if made is not None and made.used:
        raise Refused(f"The plan {plan.token} has already been used.", next_step=_AGAIN)


def _place(target: Target) -> tuple[str, ...]:
    # The host is left out: one server answers to several names, its identity is its own word.
    # Spelled as in the log, where a name that equals a password is blotted out.
    return tuple(map(redact, (target.environment, target.database, target.server_id)))


def _words(target: Target) -> str:
    return f"{target.environment} ({target.database}, server {target.server_id})"


def find_plan(directory: Path, token: str, now: datetime) -> PlanMade:
    """The plan that was shown under this token, from every session log of the folder.

    Ask before planning anew: a plan made by the asking session itself would count as shown.
    """
    made = max(_plans(directory, token), key=lambda plan: plan.made_at, default=None)
    shown = "Run the same command without --apply, read the plan, and pass the token it prints."
    if made is None:
        raise Refused(f"No plan with the token {token[:80]!r} was made here.", next_step=shown)
    if made.used:
        raise Refused(f"The plan {token} has already been used.", next_step=shown)
    if now >= made.expires_at:
        raise Refused(
            f"The plan {token} expired at {made.expires_at:%Y-%m-%d %H:%M:%S} UTC.",
            next_step=shown,
        )
    if made.blocked:
        raise Refused(f"The plan {token} cannot be applied: {made.blocked}", next_step=shown)
    return made


def _plans(directory: Path, token: str) -> Iterator[PlanMade]:
    spelled = redact(token)
    for path in sorted(Path(directory).glob("*.jsonl")):
        try:
            # An altered log must not vouch for a plan.
            if not _mentions(path, spelled) or not verify(path).ok:
                continue
            made = fold(read(path)).plans.get(spelled)
        except (CouldNotRun, KeyError, TypeError, ValueError):
            continue
        if made is not None:
            yield made


def _mentions(path: Path, text: str) -> bool:
    wanted = text.encode("utf-8", "replace")
    return any(wanted in line for line in raw_lines(path))


def run_id_valid(text: str) -> str:
    """Return the run id when it keeps to the grammar, else say the grammar."""
    if not _RUN_ID.fullmatch(text):
        raise BadInput(
            f"The run id {text[:80]!r} is not valid: 8 to 64 characters of a-z, 0-9 and '-', "
            "beginning with a letter or digit, or a UUID in lower case.",
            next_step="For example: manual-20260208-fix42",
        )
    if redact(text) != text:
        raise BadInput("The run id holds or looks like a secret, so it cannot be logged.")
    return text


def propose_run_id(now: datetime, prefix: str = "manual") -> str:
    """A new run id of today, such as `manual-20260208-a41f9c`."""
    word = re.sub(r"[^a-z0-9]+", "-", prefix.lower()).strip("-")[:40] or "run"
    return f"{word}-{now:%Y%m%d}-{secrets.token_hex(3)}"


def propose_retry(run_id: str) -> str:
    """A run id for the retry of a run, never equal to it: `retry-...`, then `retry2-...`."""
    again = re.fullmatch(r"retry([0-9]*)-(.+)", run_id_valid(run_id))
    if again:
        return fitting(f"retry{int(again[1] or 1) + 1}-{again[2]}")
    return fitting("retry-" + re.sub(r"^[a-z]+-(?=[0-9]{8}-)", "", run_id))


def fitting(run_id: str) -> str:
    """The run id, shortened where it is too long for the grammar; the cut part still counts."""
    if len(run_id) <= _LONGEST:
        return run_id
    # The cut part still tells two long ids apart.
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:8]
    return f"{run_id[: _LONGEST - 9]}-{digest}"
