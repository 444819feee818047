"""Command lines to be pasted: they lead to the same target as the call that prints them."""

from __future__ import annotations

import shlex

from console.cli.options import Options


def target_options(options: Options, name: str) -> tuple[str, ...]:
    """The global options that lead to environment `name` again, without its password."""
    words = ["--config", str(options.config.absolute())] if options.config else []
    if options.env is not None or options.database_url is None:
        words += ["--env", name]
    if options.database_url is not None:
        words += ["--database-url", _without_password(options.database_url)]
    return tuple(words)


def resume_line(options: Options, session_id: str) -> str:
    """The command line that settles a session's run in doubt."""
    words = ["--session-dir", str(options.session_dir.absolute())] if options.session_dir else []
    if options.env is not None or options.database_url is not None:
        words += target_options(options, options.env or "")
    elif options.config is not None:
        words += ["--config", str(options.config.absolute())]
    return shlex.join(["ops-console", *words, "session", "resume", session_id])


def _without_password(url: str) -> str:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parts = conninfo_to_dict(url)
    secret = [name for name in ("password", "sslpassword") if parts.pop(name, None)]
    return make_conninfo("", **parts) if secret else url
