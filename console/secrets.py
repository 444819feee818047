"""Secrets that do not print, and the one way out for text on a command line."""

import json
import re
import threading
from typing import Final, NoReturn, Self, TextIO
from urllib.parse import quote, quote_plus

from console.text import harmless_lines

MASK: Final = "***"
_SHORTEST_KNOWN: Final = 4  # shorter values would mask half of every sentence
_SHORTEST_ANYWHERE: Final = 8  # shorter ones are matched as whole words only


class Secret:
    """A value that shows as `***` wherever it is printed, formatted, logged or pickled."""

    __slots__ = ("_value",)
    _value: str

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_value", value)
        REDACTOR.learn(value)

    def reveal(self) -> str:
        """Return the value itself; only for the call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        return Secret, (MASK,)


# What a value looks like: in quotes (escaped ones too, for JSON inside JSON) or up to a space.
_VALUE: Final = r"""
    (?P<open>\\["']) .{0,1000}? (?<!\\)(?P=open)
  | "(?:\\.|[^"\\\n]){0,1000}"
  | '(?:\\.|(?!"\s*[,:}\]])[^'\\\n])*'
  | (?:\\?["'])?(?:\\[^"'\s]|[^\s"'\\])+  # bare, or the closing quote is cut off
"""
_NAMES: Final = (
    r"passw(?:or)?d|passphrase|passwort|kennwort|pwd|api[_-]?key|sdk[_-]?key|private[_-]?key"
    r"|access[_-]?key(?:[_-]?id)?|client[_-]?secret|secret[_-]?(?:access[_-]?)?key|secret"
    r"|(?:access|auth|refresh|session|security)[_-]?token|x-amz-(?:signature|credential)"
)
_NAMED_VALUE: Final = re.compile(
    rf"""(?P<key>(?:{_NAMES})(?P<quote>\\?["'])?\s{{0,9}}(?:=>?|:)\s{{0,9}}|--(?:{_NAMES})\s+)
    (?!(?:null|true|false|None|True|False)\b)
    (?(quote)(?![\[{{])|(?!\\?["']\s*(?:[,:}}\]]|\\n|$)))  # not a quote that ends a sentence
    (?P<value>{_VALUE})""",
    re.IGNORECASE | re.VERBOSE,
)
_URL: Final = re.compile(r"""(://[^\s:/@"']{0,200}:)(?:\\.|[^\s"'\\]){1,300}@""")
# A raw space is wrong in a URL, and that is when drivers quote the whole of it in an error.
_URL_WITH_SPACES: Final = re.compile(
    r"""(://[^\s:/@"']{1,200}:)(?!\*\*\*@|\d{1,5}(?:[/?\s"',;)]|$))[^\n"']{0,60}?[^\s"']{0,60}@"""
)
_SHAPES: Final = re.compile(
    r"""(?P<scheme>\b(?:bearer|authorization["']?\s*[:=]\s*["']?(?:basic|bearer|digest|token))\s+)
        [A-Za-z0-9._~+/=-]{6,}
      | \b(?:api|sdk|mob)-(?=[a-z-]{0,40}\d)[0-9A-Za-z-]{16,}
      | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
      | \beyJ[\w-]{8,4000}\.[\w-]+\.[\w-]*
      | SCRAM-SHA-256\$[^\s"']+
      | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----[^-]*(?:-----END[A-Z ]*-----)?
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


class Redactor:
    """Masks every secret of this process by value, then what looks like one by shape."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def learn(self, value: str) -> None:
        """Remember a value for good: an error may quote it after its `Secret` is gone."""
        if len(value) < _SHORTEST_KNOWN or value == MASK:
            return
        with self._lock:
            self._forms |= _forms(value)
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._known = re.compile("|".join(map(_form_pattern, longest_first)))

    def redact(self, text: str) -> str:
        """Return the text with every known or likely secret replaced by `***`.

        JSON stays JSON.
        """
        if self._known is not None:
            text = self._known.sub(MASK, text)
        text = _URL.sub(rf"\g<1>{MASK}@", text)
        text = _URL_WITH_SPACES.sub(rf"\g<1>{MASK}@", text)
        text = _NAMED_VALUE.sub(_masked_value, text)
        return _SHAPES.sub(lambda found: f"{found['scheme'] or ''}{MASK}", text)


def _forms(value: str) -> set[str]:
    """The ways in which a value turns up: as it is, quoted for URLs, JSON or Python, in pieces."""
    pieces = [piece for piece in value.split() if len(piece) >= _SHORTEST_KNOWN]
    forms = {value, *pieces}
    for form in (value, *pieces):
        forms |= {quote(form), quote(form, safe=""), quote_plus(form), repr(form)[1:-1]}
        forms |= {json.dumps(form)[1:-1], json.dumps(form, ensure_ascii=False)[1:-1]}
        forms.add(harmless_lines(form))
    return forms


def _form_pattern(form: str) -> str:
    escaped = re.escape(form)
    return escaped if len(form) >= _SHORTEST_ANYWHERE else rf"(?<!\w){escaped}(?!\w)"


def _masked_value(found: re.Match[str]) -> str:
    value, key, quote_of_key = found["value"], found["key"], found["quote"]
    if fence := found["open"]:
        return f"{key}{fence}{MASK}{fence}"
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        return f"{key}{value[0]}{MASK}{value[0]}"
    if not quote_of_key or value[0] in "\"'\\":
        return f"{key}{value[: _lead(value)]}{MASK}"
    # A bare number in JSON: what follows belongs to the document, and the mask needs quotes.
    bare = re.split(r"[,}\]]", value, maxsplit=1)[0]
    return f"{key}{quote_of_key}{MASK}{quote_of_key}{value[len(bare) :]}"


def _lead(value: str) -> int:
    """The length of the opening quote that a cut-off value starts with."""
    opening = re.match(r"""\\?["']""", value)
    return opening.end() if opening else 0


REDACTOR: Final = Redactor()


def redact(text: str) -> str:
    """Return the text without any secret that this process knows or can recognise."""
    return REDACTOR.redact(text)


def emit(text: str, stream: TextIO, end: str = "\n") -> None:
    """Write text for people or pipes: redacted, harmless, and never failing on an encoding.

    Command-line output, exit messages and crash reports leave the process here.
    """
    shown = harmless_lines(redact(text)) + end
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(shown.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()
