"""The documents' steps as typed data: why, what, expected result, stop-if and exact command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Kind = Literal["automatic", "attested"]

_HEAD = re.compile(r"^=== (?P<section>\S+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Contact:
    """Who is told or called, where, and with which words."""

    channel: str
    who: str
    template: str = ""


@dataclass(frozen=True, slots=True)
class Escalation:
    """One level of the document's escalation table."""

    level: str
    criterion: str
    action: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a runbook.

    `command_text` is the document's own text; `operation` names what the console runs for it and is
    None for a step that is done by hand. `only_if` is empty for a step of the straight path.
    """

    id: str
    section: str
    phase: str
    title: str
    why: str
    does: str
    expected: str
    stop_if: str
    command_text: str
    kind: Kind = "attested"
    operation: str | None = None
    evidence: str = "What was run, by whom, and what it printed."
    only_if: str = ""
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class Runbook:
    """A document's steps in guided order, with its contacts, escalation and standing rules."""

    id: str
    title: str
    document: str
    summary: str
    steps: tuple[Step, ...]
    rules: tuple[str, ...] = ()
    contacts: tuple[Contact, ...] = ()
    escalation: tuple[Escalation, ...] = ()

    def step(self, step_id: str) -> Step:
        """Return one step by id; `KeyError` when the runbook has none of that id."""
        return {step.id: step for step in self.steps}[step_id]

    @property
    def path(self) -> tuple[Step, ...]:
        """The steps that are always done, without those for a special case."""
        return tuple(step for step in self.steps if not step.only_if)


@cache
def commands(document: str) -> Mapping[str, str]:
    """Return a document's commands by section, exactly as the document has them."""
    source = files("console.runbooks").joinpath("documents", f"{document}.txt")
    text = source.read_text(encoding="utf-8")
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {
        head["section"]: text[head.end() : end].strip("\n")
        for head, end in zip(heads, ends, strict=True)
    }
