"""Reading ends at the end, also behind a transaction's marker, and gives up on a broker that fell silent."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from kafka import TopicPartition

from services.contracts import topics as t
from services.kit import dead_letters
from services.kit.exits import Unavailable
from services.why import records
from services.why.records import _records, _set_aside

PLACE = TopicPartition("purchases", 1)


@dataclass
class Record:
    offset: int
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass
class Consumer:
    """Gives these batches one by one, and then nothing."""

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
        assert places == [PLACE]

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
        return {PLACE: [Record(offset) for offset in batch]}


def offsets(consumer: Consumer) -> list[int]:
    read = _records(consumer, PLACE, 4, t.PURCHASES, lambda *_: None)
    return [record.offset for record in read]


def test_all_up_to_the_end_is_read_and_nothing_behind_it() -> None:
    assert offsets(Consumer([[3, 4], [6, 9]], begin=3, end=9)) == [3, 4, 6]


def test_a_marker_at_the_end_is_no_record_to_wait_for() -> None:
    assert offsets(Consumer([[0]], end=2, behind=[2])) == [0]


def test_what_is_empty_is_not_asked_for() -> None:
    consumer = Consumer([], begin=7, end=7)

    assert (offsets(consumer), consumer.polls) == ([], 0)


def test_a_broker_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "monotonic", count(0, 25).__next__)

    with pytest.raises(Unavailable, match="purchases could not be read to its end"):
        offsets(Consumer([[0]], end=5))


def test_dead_letters_name_the_record_and_who_set_it_aside() -> None:
    def letter(service: str, reason: str) -> Record:
        headers = dead_letters.headers_for(
            service=service, reason=reason, detail="", topic=t.CONTACTS, partition=1, offset=7
        )
        return Record(0, headers)

    letters = [letter("outreach", "invalid"), letter("churn-predictor", "future"), Record(0)]

    assert _set_aside(letters) == {
        ("contacts", 7): ("outreach: invalid", "churn-predictor: future")
    }
