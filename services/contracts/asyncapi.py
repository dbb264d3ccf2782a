"""The AsyncAPI 3 document: every topic as a channel, every type as a message; rendered and committed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from services.contracts import committed, schemas
from services.contracts import topics as t
from services.contracts.envelope import STRUCTURED, Event
from services.contracts.events import FACTS, TOPIC_OF
from services.contracts.topics import Topic

DOCUMENT = Path(__file__).parent / "asyncapi.json"

_SHOWN = tuple(topic for topic in t.TOPICS if topic in t.OUTSIDE or topic in TOPIC_OF.values())
_PUBLISHERS = "publishers"
"""How the topics' table calls systems outside."""


def render() -> str:
    """Return the document as it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """Return the document.  Channels are what others may write or read; our own plumbing is left out."""
    references, types = _schemas()
    messages = {name: _message(name, reference) for name, reference in references.items()}
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Proactive care: topics",
            "version": "1.0.0",
            "description": (
                "CloudEvents 1.0 on Apache Kafka, structured JSON (binary mode is read as well). `source` "
                "and `id` identify an event, `partitionkey` is the customer's id and the record's key. "
                "`send` is what a company system may do, `receive` what it may read. Over HTTP the same "
                "events go to `POST /v1/events`."
            ),
            "license": {"name": "Apache-2.0"},
            "tags": [{"name": "publish"}, {"name": "subscribe"}],
        },
        "defaultContentType": STRUCTURED,
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The deployment's brokers.",
                "variables": {"bootstrap": {"default": "localhost:9092"}},
            }
        },
        "channels": {_channel_name(topic): _channel(topic) for topic in _SHOWN},
        "operations": {name: each for topic in _SHOWN for name, each in _operations(topic).items()},
        "components": {"messages": messages, "schemas": types},
    }


def drift() -> list[str]:
    """Return the document's name where the committed one differs, else nothing."""
    return committed.drift(DOCUMENT, render())


def write() -> list[str]:
    """Make the committed document equal to the models; return its name if it changed."""
    return committed.write(DOCUMENT, render())


def _channel_name(topic: Topic) -> str:
    return topic.name.replace("-", "_")


def _types_on(topic: Topic) -> list[str]:
    found = [fact.TYPE for fact, home in TOPIC_OF.items() if home is topic]
    return found + ([name for name in FACTS if topic is t.CUSTOMER_RISKS and "risk" in name])


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"{topic.holds[0].upper()}{topic.holds[1:]}. A deployment may put a prefix before it.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _types_on(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": t.DEFAULT_PARTITIONS,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": "0.5.0",
            }
        },
    }


def _configuration(topic: Topic) -> Mapping[str, Any]:
    config = topic.config()
    return {
        "cleanup.policy": [config["cleanup.policy"]],
        "retention.ms": int(config["retention.ms"]),
        "max.message.bytes": int(config["max.message.bytes"]),
    }


def _operations(topic: Topic) -> dict[str, Any]:
    channel = _channel_name(topic)
    action = "send" if _PUBLISHERS in topic.written_by else "receive"
    return {
        f"{action}_{channel}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": ("Publish" if action == "send" else "Read") + f" {topic.holds}.",
            "tags": [{"name": "publish" if action == "send" else "subscribe"}],
        }
    }


def _schemas() -> tuple[dict[str, str], dict[str, Any]]:
    """Return type → reference of its event's schema, and all schemas by name."""
    events: dict[str, Any] = {name: Event.__class_getitem__(fact) for name, fact in FACTS.items()}
    found, rendered = models_json_schema(
        [(event, "validation") for event in events.values()],
        ref_template="#/components/schemas/{model}",
    )
    types: dict[str, Any] = rendered["$defs"]
    references = {name: found[(event, "validation")]["$ref"] for name, event in events.items()}
    for name, reference in references.items():
        types[reference.rsplit("/", 1)[-1]]["properties"]["type"] = {
            "type": "string",
            "const": name,
        }
    return references, types


def _message(name: str, reference: str) -> dict[str, Any]:
    fact = FACTS[name]
    return {
        "name": name,
        "title": fact.__name__,
        "summary": (fact.__doc__ or "").strip().partition("\n")[0],
        "contentType": STRUCTURED,
        "payload": {"$ref": reference},
        "examples": [{"name": path.stem, "payload": _example(path)} for path in _examples(name)],
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _examples(name: str) -> list[Path]:
    return sorted((schemas.EXAMPLES / name).glob("*.json"))


def _example(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
