"""Reading ends at the end, also behind a transaction's marker, and gives up on a broker that fell silent."""

from functools import partial
from itertools import count

import pytest
from kafka import TopicPartition

from services.contracts import topics as t
from services.kit import dead_letters
from services.kit.exits import Unavailable
from services.why import records
from services.why.records import _records, _set_aside
from tests.support.batches import BatchConsumer, Record

PLACE = TopicPartition("purchases", 1)


Consumer = partial(BatchConsumer, PLACE)


def offsets(consumer: BatchConsumer) -> list[int]:
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
        return Record(0, headers, partition=1)

    letters = [letter("outreach", "invalid"), letter("churn-predictor", "future"), Record(0)]

    assert _set_aside(letters) == {
        ("contacts", 1, 7): ("outreach: invalid", "churn-predictor: future")
    }
