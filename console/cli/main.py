"""The command group `ops-console`, its global options, and the one place where errors end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from console.cli import batch, billing, roles, sandbox, session
from console.cli.arguments import hide_password
from console.cli.failure import crashed, failed, interrupted, usage
from console.cli.options import FOLDER, Options, remember_command
from console.cli.target import forget_ambient_target
from console.cli.work import Call
from console.errors import BadInput, ConsoleError

NAME = "ops-console"


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"{NAME} {version(NAME)}")
    except PackageNotFoundError:
        click.echo(f"{NAME} (not installed; run from a checkout)")
    context.exit()


@click.group(
    NAME,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="Configuration file (TOML)."
)
@click.option("--env", metavar="NAME", help="Environment of the configuration.")
@click.option(
    "--database-url",
    metavar="URL",
    help="The target by hand: a URL, or service=NAME. Never taken from the surroundings.",
)
@click.option("--session-dir", type=FOLDER, help="Where session logs live.")
@click.option("--operator", metavar="NAME", help="Who; default the user of the system.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the log and the audit rows.")
@click.option("--json", is_flag=True, help="One JSON document on stdout, the rest on stderr.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
              help="Print the version.")  # fmt: skip
@click.pass_context
def cli(
    context: click.Context,
    config: Path | None,
    env: str | None,
    database_url: str | None,
    session_dir: Path | None,
    operator: str | None,
    reason: str,
    json: bool,
) -> int | None:
    """Steps through finance runbooks on PostgreSQL: plan, apply, verify, undo.

    Exit codes: 0 done; 1 the check failed or a human must decide; 2 the input is wrong;
    3 could not run; 4 refused by a guard; 130 stopped.
    """
    if database_url is not None:
        hide_password(database_url)
    call = context.ensure_object(Call)
    call.options = Options(config, env, database_url, session_dir, operator, reason, json)
    remember_command(context)
    if ignored := forget_ambient_target():
        call.out.note(f"Ignored: {', '.join(ignored)}; a target must be named.")
    if context.invoked_subcommand is None:
        return _without_command(context)
    return None


def _without_command(context: click.Context) -> int:
    """The screens where they are installed, else a word about what there is."""
    screens = cli.get_command(context, "run")
    if screens is None:
        raise BadInput("No command is named.", next_step=f"See {NAME} --help")
    code = context.invoke(screens)
    return code if isinstance(code, int) else 0


for _command in (
    batch.batch_upsert,
    billing.billing,
    billing.preflight,
    roles.roles,
    sandbox.sandbox,
    session.session,
    session.schema,
):
    cli.add_command(_command)


def _occupy_standard_streams() -> None:
    """Fill the places of closed streams, or the session log would become one of them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; no exception leaves it."""
    _occupy_standard_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    call = Call(Options(json="--json" in given))
    try:
        with cli.make_context(NAME, given, obj=call) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return usage(error, call)
    except ConsoleError as error:
        return failed(error, call)
    except (KeyboardInterrupt, click.Abort):
        return interrupted(call)
    except Exception as error:
        return crashed(error, call)
    return code if isinstance(code, int) else 0
