"""The metrics service without a broker: topics in memory, and what outlives a process."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from kafka import TopicPartition

from services.contracts.envelope import BARRIER, STRUCTURED, Event
from services.metrics import snapshot, steps
from services.metrics.exporter import Kept
from services.metrics.keeping import Restored
from services.metrics.snapshot import Header, Section, Standing, digest_of
from services.metrics.state import State
from services.metrics.steps import Step
from services.metrics.worker import Pace
from tests.unit.metrics.stories import CUSTOMER, Read

AT_ONCE = Pace(step_seconds=0)
"""A step for each turn."""


Chunks: TypeAlias = dict[tuple[str, int], bytes]


def encoded(state: State) -> tuple[dict[str, Section], Chunks, int]:
    """Return a state's sections and chunks, and its size."""
    sections: dict[str, Section] = {}
    chunks: Chunks = {}
    size = 0
    for name, raw_bytes, pieces in snapshot.encode(state):
        content = list(pieces)
        chunks |= {(name, number): piece for number, piece in enumerate(content)}
        sections[name] = Section(len(content), digest_of(content))
        size += raw_bytes
    return sections, chunks, size


@dataclass
class Disk:
    """What outlives a process: the last snapshot and all steps, as bytes."""

    header: bytes | None = None
    chunks: Chunks = field(default_factory=dict)
    steps: list[bytes] = field(default_factory=list)


@dataclass
class MemoryKeeper:
    """Keeps on a disk in memory, encoded as on the topics."""

    disk: Disk

    def restore(self) -> Restored | None:
        if self.disk.header is None:
            return None
        header = snapshot.decode_header(self.disk.header)
        state = snapshot.decode(header, self.disk.chunks)
        return Restored(state, header.standing, Kept(header.written_at, header.state_bytes))

    def take_over(self) -> None:
        """Nobody else is there."""

    def steps(self, since: int) -> list[Step]:
        return [steps.read(raw) for raw in self.disk.steps[since:]]

    def append(self, step: Step) -> None:
        self.disk.steps.append(steps.encode(step))

    def keep(
        self, state: State, positions: Mapping[str, dict[int, int]], now: datetime
    ) -> Kept | None:
        sections, self.disk.chunks, size = encoded(state)
        standing = Standing(dict(positions), {}, len(self.disk.steps))
        header = Header(snapshot.FORMAT, now, standing, sections, size)
        self.disk.header = snapshot.encode_header(header)
        return Kept(now, size)


@dataclass(frozen=True)
class Raw:
    """A record as the client gives it."""

    offset: int
    value: bytes | None
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass
class Topics:
    """Logs in memory, of one deployment without a prefix."""

    logs: dict[TopicPartition, list[Raw]] = field(default_factory=dict)

    def write(self, read: Read) -> None:
        """Append a record."""
        is_event = isinstance(read.record, Event)
        log = self.logs.setdefault(TopicPartition(read.topic.name, read.partition), [])
        kind = STRUCTURED if is_event else BARRIER
        value = read.record.encode()  # type: ignore[union-attr]
        key = CUSTOMER.encode() if is_event else None
        log.append(Raw(len(log), value, key, (("content-type", kind.encode()),)))


@dataclass
class Reader:
    """A consumer of such topics; chance decides what a poll brings."""

    topics: Topics
    chance: random.Random
    at: dict[TopicPartition, int] = field(default_factory=dict)
    paused: set[TopicPartition] = field(default_factory=set)
    read: int = 0
    """Records given."""

    def assign(self, places: list[TopicPartition]) -> None:
        self.at = dict.fromkeys(places, -1)

    def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(self.topics.logs.get(place, ())) for place in places}

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at[place] = offset

    def position(self, place: TopicPartition, timeout_ms: int) -> int:
        return self.at[place]

    def pause(self, *places: TopicPartition) -> None:
        self.paused |= set(places)

    def resume(self, *places: TopicPartition) -> None:
        self.paused -= set(places)

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        return dict(self._some())

    def _some(self) -> Iterator[tuple[TopicPartition, list[Any]]]:
        for place in sorted(self.topics.logs):
            begin = self.at[place]
            left = len(self.topics.logs[place]) - begin
            count = self.chance.randint(0, left) if place not in self.paused else 0
            if count:
                self.at[place] += count
                self.read += count
                yield place, self.topics.logs[place][begin : begin + count]
