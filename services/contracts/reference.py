"""The reference of events for publishers, rendered from the models and committed as a page.

What a field means is said where it is declared: by the text under it, or by the one under its type.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel

from services.contracts import committed, contacts, deliveries, envelope, people, purchases, schemas
from services.contracts import topics as t
from services.contracts.envelope import Contract, Event
from services.contracts.events import FROM_OUTSIDE, TOPIC_OF

PAGE = Path(__file__).parents[2] / "docs" / "event-reference.md"
_MODULES = (envelope, purchases, deliveries, contacts, people)
_RANGES = (
    ("minLength", "maxLength", " characters"),
    ("minimum", "maximum", ""),
    ("minItems", "maxItems", " items"),
)
_HEAD = """# Events for publishers

Made from the models in [services/contracts](../services/contracts) by `make schemas`; do not edit it.
How to send them: [publishing.md](publishing.md). The same as JSON Schema: `care validate --schema TYPE`.

A field that is not named here is refused, in `data` and in the envelope; only CloudEvents extension
attributes (lower-case letters and digits) may stand beside the envelope's, and are left out. What is not
*needed* may be absent; absent is not the same as empty.
"""


def render() -> str:
    """Return the page as it is committed."""
    return "\n".join(_lines()).rstrip("\n") + "\n"


def drift() -> list[str]:
    """Return the page's name where the committed one differs, else nothing."""
    return committed.drift(PAGE, render())


def write() -> list[str]:
    """Make the committed page equal to the models; return its name if it changed."""
    return committed.write(PAGE, render())


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## The envelope\n"
    yield from _table(Event, without=("data",))
    yield ""
    for topic in t.OUTSIDE:
        yield f"## Topic `{topic.name}`\n"
        kept = (
            "the latest of each key" if topic.retention is None else f"{topic.retention.days} days"
        )
        yield f"{topic.holds[0].upper()}{topic.holds[1:]}. Kept: {kept}. Key: the customer's id.\n"
        for fact, home in TOPIC_OF.items():
            if home is topic and fact.TYPE in FROM_OUTSIDE:
                yield from _type(fact, fact.TYPE)


def _type(fact: type[Contract], name: str) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield f"{_text(fact.__doc__)}\n"
    if fact.model_fields:
        yield from _table(fact)
    else:
        yield "`data` is `{}`."
    for inner in _inner(fact):
        yield f"\nEach of these ({_text(inner.__doc__)[:-1]}) has:\n"
        yield from _table(inner)
    yield f"\n```json\n{_example(name)}\n```\n"


def _table(model: type[BaseModel], without: tuple[str, ...] = ()) -> Iterator[str]:
    yield "| field | needed | what it is | what it means |"
    yield "| --- | --- | --- | --- |"
    schema = model.model_json_schema(mode="validation")
    meanings = _meanings(model)
    for name, field in model.model_fields.items():
        if name in without:
            continue
        needed = "yes" if field.is_required() else ""
        what = _escaped(_what(schema["properties"][name], schema))
        if not field.is_required() and field.default is not None:
            what += (
                "" if what == f"`{_plain(field.default)}`" else f"; else `{_plain(field.default)}`"
            )
        yield f"| `{name}` | {needed} | {what} | {_escaped(meanings.get(name, ''))} |"


def _what(part: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return a schema in words."""
    if "$ref" in part:
        return _what(root["$defs"][str(part["$ref"]).rsplit("/", 1)[-1]], root)
    if "anyOf" in part:
        ways = [way for way in part["anyOf"] if way.get("type") != "null"]
        return " or ".join(_what(way, root) for way in ways)
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return "one of " + ", ".join(f"`{value}`" for value in part["enum"])
    words = [_kind(part, root)]
    words += [_range(part, *names) for names in _RANGES if part.keys() & set(names)]
    words += [f"pattern `{part['pattern']}`"] if "pattern" in part else []
    return ", ".join(words)


def _range(part: Mapping[str, Any], least: str, most: str, unit: str) -> str:
    if least in part and most in part:
        return f"{part[least]:,} to {part[most]:,}{unit}"
    return f"from {part[least]:,}{unit}" if least in part else f"up to {part[most]:,}{unit}"


def _kind(part: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    match part.get("type"), part.get("format"):
        case "string", "date-time":
            return "instant (RFC 3339, with its zone)"
        case "array", _:
            item = part.get("items", {})
            is_object = (
                "$ref" in item and "enum" not in root["$defs"][item["$ref"].rsplit("/", 1)[-1]]
            )
            return "list of objects" if is_object else f"list of {_what(item, root)}"
        case "integer", _:
            return "whole number"
        case "boolean", _:
            return "`true` or `false`"
        case kind, _:
            return str(kind)


def _inner(model: type[BaseModel]) -> list[type[Contract]]:
    """Return the models that lists of this one hold."""
    parts = (part for hint in get_type_hints(model).values() for part in get_args(hint))
    return [part for part in parts if isinstance(part, type) and issubclass(part, Contract)]


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return field → what is said of it, or of its type."""
    hints = get_type_hints(model, include_extras=True)
    said = _said_of_fields(model)
    return {name: said.get(name) or _said_of_type(hints[name]) for name in model.model_fields}


@cache
def _said_of_fields(model: type[BaseModel]) -> dict[str, str]:
    module = sys.modules[model.__module__]
    name = model.__name__.partition("[")[0]
    for node in _parsed(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _said(node.body)
    return {}


@cache
def _parsed(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _said(body: list[ast.stmt]) -> dict[str, str]:
    """Return name → the text under its declaration."""
    found = {}
    for statement, following in pairwise(body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                found[name] = _text(text)
    return found


def _said_of_type(hint: Any) -> str:
    for part in (hint, *get_args(hint)):
        if isinstance(part, type) and issubclass(part, Enum):
            return _text(part.__doc__)
        for module in _MODULES:
            for name, text in _said(_parsed(module).body).items():
                if getattr(module, name) == part:
                    return text
    return ""


def _example(name: str) -> str:
    # The one that says most; a reader takes away what is optional more easily than they add it.
    files = (schemas.EXAMPLES / name).glob("*.json")
    return max(files, key=lambda path: (path.stat().st_size, path.name)).read_text("utf-8").strip()


def _text(said: str | None) -> str:
    return " ".join((said or "").split()).replace("None:", "Absent:")


def _plain(value: object) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
