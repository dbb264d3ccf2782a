"""Steps: what was read together, and what was judged behind it.  A step repeats exactly.

Which of two late facts is read first, and which facts were known when something was judged, changes
what was counted and withdrawn on the way.  So both are decided before the first record of a step is
folded, and written down: whoever repeats the steps counts the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.contracts.topics import by_name
from services.metrics.decode import KafkaRecord, decode
from services.metrics.fold import Unread, fold
from services.metrics.state import State

Place = tuple[str, int]
"""Logical topic and partition."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is folded next."""

    ends: dict[str, dict[int, int]] = field(default_factory=dict)
    """Logical topic → partition → the first offset that is not folded.  Others stay where they are."""
    missed: dict[str, int] = field(default_factory=dict)
    """Logical topic → offsets that were gone before they could be read."""
    settle: datetime | None = None
    """What is judged behind it: everything said up to here has been folded by then."""


def encode(step: Step) -> bytes:
    """Return the step as it lies on its topic."""
    return msgspec.msgpack.encode(step)


def read(raw: bytes) -> Step:
    """Return the step in this record; raises msgspec's error where there is none."""
    return msgspec.msgpack.decode(raw, type=Step)


def take(
    state: State, step: Step, records: Mapping[Place, Sequence[KafkaRecord]]
) -> dict[Place, Counter[str]]:
    """Fold a step into the state, in the one order that every repetition has.

    Args:
        state: Is changed.
        step: The step.
        records: All that lies between where each place stood and the step's end of it.

    Returns:
        Of places with records nobody can read: how many, by reason.
    """
    unread: dict[Place, Counter[str]] = {}
    for name, offsets in sorted(step.missed.items()):
        state.pipeline.missed.add((name,), offsets)
    for place in sorted(records):
        topic = by_name(place[0])
        for record in records[place]:
            decoded = decode(topic, record)
            if isinstance(decoded, Unread):
                unread.setdefault(place, Counter())[decoded.reason] += 1
            if decoded is not None:
                fold(state, topic, place[1], decoded)
    if step.settle is not None:
        state.settle(step.settle)
    return unread
