"""What a setting may be, and what it is where nobody says, in the words of a table."""

import json
import re
from collections.abc import Mapping
from datetime import time
from enum import Enum
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import NoDecode

import services

_SHIPPED = Path(services.__file__).parent
_CHOICE = re.compile(r"\^\((\w+(?:\|\w+)*)\)\$")
"""A pattern that lists words, and is better told as a list."""
_LONGEST_PATTERN = 60
"""Beyond it a pattern says less than the description does."""
_BOUNDS = {
    "exclusiveMinimum": "more than",
    "minimum": "from",
    "maximum": "up to",
}
_LENGTHS = {"minLength": "at least", "maxLength": "at most"}
_OWN_NUMBER = re.compile(r"-\d+$")
"""Of the user who asks, at the end of a folder's name."""


def allowed(field: FieldInfo, part: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return what a setting may be.

    Args:
        field: The setting.
        part: What its JSON Schema says of it.
        root: The whole schema, in which the parts that have names are.
    """
    if NoDecode in field.metadata:
        return "list, separated by commas"
    return _what(part, root)


def default(field: FieldInfo) -> str:
    """Return what a setting is where it is not set: `needed`, a value in backticks, or nothing."""
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "**needed**"
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, Path):
        return _path(value)
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return json.dumps([_native(each) for each in value])
    if isinstance(value, time):
        return value.isoformat("minutes")
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and value < 1_000_000 else str(value)


def _native(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _path(value: Path) -> str:
    """Return a path in words that are the same on every machine."""
    if value.is_relative_to(_SHIPPED):
        return f"the shipped `{value.relative_to(_SHIPPED)}`"
    if value.is_relative_to(gettempdir()):
        name = _OWN_NUMBER.sub("-<user's number>", str(value.relative_to(gettempdir())))
        return f"`{name}` where temporary files go"
    return f"`{value}`"


def _what(part: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    if "$ref" in part:
        return _what(root["$defs"][str(part["$ref"]).rsplit("/", 1)[-1]], root)
    if "anyOf" in part:
        ways = (_what(way, root) for way in part["anyOf"] if way.get("type") != "null")
        return " or ".join(ways)
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    return ", ".join(word for word in (_kind(part, root), *_limits(part)) if word)


def _kind(part: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    match part.get("type"), part.get("format"):
        case "boolean", _:
            return "`true`, `false`"
        case "integer", _:
            return "whole number"
        case "number", _:
            return "number"
        case "array", _:
            return f"JSON list of {_what(part['items'], root)}"
        case _, "path":
            return "path"
        case _, "time":
            return "time of day"
    return _text(part.get("pattern", ""))


def _text(pattern: str) -> str:
    words = _CHOICE.fullmatch(pattern)
    if words is not None:
        return ", ".join(f"`{word}`" for word in words[1].split("|"))
    return f"text like `{pattern}`" if 0 < len(pattern) <= _LONGEST_PATTERN else "text"


def _limits(part: Mapping[str, Any]) -> list[str]:
    lengths = (
        f"{words} {part[name]:,} characters" for name, words in _LENGTHS.items() if name in part
    )
    if "minimum" in part and "maximum" in part:
        return [f"{_number(part['minimum'])} to {_number(part['maximum'])}", *lengths]
    bounds = (f"{words} {_number(part[name])}" for name, words in _BOUNDS.items() if name in part)
    return [*bounds, *lengths]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,}"
