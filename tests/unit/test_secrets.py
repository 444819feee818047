"""Secrets stay inside: by type, by value and by shape."""

import copy
import io
import json
import pickle
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.crash import crash_message, write_crash_report
from console.secrets import Redactor, Secret, emit, redact

CANARY = "kanari-Vogel/77 ä"


def shown_ways(secret: Secret) -> list[str]:
    return [repr(secret), str(secret), f"{secret}", f"{secret:>9}", f"{secret!r}"]


def test_a_secret_shows_as_stars_everywhere() -> None:
    """repr, str, format, containers, pickle: only reveal() gives the value."""
    secret = Secret(CANARY)
    assert {way.strip() for way in shown_ways(secret)} == {"***"}
    assert CANARY not in repr([secret, {"k": secret}])
    assert secret.reveal() == CANARY
    stored = pickle.dumps(secret)
    assert CANARY.encode() not in stored
    assert pickle.loads(stored).reveal() == "***"
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(AttributeError):
        secret._value = "x"


def test_a_secret_survives_copying_and_compares_by_value() -> None:
    """A settings object that is copied keeps a password that works."""
    secret = Secret(CANARY)
    assert copy.deepcopy({"password": secret})["password"].reveal() == CANARY
    assert secret == Secret(CANARY) != Secret("another one")
    assert len({secret, Secret(CANARY)}) == 1
    assert not Secret("")


@pytest.mark.parametrize(
    "text",
    [
        "connecting with kanari-Vogel/77 ä now",
        "postgresql://u:kanari-Vogel%2F77%20%C3%A4@h/db",
        "postgresql://u:kanari-Vogel%2F77+%C3%A4@h/db",
        json.dumps({"note": CANARY}),
        repr({"note": CANARY}),
        'missing "=" after "kanari-Vogel/77" in connection info string',
    ],
)
def test_a_known_secret_is_masked_in_every_spelling(text: str) -> None:
    """Quoted for a URL, escaped for JSON, or torn apart at its space."""
    Secret(CANARY)
    assert "kanari" not in redact(text)
    assert "***" in redact(text)


def test_a_known_secret_is_masked_after_its_object_is_gone() -> None:
    """An error outlives the settings that it quotes."""
    Secret("gone-but-quoted-9")
    assert redact("x gone-but-quoted-9 y") == "x *** y"


def test_short_secrets_do_not_mask_half_a_sentence() -> None:
    """A password `test` must not turn `latest` into `la***`; under four characters, shape alone."""
    redactor = Redactor()
    redactor.learn("test")
    redactor.learn("ab")
    assert redactor.redact("the latest test of ab") == "the latest *** of ab"


@pytest.mark.parametrize(
    ("text", "gone", "kept"),
    [
        ("postgres://bill:hunter2@db.example/x", "hunter2", "@db.example/x"),
        ("postgres://bill:hun@ter/2@db.example/x", "ter/2", "@db.example/x"),
        ("postgres://bill:hun ter2@db.example:5432/x", "ter2", "@db.example:5432/x"),
        ("postgres://:hunter2@db/x", "hunter2", "@db/x"),
        ("host=db password=hunter2 port=5432", "hunter2", "port=5432"),
        (r"host=db password='hun \' ter2' port=5432", "ter2", "port=5432"),
        ('password="hunter2', "hunter2", "password="),
        ("PGPASSWORD=hunter2 pg_dump -Fc", "hunter2", "pg_dump -Fc"),
        ("AWS_SECRET_ACCESS_KEY=abc/def+ghi x", "abc/def", " x"),
        ("{'password': 'hunter2', 'port': 1}", "hunter2", "'port': 1"),
        ("pg_dump --password hunter2 --host db", "hunter2", "--host db"),
        ("Authorization: Basic aHVudGVyMg==", "aHVudGVyMg", "Authorization"),
        ("curl -H 'Bearer abc.def-123456'", "abc.def", "curl"),
        ("key sdk-12345678-abcd-4abc-8abc-1234567890ab!", "1234567890ab", "key"),
        ("api-12345678-abcd-4abc-8abc-1234567890ab", "12345678", "***"),
        ("id AKIAABCDEFGHIJKLMNOP used", "ABCDEFGH", "used"),
        ("https://b.example/k?X-Amz-Signature=0a1b2c", "0a1b2c", "b.example/k"),
        ("SCRAM-SHA-256$4096:salt$a:b kept", "salt", "kept"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nkept", "MIIE", "kept"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, gone: str, kept: str) -> None:
    """Unknown secrets are recognised by their shape; what is around them stays readable."""
    shown = redact(text)
    assert gone not in shown
    assert kept in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text",
    [
        'FATAL: password authentication failed for user "bill"',
        "connection to postgres://db:5432/x failed, ask ops@example.org",
        "apply with --apply 1284/41207.55/9f3a",
        "token 1284/41207.55/9f3a expires at 02:14",
        '{"password": null, "rows": 3}',
        "api-gateway is down",
        "see https://example.org/path?x=1",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """A plan's token, an e-mail address and a plain error are not secrets."""
    assert redact(text) == text


json_text = st.text(st.sampled_from(list("ab:=@/ '\"\\{},\n")) | st.characters(), max_size=20)
json_keys = json_text | st.sampled_from(["password", "PGPASSWORD", "secret", "url"])
json_values = st.recursive(
    st.none()
    | st.integers()
    | st.booleans()
    | json_text
    | json_text.map(lambda tail: "password=" + tail)
    | json_text.map(lambda tail: "postgres://u:" + tail + "@h"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_keys, inner, max_size=3),
    max_leaves=8,
)


@given(json_values, st.sampled_from([None, 2]))
def test_redacted_json_stays_json(document: object, indent: int | None) -> None:
    """A document on stdout is parsed by other programs, so a mask never breaks it."""
    json.loads(redact(json.dumps({"d": document}, indent=indent)))


@given(st.text(), st.sampled_from(["utf-8", "ascii", "latin-1"]))
def test_emit_never_fails_and_never_obeys(text: str, encoding: str) -> None:
    """Whatever the text and the stream's encoding, plain lines come out."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    emit(text, stream)
    written = raw.getvalue().decode(encoding)
    assert written.endswith("\n")
    assert not {c for c in written if ord(c) < 32 or 0x7F <= ord(c) < 0xA0} - {"\n"}


def failing_connect(dsn: str) -> None:
    password = dsn.split(":")[2].split("@")[0]
    raise ConnectionError(f"no answer from {dsn} ({len(password)} characters) \x1b[2J")


def test_a_crash_report_has_frames_but_no_locals_and_no_secret(tmp_path: Path) -> None:
    """The file tells where it broke; it is readable by its owner alone."""
    try:
        failing_connect("postgres://bill:canary-pw-31@db/x")
    except ConnectionError as error:
        path = write_crash_report(error, tmp_path / "crashes")
    report = path.read_text()
    assert "failing_connect" in report
    assert "ConnectionError" in report
    assert "canary-pw-31" not in report
    assert "\x1b" not in report
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_crash_message_survives_a_folder_it_cannot_write(tmp_path: Path) -> None:
    """The first error is still named when the report cannot be stored."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    message = crash_message(ValueError("secret detail"), blocked)
    assert "ValueError" in message
    assert "could not be written" in message
    assert "secret detail" not in message
