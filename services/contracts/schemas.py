"""JSON Schema 2020-12 of every contract, rendered from the models; the committed files must equal it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from services.contracts import stream
from services.contracts.envelope import Event
from services.contracts.events import FACTS

DIRECTORY = Path(__file__).parent / "schemas"
EXAMPLES = Path(__file__).parent / "examples"

_PLAIN: Mapping[str, type[BaseModel]] = {
    "care.tick": stream.Tick,
    "care.barrier": stream.Barrier,
    "care.feed-mark": stream.FeedMark,
    "care.tick-mark": stream.TickMark,
    "care.feed-silent": stream.FeedSilent,
    "care.feed-resumed": stream.FeedResumed,
    "care.account": stream.Account,
    "care.history-news": stream.HistoryNews,
}
"""Records on our own topics that are no CloudEvents."""


def render() -> dict[str, str]:
    """Return file name → text of every schema, in the form that is committed."""
    schemas: dict[str, str] = {}
    for name, fact in FACTS.items():
        schema = _schema(Event[fact])  # type: ignore[valid-type]
        schema["properties"]["type"] = {"const": name, "title": "Type", "type": "string"}
        schemas[f"{name}.json"] = _text(name, schema)
    for name, model in _PLAIN.items():
        schemas[f"{name}.json"] = _text(name, _schema(model))
    return schemas


def drift() -> list[str]:
    """Return the names of committed schemas that differ from the models, are missing, or too many."""
    wanted = render()
    found = {path.name: path.read_text(encoding="utf-8") for path in DIRECTORY.glob("*.json")}
    return sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )


def write() -> list[str]:
    """Make the committed schemas equal to the models; return the names that changed."""
    changed = drift()
    wanted = render()
    for name in changed:
        path = DIRECTORY / name
        if name in wanted:
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def _schema(model: Any) -> dict[str, Any]:
    return TypeAdapter(model).json_schema(mode="validation")


def _text(name: str, schema: dict[str, Any]) -> str:
    head = {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"urn:care:schema:{name}"}
    return (
        json.dumps(head | schema | {"title": name}, indent=2, sort_keys=True, ensure_ascii=False)
        + "\n"
    )
