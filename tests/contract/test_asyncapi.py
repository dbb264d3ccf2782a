"""The AsyncAPI document says what the topics and the models say."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.contracts import asyncapi
from services.contracts import topics as t
from services.contracts.__main__ import main
from services.contracts.events import FACTS, FROM_OUTSIDE, TOPIC_OF

DOCUMENT: dict[str, Any] = json.loads(asyncapi.DOCUMENT.read_text("utf-8"))


def messages(operation: dict[str, Any]) -> set[str]:
    """Return the types on an operation's channel."""
    channel = DOCUMENT["channels"][operation["channel"]["$ref"].rsplit("/", 1)[-1]]
    return set(channel["messages"])


def test_the_committed_document_is_the_models() -> None:
    assert asyncapi.drift() == []


def test_publishers_may_send_exactly_what_the_door_takes() -> None:
    sent = [o for o in DOCUMENT["operations"].values() if o["action"] == "send"]

    assert set().union(*(messages(o) for o in sent)) == FROM_OUTSIDE
    assert len(sent) == len(t.OUTSIDE)


def test_every_type_is_a_message_on_its_topic() -> None:
    assert DOCUMENT["components"]["messages"].keys() == FACTS.keys()
    for fact, topic in TOPIC_OF.items():
        channel = DOCUMENT["channels"][topic.name.replace("-", "_")]
        assert channel["address"] == topic.name
        assert fact.TYPE in channel["messages"]


@pytest.mark.parametrize("name", sorted(FACTS))
def test_the_examples_of_a_message_are_valid_by_its_payload(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    schema = {"components": DOCUMENT["components"], **message["payload"]}

    for example in message["examples"]:
        Draft202012Validator(schema).validate(example["payload"])


def test_drift_is_found_and_writing_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(asyncapi, "DOCUMENT", tmp_path / "asyncapi.json")

    assert main(["check"]) == 1
    assert "asyncapi.json" in capsys.readouterr().out
    assert main(["write"]) == 0
    assert main(["check"]) == 0
