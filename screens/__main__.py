"""The `ops-console` command: the headless command line, and the screens on top of it."""

from __future__ import annotations

import getpass
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from console import settings as configuration
from console.errors import BadInput, ConsoleError
from console.secrets import emit
from console.settings import Settings

RUNBOOKS = ("billing", "paid_amount", "ofx")
GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Options:
    """The global options."""

    config: Path | None
    environment: str | None
    database_url: str | None
    session_dir: Path | None
    operator: str
    reason: str

    def settings(self) -> tuple[Settings, str | None]:
        """The configuration and the environment to begin with."""
        loaded = configuration.load(self.config)
        if self.database_url is None:
            if self.environment is not None:
                loaded.environment(self.environment)
            return loaded, self.environment
        if self.environment is not None:
            raise BadInput("Give --env or --database-url, not both.")
        return given(loaded, self.database_url), GIVEN


def given(loaded: Settings, url: str) -> Settings:
    """The configuration with a target given by hand; `service=NAME` names a libpq service."""
    target = {"service": url.removeprefix("service=")} if url.startswith("service=") else {
        "database_url": url
    }  # fmt: skip
    place = configuration.Environment.model_validate(target, strict=False)
    places = {**loaded.environments, GIVEN: place}
    return loaded.model_copy(update={"environments": places})


@click.group(invoke_without_command=True)
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="TOML file.")
@click.option("--env", "environment", help="Environment of the configuration.")
@click.option("--database-url", help="A target given by hand: URL or service=NAME.")
@click.option("--session-dir", type=click.Path(path_type=Path, file_okay=False))
@click.option("--operator", default=getpass.getuser, help="Who; defaults to the OS user.")
@click.option("--reason", default="", help="Why, for the session log and the audit rows.")
@click.pass_context
def cli(
    context: click.Context,
    config: Path | None,
    environment: str | None,
    database_url: str | None,
    session_dir: Path | None,
    operator: str,
    reason: str,
) -> None:
    """Step an incident responder through finance runbooks on PostgreSQL."""
    context.obj = Options(config, environment, database_url, session_dir, operator, reason)
    if context.invoked_subcommand is None:
        context.invoke(run)


@cli.command()
@click.argument("runbook", required=False, type=click.Choice(RUNBOOKS))
@click.pass_obj
def run(options: Options, runbook: str | None = None) -> None:
    """Open the screens, at RUNBOOK when one is named."""
    from screens.start import start

    settings, first = options.settings()
    code = start(
        settings,
        operator=options.operator,
        reason=options.reason,
        session_dir=options.session_dir,
        environment=first,
        runbook=runbook,
    )
    sys.exit(code)


@cli.command()
@click.option("--invoices", default=1000, type=click.IntRange(1, 5_000_000), show_default=True)
@click.option("--schema", default="app", type=click.Choice(("app", "cloud")), show_default=True)
@click.pass_obj
def demo(options: Options, invoices: int, schema: str) -> None:
    """Open the screens on a sandbox of their own, with a seeded incident."""
    from console.sandbox import sandbox
    from screens.start import start

    with tempfile.TemporaryDirectory(prefix="ops-console-") as folder:
        home = Path(folder) / "sandbox"
        made = sandbox.up(
            home,
            invoices=invoices,
            schema="cloud" if schema == "cloud" else "app",
            owned=True,
            durable=False,
            progress=lambda said: click.echo(said, err=True),
        )
        try:
            code = start(
                configuration.load(made.config),
                operator=options.operator,
                reason=options.reason or "demo",
                session_dir=options.session_dir or Path(folder) / "sessions",
            )
        finally:
            sandbox.destroy(home)
    sys.exit(code)


def main() -> None:
    """Run the command line; an error is one sentence on stderr and an exit code."""
    try:
        cli.main(standalone_mode=True)
    except ConsoleError as error:
        emit(" ".join(filter(None, (error.message, error.next_step))), sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
