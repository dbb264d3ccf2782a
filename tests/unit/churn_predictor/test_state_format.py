"""What the changelog holds, field by field: a change asks for a thought about older versions."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, TypeAdapter

from services.churn_predictor import app
from services.churn_predictor.exchange import HISTORY_KEY, NEWS_KEY
from services.churn_predictor.histories import KeyHistory
from services.churn_predictor.identities import MOVE_KEY, NAME_KEY, SAMPLE_KEY, Known
from services.churn_predictor.moves import Move, read_move
from services.churn_predictor.state import (
    FORMAT,
    INTERNAL,
    PARTITION,
    CustomerState,
    PartitionState,
    partition_key,
)
from services.churn_predictor.trust import LaidOutOtherwise, WrittenByNewer, read_state, trust
from services.contracts.stream import HistoryNews
from services.contracts.topics import FACTS_CHANGELOG

COMMITTED = Path(__file__).with_name("state_format.json")
ADVICE = (
    "what the changelog holds has changed: if an older version would lose something by writing it again, "
    "raise FORMAT in services/churn_predictor/state.py; then write the committed file anew "
    "(python -m tests.unit.churn_predictor.test_state_format)"
)


WRITTEN: Mapping[bytes, Any] = {
    b"": CustomerState,
    partition_key(0).removesuffix(b"0"): PartitionState,
    HISTORY_KEY: KeyHistory,
    NEWS_KEY: HistoryNews,
    NAME_KEY: Known,
    MOVE_KEY: Move,
    SAMPLE_KEY: str,
}
"""How a key begins → what is written under it; of customers: all others."""


def schemas(kinds: Mapping[bytes, Any] = WRITTEN) -> dict[str, Any]:
    """Return class → its schema, of everything that is written to the changelog."""
    found: dict[str, Any] = {}
    for kind in kinds.values():
        schema = TypeAdapter(kind).json_schema()
        found |= {**schema.pop("$defs", {}), kind.__name__: schema}
    return {"format": FORMAT, "schemas": _without_words(dict(sorted(found.items())))}


def _without_words(schema: Any) -> Any:
    """Leave out what is said of a class: other words write nothing else."""
    if isinstance(schema, list):
        return [_without_words(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    said = {name for name in ("title", "description") if isinstance(schema.get(name), str)}
    return {name: _without_words(each) for name, each in schema.items() if name not in said}


def committed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return found


def test_the_format_is_the_one_that_was_thought_about() -> None:
    assert schemas() == committed(), ADVICE


def test_a_field_more_is_noticed() -> None:
    known = committed()
    del known["schemas"]["CustomerState"]["properties"]["numbered"]

    assert schemas() != known


def test_another_type_and_another_default_are_noticed() -> None:
    class One(BaseModel):
        numbered: int = 0

    class Text(BaseModel):
        numbered: str = "0"

    class Other(BaseModel):
        numbered: int = 1

    for kind in (One, Text, Other):
        kind.__name__ = "Same"
    assert schemas({b"": One}) != schemas({b"": Text})
    assert schemas({b"": One}) != schemas({b"": Other})


def test_every_kind_of_entry_is_compared() -> None:
    modules = [m for name, m in sys.modules.items() if name.startswith(app.__package__)]
    keys = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, bytes) and value.startswith(INTERNAL) and value != INTERNAL
    }

    assert keys == WRITTEN.keys() - {b""}


def test_state_of_a_newer_format_is_refused_and_of_an_older_one_is_gone_on_from() -> None:
    older = read_state(PARTITION.dump_json(PartitionState(format=0)))
    newer = {"format": FORMAT + 1, "sources": "in another shape"}

    trust(older, {FACTS_CHANGELOG.name: UUID(int=1)}, 4)
    with pytest.raises(WrittenByNewer, match=str(FORMAT + 1)):
        read_state(json.dumps(newer).encode())

    assert older.format == FORMAT


def test_state_laid_out_for_another_number_is_refused_and_what_never_said_says_so_now() -> None:
    ids = {FACTS_CHANGELOG.name: UUID(int=1)}
    unsaid = PartitionState()

    trust(unsaid, ids, 12)
    with pytest.raises(LaidOutOtherwise, match="12"):
        trust(unsaid, ids, 24)

    assert unsaid.layouts == (12,)


def test_a_move_of_a_newer_format_is_no_dead_letter() -> None:
    move = Move(1, 2, "c-1", (), CustomerState())

    assert read_move(move.encode()) == move
    newer = json.loads(move.encode()) | {"format": FORMAT + 1, "state": {"facts": 7}}
    with pytest.raises(WrittenByNewer):
        read_move(json.dumps(newer).encode())


if __name__ == "__main__":
    COMMITTED.write_text(json.dumps(schemas(), indent=1) + "\n", encoding="utf-8")
