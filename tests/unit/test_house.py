"""House rules that a reader of one file cannot see."""

import ast
from pathlib import Path

import pytest

SCREENS = Path(__file__).resolve().parents[2] / "screens"
BUILDERS = {"Content", "Text", "from_markup", "from_ansi", "to_content", "Markup"}
ASKING_FOR_MARKUP = {"notify", "Static", "Label", "OptionList"}


def name_called(call: ast.Call) -> str:
    return getattr(call.func, "attr", None) or getattr(call.func, "id", "")


def owner(call: ast.Call) -> str:
    """`Content` in `Content.assemble(...)`."""
    value = getattr(call.func, "value", None)
    return getattr(value, "id", "")


def is_built_text(call: ast.Call) -> bool:
    """A call of ours into `present`, whose `Content` no widget reads as markup."""
    return owner(call) == "present"


def needs_markup_off(call: ast.Call) -> bool:
    """A widget that reads markup, given something other than a literal or presented text."""
    if name_called(call) not in ASKING_FOR_MARKUP or owner(call) == "present":
        return False
    if any(keyword.arg == "markup" for keyword in call.keywords):
        return any(k.arg == "markup" and ast.unparse(k.value) != "False" for k in call.keywords)
    return not all(
        isinstance(given, ast.Constant) or (isinstance(given, ast.Call) and is_built_text(given))
        for given in call.args
    )


def offences(source: str) -> list[str]:
    """Lines that build text for Textual by themselves."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if name_called(node) in BUILDERS or owner(node) in {"Content", "Text"}:
            found.append(f"{node.lineno}: {ast.unparse(node)[:60]} builds text; use present")
        elif needs_markup_off(node):
            found.append(f"{node.lineno}: {ast.unparse(node)[:60]} reads markup; markup=False")
    return found


@pytest.mark.parametrize(
    "line",
    [
        "Content(row.memo)",
        "Content.assemble(a, b)",
        "Content.from_markup(f'[b]{a}')",
        "rich.text.Text(a)",
        "app.notify(str(error))",
        "self.notify(f'{a}', markup=True)",
        "Static(a)",
        "Label(f'{a}')",
    ],
)
def test_the_rule_sees_an_offence(line: str) -> None:
    """The rule below is not blind."""
    assert offences(line)


@pytest.mark.parametrize(
    "line",
    [
        "Static('a constant')",
        "Static(present.plain(a))",
        "Static(a, markup=False)",
        "self.notify(text.harmless(a), markup=False)",
        "Static()",
    ],
)
def test_the_rule_lets_the_rest_pass(line: str) -> None:
    """Constants and presented values are fine."""
    assert offences(line) == []


def test_only_present_builds_content() -> None:
    """No other file of the screens makes text for a widget by itself."""
    files = [path for path in sorted(SCREENS.rglob("*.py")) if path.name != "present.py"]
    assert files
    found = {path.name: offences(path.read_text(encoding="utf-8")) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}
