"""What is sent to a door, what it must answer, and whether it did.  Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic_core import to_json

from services.contracts.envelope import BATCH, STRUCTURED

_SHOWN_ERRORS = 3
_MAX_TEXT = 120
NO_ANSWER = 0
"""In place of a status: none came."""
TURNED_AWAY = frozenset({401, 403})
"""The door does not take this key, or not for this type and source."""


class Group(StrEnum):
    """What a check is about."""

    VALID = "valid"
    """A committed example must be taken."""
    EDGE = "edge"
    """So must what is at the edge of the contract."""
    AGAIN = "again"
    """What comes twice does no harm."""
    BATCH = "batch"
    """Several at once, each with its own result."""
    POISON = "poison"
    """What is no event must be refused, with the place of the fault."""
    KEY = "key"
    """Who has no key, or a wrong one, is not let in."""
    ENDING = "ending"
    """The customers of the samples are erased."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One request's body and headers."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": STRUCTURED})
    facts: int = 0
    """How many events of it become facts when the door does as it must."""
    key: str | None = None
    """In place of the publisher's; empty: none at all."""

    def __repr__(self) -> str:
        return f"Sending({len(self.body)} bytes)"  # Neither a body nor a key belongs into a log.


@dataclass(frozen=True, slots=True)
class Expected:
    """What the door must answer."""

    statuses: tuple[int, ...]
    pointer: str | None = None
    """A fault there, or below it, must be named."""
    code: str | None = None
    topic: str | None = None
    items: tuple[str, ...] | None = None
    """Of a batch: what must become of each."""

    def __str__(self) -> str:
        words = [" or ".join(map(str, self.statuses))]
        words += [f"at {self.pointer or '/'}"] if self.pointer is not None else []
        words += [f"({self.code})"] if self.code else []
        words += [f"on {self.topic}"] if self.topic else []
        words += ["each " + self.items[0]] if self.items and len(set(self.items)) == 1 else []
        words += [", ".join(self.items)] if self.items and len(set(self.items)) > 1 else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a door."""

    about: str
    """The event's type, or what else it is about."""
    group: Group
    name: str
    sending: Sending
    expected: Expected


@dataclass(frozen=True, slots=True)
class Answer:
    """What came."""

    status: int
    body: Any = None
    """Of JSON."""
    seconds: float = 0.0
    because: str = ""
    """Why there is none."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check and how it went."""

    about: str
    group: Group
    name: str
    passed: bool
    expected: str
    came: str
    seconds: float
    is_fact: bool
    """It was one event, and it was accepted."""


def taken(topic: str | None = None) -> Expected:
    """Return what must come of an event that is right."""
    return Expected((202,), topic=topic)


def of_event(event: object, facts: int = 1) -> Sending:
    """Return one event as it is sent, structured."""
    return Sending(to_json(event), facts=facts)


def of_batch(events: Sequence[object], facts: int) -> Sending:
    """Return several at once."""
    return Sending(to_json(list(events)), {"content-type": BATCH}, facts)


def judge(check: Check, answer: Answer) -> Finding:
    """Return how the check went."""
    expected = check.expected
    right = (
        answer.status in expected.statuses
        and _topic_is_right(expected, answer.body)
        and _fault_is_named(expected, answer.body)
        and _items_are_right(expected, answer.body)
    )
    return Finding(
        check.about,
        check.group,
        check.name,
        right,
        str(expected),
        came(answer),
        answer.seconds,
        answer.status == 202 and check.sending.facts == 1,
    )


def came(answer: Answer) -> str:
    """Return an answer in a few words: status, kind, and the first places; never a value of an event."""
    if answer.status == NO_ANSWER:
        return f"no answer ({answer.because})"
    body = answer.body if isinstance(answer.body, dict) else {}
    words = [str(answer.status)]
    words += [str(body["type"]).rpartition(":")[2][:_MAX_TEXT]] if "type" in body else []
    words += [f"on {body['topic']}"] if "topic" in body else []
    words += [
        f"at {e.get('pointer') or '/'} ({e.get('code')})" for e in _errors(body)[:_SHOWN_ERRORS]
    ]
    words += [_counts(body)] if "results" in body else []
    return " ".join(words)[: 4 * _MAX_TEXT]


def _errors(body: Any) -> list[Mapping[str, Any]]:
    found = body.get("errors") if isinstance(body, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _counts(body: Mapping[str, Any]) -> str:
    return ", ".join(f"{body.get(name)} {name}" for name in ("accepted", "rejected", "unknown"))


def _topic_is_right(expected: Expected, body: Any) -> bool:
    return expected.topic is None or (
        isinstance(body, dict) and body.get("topic") == expected.topic
    )


def _fault_is_named(expected: Expected, body: Any) -> bool:
    if expected.pointer is None:
        return True
    return any(
        _is_within(str(each.get("pointer")), expected.pointer)
        and expected.code in (None, each.get("code"))
        for each in _errors(body)
    )


def _is_within(pointer: str, wanted: str) -> bool:
    return pointer == wanted or pointer.startswith(f"{wanted}/")


def _items_are_right(expected: Expected, body: Any) -> bool:
    if expected.items is None:
        return True
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list):
        return False
    return tuple(r.get("status") for r in results if isinstance(r, dict)) == expected.items
