"""The configuration: typed, closed, and every fault a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import BadInput
from console.paths import example_config
from console.settings import MAX_CONFIG_BYTES, Settings, load, parse


def test_the_example_is_a_configuration() -> None:
    """The annotated example can be used as it is, and shows the defaults of its rules."""
    settings = parse(example_config().read_text(encoding="utf-8"), "example")
    name, staging = settings.environment(None)
    assert (name, staging.kind, staging.conninfo()) == (
        "staging",
        "staging",
        "service=billing-staging",
    )
    assert settings.environments["production"].kind == "production"
    assert settings.billing == Settings().billing


FAULTS = {
    "an unknown key": ("[billing]\nbatchsize = 5\n", "billing.batchsize"),
    "an unknown section": ("[biling]\n", "biling"),
    "a number as text": ('[billing]\nbatch_size = "many"\n', "billing.batch_size"),
    "a number out of range": ("[billing]\nbatch_size = 0\n", "billing.batch_size"),
    "nan for a number": ("[billing]\nplan_minutes = nan\n", "billing.plan_minutes"),
    "an unknown kind": ('[environments.x]\nkind = "prod"\n', "environments.x.kind"),
    "no TOML": ("[billing\n", "not valid TOML"),
    "a BOM": ("\ufeff[billing]\n", "not valid TOML"),
    "a control character": ("a = '\x00'\n", "not valid TOML"),
    "nested too deep": ("a = " + "[" * 20_000, "not valid TOML"),
    "an endless number": ("a = " + "9" * 5000, "not valid TOML"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(fault: str) -> None:
    """The sentence says which key, or that it is not TOML at all."""
    text, word = FAULTS[fault]
    with pytest.raises(BadInput) as refusal:
        parse(text, "ops-console.toml")
    assert word in refusal.value.message
    assert refusal.value.message.startswith("ops-console.toml")


def test_a_password_is_not_repeated() -> None:
    """A wrong value beside a password does not bring the password into the sentence."""
    text = '[environments.x]\ndatabase_url = "postgresql://u:canary-77@h/d"\nkind = "prod"\n'
    with pytest.raises(BadInput) as refusal:
        parse(text, "x")
    assert "canary-77" not in refusal.value.message


@given(st.text(max_size=200))
def test_any_text_is_settings_or_a_sentence(text: str) -> None:
    """Nothing but `BadInput` comes out of a configuration that cannot be used."""
    try:
        parse(text, "x")
    except BadInput as refusal:
        assert refusal.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing, a too large and an undecodable file are refused by name."""
    large, binary = tmp_path / "large.toml", tmp_path / "binary.toml"
    large.write_bytes(b"#" * (MAX_CONFIG_BYTES + 1))
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.toml", large, binary):
        with pytest.raises(BadInput, match=path.name):
            load(path)


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory comes before the user's configuration; without either, defaults."""
    home = tmp_path / "home" / "ops-console"
    home.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home.parent))
    monkeypatch.chdir(tmp_path)
    assert load() == Settings()
    (home / "ops-console.toml").write_text('default_environment = "of the user"')
    assert load().default_environment == "of the user"
    Path("ops-console.toml").write_text('default_environment = "here"')
    assert load().default_environment == "here"


@pytest.mark.parametrize("name", [None, "nowhere"])
def test_an_environment_that_is_not_there(name: str | None) -> None:
    """The refusal names the environments that are known."""
    settings = parse('[environments.staging]\nservice = "x"\n', "x")
    with pytest.raises(BadInput) as refusal:
        settings.environment(name)
    assert "staging" in refusal.value.message + refusal.value.next_step
