"""A checker for the part of JSON Schema that the documents use; an unknown keyword is an error."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

_SAID = {"title", "description", "default", "$defs", "$schema"}
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "$") -> list[str]:
    """Where the value does not fit the schema."""
    if "$ref" in schema:
        return faults(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, at)
    wanted_type = schema.get("type")
    if wanted_type and not _is(value, wanted_type):
        return [f"{at}: not {wanted_type}: {value!r:.80}"]
    found = []
    for keyword, wanted in schema.items():
        if keyword not in _SAID:
            found += [f"{at}: {fault}" for fault in _fault(keyword, wanted, value, schema)]
    if "anyOf" in schema and all(faults(value, one, root) for one in schema["anyOf"]):
        found.append(f"{at}: fits none of anyOf")
    return found + _inside(value, schema, root, at)


def _is(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    return isinstance(value, _TYPES[wanted])


def _fault(keyword: str, wanted: Any, value: Any, schema: dict[str, Any]) -> list[str]:
    wrong = False
    match keyword:
        case "enum":
            wrong = value not in wanted
        case "const":
            wrong = value != wanted
        case "pattern":
            wrong = not re.search(wanted, value)
        case "format":
            wrong = wanted != "date-time" or datetime.fromisoformat(value).tzinfo is None
        case "required":
            wrong = not set(wanted) <= set(value)
        case "maxItems":
            wrong = len(value) > wanted
        case "additionalProperties":
            wrong = wanted is False and not set(value) <= set(schema.get("properties", ()))
        case "properties" | "items" | "anyOf" | "type":
            pass
        case _:
            raise ValueError(f"unknown keyword {keyword}")
    return [f"{keyword} {wanted}: {value!r:.80}"] if wrong else []


def _inside(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            found += faults(item, schema["items"], root, f"{at}[{place}]")
    if isinstance(value, dict):
        other = schema.get("additionalProperties")
        for name, item in value.items():
            one = schema.get("properties", {}).get(name, other)
            if isinstance(one, dict):
                found += faults(item, one, root, f"{at}.{name}")
    return found
