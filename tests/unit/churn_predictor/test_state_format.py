"""What the changelog holds, field by field: a change asks for a thought about older versions."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter

from services.churn_predictor.histories import KeyHistory
from services.churn_predictor.identities import Known
from services.churn_predictor.moves import Move, read_move
from services.churn_predictor.state import FORMAT, PARTITION, CustomerState, PartitionState
from services.churn_predictor.trust import LaidOutOtherwise, WrittenByNewer, read_state, trust
from services.contracts.topics import FACTS_CHANGELOG

COMMITTED = Path(__file__).with_name("state_format.json")
ADVICE = (
    "what the changelog holds has changed: if an older version would lose something by writing it again, "
    "raise FORMAT in services/churn_predictor/state.py; then write the committed file anew "
    "(python -m tests.unit.churn_predictor.test_state_format)"
)


def fields() -> dict[str, Any]:
    """Return class → its fields, of everything that is written to the changelog."""
    found: dict[str, Any] = {}
    for kind in (CustomerState, PartitionState, KeyHistory, Known, Move):
        schema = TypeAdapter(kind).json_schema()
        for name, part in {**schema.pop("$defs", {}), kind.__name__: schema}.items():
            found[name] = sorted(part.get("properties", part.get("enum", ())))
    return {"format": FORMAT, "fields": dict(sorted(found.items()))}


def test_the_format_is_the_one_that_was_thought_about() -> None:
    assert fields() == json.loads(COMMITTED.read_text(encoding="utf-8")), ADVICE


def test_a_field_more_is_noticed() -> None:
    known = json.loads(COMMITTED.read_text(encoding="utf-8"))
    known["fields"]["CustomerState"].remove("numbered")

    assert fields() != known


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
    COMMITTED.write_text(json.dumps(fields(), indent=1) + "\n", encoding="utf-8")
