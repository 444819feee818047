"""`session`: the logs of what was done; and `schema`, the shapes of the documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from console.cli.options import remember_command
from console.errors import BadInput

if TYPE_CHECKING:
    from console.cli.work import Call


@click.command()
@click.pass_obj
def schema(call: Call) -> int:
    """Print the JSON Schema of every document."""
    from console.documents import schemas

    call.out.print_text(json.dumps(schemas(), indent=2, ensure_ascii=True))
    return 0


@click.group()
@click.pass_context
def session(context: click.Context) -> None:
    """Session logs: what was done, by whom, and whether the log still says so."""
    remember_command(context)


@session.command("list")
@click.pass_obj
def list_(call: Call) -> int:
    """The sessions, the one used last first."""
    from console.cli.session_reports import list_sessions

    return list_sessions(call)


@session.command()
@click.argument("session_id")
@click.pass_obj
def show(call: Call, session_id: str) -> int:
    """What one session has done."""
    from console.cli.session_reports import show_session

    return show_session(call, session_id)


@session.command()
@click.argument("session_id")
@click.option("--anchor", multiple=True, metavar="COUNT:HASH", help="A head kept elsewhere.")
@click.pass_obj
def verify(call: Call, session_id: str, anchor: tuple[str, ...]) -> int:
    """Check a log's chain; it says what it cannot prove."""
    from console.cli.session_reports import verify_log

    return verify_log(call, session_id, [_anchor(text) for text in anchor])


@session.command()
@click.argument("session_id")
@click.pass_obj
def resume(call: Call, session_id: str) -> int:
    """Go on with a session: settle what is in doubt and say where it stands."""
    from console.cli.resuming import resume_session

    return resume_session(call, session_id)


def _anchor(text: str) -> tuple[int, str]:
    count, _, digest = text.partition(":")
    if not (count.isascii() and count.isdigit() and digest):
        raise BadInput(f"{text[:80]!r} is no anchor.", next_step="Write it as COUNT:HASH.")
    return int(count), digest
