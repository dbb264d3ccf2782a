"""A consumer of one partition at the edge of what reads topics to their end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka import TopicPartition


@dataclass
class Record:
    offset: int
    headers: Sequence[tuple[str, bytes | None]] = ()
    partition: int = 0


@dataclass
class BatchConsumer:
    """Gives these batches of offsets in one partition one by one, and then nothing."""

    place: TopicPartition
    batches: list[list[int]]
    end: int
    begin: int = 0
    at: int = 0
    polls: int = 0
    behind: list[int] = field(default_factory=list)
    """Where each batch leaves the reader, if not behind its last record."""

    def beginning_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.begin)

    def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.end)

    def assign(self, places: Sequence[TopicPartition]) -> None:
        assert places == [self.place]

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at = offset

    def position(self, place: TopicPartition) -> int:
        return self.at

    def poll(self, **_: Any) -> dict[TopicPartition, list[Record]]:
        self.polls += 1
        if not self.batches:
            return {}
        batch = self.batches.pop(0)
        self.at = self.behind.pop(0) if self.behind else batch[-1] + 1
        return {self.place: [Record(offset) for offset in batch]}
