"""The options of the command line, as immutable values, and those that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
BATCH = click.IntRange(1, 1_000_000)


@dataclass(frozen=True, slots=True)
class Options:
    """The global options; the URL may hold a password and therefore does not print."""

    config: Path | None = None
    env: str | None = None
    database_url: str | None = field(default=None, repr=False)
    session_dir: Path | None = None
    operator: str | None = None
    reason: str = ""
    json: bool = False


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a plan's rows is shown; the first one is 1."""

    page: int = 1
    size: int = 100


FIRST_PAGE = Paging()


def writing(command: F) -> F:
    """The options of every subcommand that plans and, on a token, applies."""
    command = click.option(
        "--apply", "token", metavar="TOKEN", help="Apply exactly the plan that printed this token."
    )(command)
    command = click.option(
        "--page", type=click.IntRange(1), default=1, show_default=True, help="Page of the rows."
    )(command)
    return click.option(
        "--page-size",
        type=click.IntRange(1, 10_000),
        default=100,
        show_default=True,
        help="Rows of a page.",
    )(command)


def retry_option(command: F) -> F:
    """The run that a retry tries again."""
    return click.option(
        "--retry-of", default="", metavar="ID", help="The run that this one tries again."
    )(command)


def run_id_option(command: F) -> F:
    """The run that a command is about."""
    return click.option("--run-id", required=True, metavar="ID", help="Which run.")(command)


def remember_command(context: click.Context) -> None:
    """Keep which subcommand of a group runs, for the document of one that fails early."""
    words = [*context.command_path.split()[1:], context.invoked_subcommand or ""]
    context.obj.command = "_".join(words).replace("-", "_").strip("_")
