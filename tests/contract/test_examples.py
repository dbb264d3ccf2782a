"""Everything ever published stays readable: each example, in both readings, loses nothing."""

import json
from collections import Counter
from datetime import datetime
from itertools import pairwise
from math import exp, fsum
from typing import Any
from uuid import UUID

import pytest

from services.contracts import ids
from services.contracts.events import FACTS, FROM_OUTSIDE, TOPIC_OF, Unreadable, read, read_strictly
from services.contracts.problems import Tier
from services.kit.records import read_event
from tests.contract.examples import EXAMPLES, OF_EVENTS, OF_PLAIN, PLAIN, Example, name

LEAST_EXAMPLES = 2
"""One typical, one at the edge of what the contract allows."""

FROM_PUBLISHERS = tuple(example for example in OF_EVENTS if example.contract in FROM_OUTSIDE)


def test_every_type_has_examples_and_every_folder_is_a_type() -> None:
    found = Counter(example.contract for example in EXAMPLES)

    assert found.keys() == FACTS.keys() | PLAIN.keys()
    assert [contract for contract, files in found.items() if files < LEAST_EXAMPLES] == []


@pytest.mark.parametrize("example", OF_EVENTS, ids=name)
def test_examples_are_read_inside_and_survive_the_round_trip(example: Example) -> None:
    event = read(example.raw)

    assert event.type == example.contract
    assert read(event.encode()) == event
    assert lost(example.json, json.loads(event.encode())) == []


@pytest.mark.parametrize("example", FROM_PUBLISHERS, ids=name)
def test_the_door_reads_what_publishers_may_send_and_means_the_same(example: Example) -> None:
    assert read_strictly(example.json) == read(example.raw)


@pytest.mark.parametrize("example", OF_EVENTS, ids=name)
def test_examples_are_records_of_their_topic(example: Example) -> None:
    event = read(example.raw)
    topic = TOPIC_OF[type(event.data)]

    assert read_event(topic, event.partitionkey.encode(), example.raw, ()) == event


@pytest.mark.parametrize("example", OF_PLAIN, ids=name)
def test_plain_records_survive_the_round_trip(example: Example) -> None:
    model = PLAIN[example.contract]
    record = model.model_validate_json(example.raw)

    assert model.model_validate_json(record.model_dump_json(exclude_none=True)) == record
    assert lost(example.json, json.loads(record.model_dump_json())) == []


@pytest.mark.parametrize("example", OF_EVENTS, ids=name)
def test_a_reader_from_before_a_new_field_ignores_it_and_the_door_refuses_it(
    example: Example,
) -> None:
    newer = example.json | {"data": example.json["data"] | {"from_the_future": True}}

    assert read(json.dumps(newer).encode()) == read(example.raw)
    with pytest.raises(Unreadable) as refused:
        read_strictly(newer)
    assert [fault.pointer for fault in refused.value.faults] == ["/data/from_the_future"]


@pytest.mark.parametrize("attribute", ["id", "source", "type", "time", "partitionkey", "data"])
@pytest.mark.parametrize("example", FROM_PUBLISHERS, ids=name)
def test_without_a_required_attribute_the_door_points_at_it(
    example: Example, attribute: str
) -> None:
    incomplete = {key: value for key, value in example.json.items() if key != attribute}

    with pytest.raises(Unreadable) as refused:
        read_strictly(incomplete)
    assert [fault.pointer for fault in refused.value.faults] == [f"/{attribute}"]


def test_no_two_examples_are_the_same_event() -> None:
    identities = Counter((e.json["source"], e.json["id"]) for e in OF_EVENTS)

    assert [identity for identity, times in identities.items() if times > 1] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_examples_name_nobody_real(example: Example) -> None:
    """Mail addresses lie under names that RFC 2606 keeps for examples."""
    addresses = [word for word in example.raw.decode().split('"') if "@" in word]

    assert [a for a in addresses if not a.endswith((".example", "@example.org"))] == []


@pytest.mark.parametrize("example", OF_EVENTS, ids=name)
def test_ids_of_problems_and_steps_are_the_ones_derived(example: Example) -> None:
    told = example.json["data"]
    if "episode" in told:
        customer = example.json["partitionkey"]
        derived = ids.problem_id(customer, told["subject"], told["kind"], told["episode"])
        assert UUID(told["problem_id"]) == derived
    if "step_id" in told:
        problem = UUID(told["problem_id"])
        assert UUID(told["step_id"]) == ids.step_id(problem, told["playbook"], told["step"])


@pytest.mark.parametrize(
    "example", [e for e in OF_EVENTS if e.contract == "care.risk.assessed.v1"], ids=name
)
def test_the_intercept_and_the_contributions_are_the_probability(example: Example) -> None:
    told = example.json["data"]
    log_odds = fsum([told["intercept_log_odds"], *(c["log_odds"] for c in told["contributions"])])

    assert told["probability"] == pytest.approx(1 / (1 + exp(-log_odds)), abs=1e-6)


def test_tiers_rise() -> None:
    assert all(lower.rank < higher.rank for lower, higher in pairwise(Tier))


def lost(before: Any, after: Any) -> list[Any]:
    """Return what is in `before` and not in `after`; instants are compared as instants."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [item for key, value in before.items() for item in lost(value, after.get(key))]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [item for pair in zip(before, after, strict=True) for item in lost(*pair)]
    return [] if before == after or is_same_instant(before, after) else [before]


def is_same_instant(before: Any, after: Any) -> bool:
    """Return whether both are texts of one instant."""
    try:
        return datetime.fromisoformat(before) == datetime.fromisoformat(after)
    except (TypeError, ValueError):
        return False


def test_what_a_round_trip_loses_would_be_seen() -> None:
    """The guard of the tests above can fail."""
    whole = {"time": "2026-03-02T01:00:00+01:00", "list": [1, {"a": 2}], "text": "2026-W10"}

    assert lost(whole, whole | {"time": "2026-03-02T00:00:00Z", "more": 1}) == []
    assert lost(whole, whole | {"time": "2026-03-02T01:00:00Z"}) == [whole["time"]]
    assert lost(whole, whole | {"list": [1, {}]}) == [2]
    assert lost(whole, whole | {"list": [1]}) == [[1, {"a": 2}]]
    assert lost(whole, {"time": whole["time"], "list": whole["list"]}) == ["2026-W10"]
