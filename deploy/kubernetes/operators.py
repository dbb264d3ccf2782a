"""Schemas of the operators' objects, from their definitions: kept here without words, read strictly.

A field that a definition does not know is dropped by a cluster in silence; here it is a fault.  Rules in CEL
(`x-kubernetes-validations`) are the cluster's to ask.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

Json = dict[str, Any]

FOLDER = Path(__file__).parent / "operator-schemas"

_KEPT = frozenset(
    {
        *(
            "type",
            "properties",
            "required",
            "items",
            "enum",
            "pattern",
            "anyOf",
            "oneOf",
            "allOf",
            "not",
        ),
        *(
            "additionalProperties",
            "minimum",
            "maximum",
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
        ),
        *("minProperties", "maxProperties", "uniqueItems", "multipleOf"),
    }
)
_OPEN = "x-kubernetes-preserve-unknown-fields"


class NoDefinition(Exception):
    """A file is no CustomResourceDefinition."""


def write(definition: Json, source: str, folder: Path = FOLDER) -> list[str]:
    """Write a strict schema for each served version of a definition; return the files' names.

    Args:
        definition: The CustomResourceDefinition.
        source: Where it comes from, with its version.
        folder: Where to.

    Raises:
        NoDefinition: it is something else.
    """
    if definition.get("kind") != "CustomResourceDefinition":
        raise NoDefinition(f"a {definition.get('kind')} is no CustomResourceDefinition")
    spec = definition["spec"]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for version in spec["versions"]:
        if version["served"]:
            name = _file_name(spec["group"], version["name"], spec["names"]["kind"])
            schema = {"$comment": source, **strict(version["schema"]["openAPIV3Schema"])}
            # Of these the cluster knows more than the definition.
            schema["properties"] |= {"metadata": {"type": "object", "required": ["name"]}}
            text = json.dumps(schema, separators=(",", ":"), sort_keys=True)
            (folder / name).write_text(text + "\n", encoding="utf-8")
            written.append(name)
    return written


def strict(schema: Json) -> Json:
    """Return a schema without words, in which every object has the fields that it names and no other."""
    found = {key: _within(key, value) for key, value in schema.items() if key in _KEPT}
    is_open = schema.get(_OPEN) or "additionalProperties" in found
    if "properties" in found and not is_open:
        found["additionalProperties"] = False
    return found


def _within(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: strict(each) for name, each in value.items()}
    if key in ("anyOf", "oneOf", "allOf"):
        # They add conditions to the same object: closing them would forbid its other fields.
        return [_condition(each) for each in value]
    if key == "not":
        return _condition(value)
    return strict(value) if isinstance(value, dict) else value


def _condition(schema: Json) -> Json:
    closed = strict(schema)
    return {key: value for key, value in closed.items() if key != "additionalProperties"}


def faults(content: Mapping[str, Any], folder: Path = FOLDER) -> Iterator[str]:
    """Yield what is wrong with an operator's object; that its schema is not here, where it is not."""
    group, _, version = content["apiVersion"].rpartition("/")
    validator = _validator(folder / _file_name(group, version, content["kind"]))
    if validator is None:
        yield f"no schema of {content['apiVersion']} {content['kind']}"
        return
    for error in validator.iter_errors(content):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message}"


@cache
def _validator(path: Path) -> Draft202012Validator | None:
    if not path.exists():
        return None
    return Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


def _file_name(group: str, version: str, kind: str) -> str:
    return f"{group}_{version}_{kind}.json".lower()
