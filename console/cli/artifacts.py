"""`billing validate-artifacts`: the files of a run, without a database."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.reading import report_check
from console.cli.target import os_user
from console.operation import Checked, Target
from console.secrets import redact

if TYPE_CHECKING:
    from console.cli.work import Call


def validate_artifacts(call: Call, folder: Path) -> int:
    """Validate a folder and return the documents' exit code."""
    from console.billing.artifacts import ArtifactsOperation, ValidateArtifacts, exit_code
    from console.session.session import Session

    place = folder.resolve()
    call.target = Target("files", "files", platform.node(), place.name, "", read_only=True)
    session = Session.start(
        call.session_dir,
        operator=redact(call.options.operator or os_user()),
        reason=redact(call.options.reason),
        target=call.target,
    )
    with session:
        *_, last = session.run("read", ArtifactsOperation(ValidateArtifacts(place)))
        session.close()
    call.log = (session.path, session.head.hash)
    assert isinstance(last, Checked)  # noqa: S101 - what the verb promises
    report_check(call, last.check)
    if last.check.figures["valid"]:
        call.out.note("Artifact validation passed")
    return exit_code(last.check)
