"""The command line without a database: what is refused before anything connects, and its words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console import secrets
from console.cli import cli, main
from console.cli.batch import batch_upsert
from console.cli.options import Options
from console.cli.target import open_desk
from console.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("psycopg", "boto3", "ldclient", "textual", "rich", "pydantic", "ctypes")


@pytest.fixture
def csv(tmp_path: Path) -> str:
    """A file that is there; what it holds does not matter before a connection."""
    path = tmp_path / "missing_lines.csv"
    path.write_text("invoice_id,unit_id,line_type,description,amount,tax_rate\n")
    return str(path)


@pytest.fixture(autouse=True)
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever tries to connect fails in a way that no expected exit code hides."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("connected")

    monkeypatch.setattr("psycopg.connect", refuse)


@pytest.mark.parametrize("arguments", [["--help"], ["billing", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    """Starting up and helping needs neither driver nor cloud nor screen."""
    code = (
        "import sys\nfrom console.cli import main\n"
        f"code = main({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] 0"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nonsense"], "No such option"),
        (["billing", "verify", "--nonsense", "1"], "No such option"),
        (["nothing"], "No such command"),
        ([], "No command is named"),
        (["billing", "verify"], "--run-id"),
        (["preflight"], "No target is named"),
        (["--env", "nowhere", "preflight"], "no environment 'nowhere'"),
        (["--database-url", "", "preflight"], "names no database"),
        (["--database-url=", "preflight"], "names no database"),
        (["--database-url", "postgresql://me@host/", "preflight"], "names no database"),
        (["--database-url", "a database", "preflight"], "cannot be understood"),
        (["--config", "/nonexistent/x.toml", "preflight"], "cannot be read"),
        (["sandbox", "up", "--invoices", "many"], "not a valid integer"),
        (["sandbox", "up", "--schema", "none"], "is not one of"),
        (["session", "show", "nothing-like-it"], "No session begins with"),
        (["session", "verify", "x", "--anchor", "y"], "is no anchor"),
    ],
)
def test_wrong_usage_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 with a sentence on stderr and nothing on stdout."""
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--run-id", "X"], "is not valid"),
        (["--run-id", "good-run-id-1", "--batch-size", "0"], "--batch-size"),
        (["--run-id", "good-run-id-1", "--batch-size", "1e3"], "--batch-size"),
        (["--run-id", "good-run-id-1", "--dry-run", "--apply", "1/2/3"], "exclude each other"),
        (["--run-id", "good-run-id-1", "--dry-run=yes"], "does not take a value"),
        (["--run-id", "good-run-id-1", "--batch", "5"], "No such option"),
    ],
)
def test_wrong_flags_of_batch_upsert(
    more: list[str], said: str, csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runbook's tool refuses what it cannot parse, abbreviations included."""
    url = ["--database-url", "postgresql://me@host/database"]
    assert main(["batch-upsert", "--csv", csv, *url, *more]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("key", ["1", "0", "-3", "abc", "2.0"])
def test_a_selection_of_no_line_is_refused(
    key: str, csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line 1 is the header, and a word is no line."""
    arguments = ["billing", "upsert", "--csv", csv, "--run-id", "good-run-id-1", f"--select={key}"]
    assert main(arguments) == 2
    assert "is no line of the file" in capsys.readouterr().err


def test_an_empty_selection_is_not_all_rows(
    tmp_path: Path, csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file without a key is refused instead of meaning everything."""
    (tmp_path / "keys").write_text("\n\n")
    arguments = ["billing", "upsert", "--csv", csv, "--run-id", "good-run-id-1"]
    assert main([*arguments, "--select", str(tmp_path / "keys")]) == 2
    assert "would mean all rows" in capsys.readouterr().err


def test_restore_and_keep_of_one_line_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A conflict is decided for one side."""
    key = "ba76ed99-257f-43fb-9bc6-30709ba74089"
    arguments = ["billing", "rollback", "--run-id", "x", "--restore", key, "--keep", key.upper()]
    assert main(arguments) == 2
    assert "restored and kept" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "PGHOST", "PGDATABASE", "PGSERVICE", "PRODUCTION_DATABASE_URL"]
)
def test_no_target_comes_from_the_surroundings(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What lies in the environment neither names a target nor completes one."""
    monkeypatch.setenv(name, "postgresql://me@production/database")
    assert main(["preflight"]) == 2
    assert main(["--database-url", "postgresql://me@host", "preflight"]) == 2
    assert "connected" not in capsys.readouterr().err


CONFIG = """
[environments.live]
kind = "production"
database_url = "postgresql://app@db.example:5432/billing"
[environments.test]
database_url = "postgresql://app@db.example/test"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ops-console.toml"
    path.write_text(CONFIG)
    return path


def test_a_url_by_hand_keeps_the_rules_of_its_environment(config: Path) -> None:
    """Naming production by its URL is still production."""
    url = "postgres://other@DB.example/billing"
    desk = open_desk(Options(config=config, database_url=url), lambda _: None)
    assert (desk.name, desk.environment.kind) == ("live", "production")
    assert desk.environment.conninfo() == url
    unknown = Options(config=config, database_url="postgres://other@elsewhere/billing")
    assert open_desk(unknown, lambda _: None).name == "by-hand"


def test_two_environments_on_one_database(config: Path) -> None:
    """Either may be named; a URL alone gets the rules of production."""
    more = '[environments.copy]\ndatabase_url = "postgresql://ro@db.example/billing"\n'
    config.write_text(more + CONFIG)
    url = "postgresql://x@db.example:5432/billing"
    assert open_desk(Options(config=config, database_url=url), print).name == "live"
    assert open_desk(Options(config=config, env="copy", database_url=url), print).name == "copy"


def test_an_environment_and_another_url_contradict(config: Path) -> None:
    """Rules of one environment are never applied to another one's database."""
    options = Options(config=config, env="test", database_url="postgres://a@db.example/billing")
    with pytest.raises(BadInput, match="not the database of environment test"):
        open_desk(options, lambda _: None)


def test_a_password_by_hand(config: Path) -> None:
    """It is refused for production, accepted with a warning elsewhere, and then known."""
    warnings: list[str] = []
    live = Options(config=config, database_url="postgres://a:canary-77-x@db.example/billing")
    with pytest.raises(BadInput, match="production") as refused:
        open_desk(live, warnings.append)
    assert "canary" not in str(refused.value)
    test = Options(config=config, database_url="postgres://a:ca%6Eary-78-x@db.example/test")
    open_desk(test, warnings.append)
    assert "process list" in warnings[0]
    assert secrets.redact("said canary-78-x") == "said ***"
    assert "canary" not in repr(live)


def test_an_argument_leaves_the_process_list() -> None:
    """After hiding, the kernel's copy of the command line has asterisks in its place."""
    code = (
        "import sys; from pathlib import Path; from console.cli.arguments import hide\n"
        "print(hide(sys.argv[1]), Path('/proc/self/cmdline').read_bytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "canary-ü-77", "kept"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.startswith("True")
    assert "canary" not in done.stdout
    assert "kept" in done.stdout


VALUES = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=20)


@settings(deadline=None)
@given(VALUES, VALUES, st.integers(1, 1_000_000))
def test_both_spellings_of_a_flag_mean_the_same(text: str, other: str, size: int) -> None:
    """`--flag value` is `--flag=value`, whatever the value."""
    flags = {"--operator": text, "--reason": other, "--env": text, "--database-url": other}
    apart = [word for pair in flags.items() for word in pair]
    together = [f"{flag}={value}" for flag, value in flags.items()]
    assert _parsed(cli, [*apart, "preflight"]) == _parsed(cli, [*together, "preflight"])
    flags = {"--run-id": text, "--database-url": other, "--batch-size": str(size), "--apply": text}
    flags["--csv"] = str(ROOT / "pyproject.toml")
    apart = [word for pair in flags.items() for word in pair]
    together = [f"{flag}={value}" for flag, value in flags.items()]
    assert _parsed(batch_upsert, apart) == _parsed(batch_upsert, together)


def _parsed(command: click.Command, arguments: list[str]) -> dict[str, object]:
    return command.make_context("command", list(arguments)).params
