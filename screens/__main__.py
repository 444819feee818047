"""The `ops-console` command: the headless command line with the screens on top of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.main import cli, main
from console.cli.target import open_desk, os_user
from console.secrets import redact

if TYPE_CHECKING:
    from console.cli.work import Call
    from console.settings import Settings

# The ids of console.runbooks, which a command line that shows no runbook need not load.
RUNBOOKS = ("billing", "paid_amount", "ofx")


@cli.command()
@click.argument("runbook", required=False, type=click.Choice(RUNBOOKS))
@click.pass_obj
def run(call: Call, /, runbook: str | None = None) -> int:
    """Open the screens, at RUNBOOK when one is named; the default."""
    settings, first = _chosen(call)
    return _open(call, settings, environment=first, runbook=runbook)


@cli.command()
@click.option("--invoices", type=click.IntRange(1, 100_000_000), default=1000, show_default=True)
@click.option("--schema", type=click.Choice(("app", "cloud")), default="app", show_default=True)
@click.pass_obj
def demo(call: Call, /, **portfolio: Any) -> int:
    """Open the screens on a sandbox of their own: started, seeded, cleaned up at the end."""
    from console import settings
    from console.sandbox import sandbox
    from console.sandbox.passing import SANDBOX, passing_folder

    with passing_folder() as folder:
        made = sandbox.up(folder / SANDBOX, **portfolio, owned=True, progress=call.out.note)
        kept = call.options.session_dir or folder / "sessions"
        return _open(call, settings.load(made.config), session_dir=kept)


def _chosen(call: Call) -> tuple[Settings, str | None]:
    """The configuration and the environment to begin with; a target by hand joins the others."""
    from console import settings

    loaded, options = settings.load(call.options.config), call.options
    if options.database_url is None:
        if options.env is not None:
            loaded.environment(options.env)
        return loaded, options.env
    desk = open_desk(options, call.out.note)
    places = {**loaded.environments, desk.name: desk.environment}
    return loaded.model_copy(update={"environments": places}), desk.name


def _open(
    call: Call,
    settings: Settings,
    *,
    environment: str | None = None,
    runbook: str | None = None,
    session_dir: Path | None = None,
) -> int:
    # Textual is loaded only here: every other command starts without it.
    from screens.start import start

    return start(
        settings,
        operator=redact(call.options.operator or os_user()),
        reason=redact(call.options.reason),
        session_dir=session_dir or call.session_dir,
        environment=environment,
        runbook=runbook,
    )


if __name__ == "__main__":
    sys.exit(main())
