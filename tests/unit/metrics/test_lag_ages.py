"""Where a service stands, and how old what it has not read is."""

from kafka import TopicPartition

from services.contracts import topics as t
from services.metrics.lag import READERS, Reader, oldest_age, positions_of

NAMES = t.physical_names((t.PROBLEMS, t.CONTACTS, t.PURCHASES), "a-")
PROBLEMS_0, PROBLEMS_1 = (TopicPartition("a-problems", p) for p in (0, 1))
CONTACTS_0, PURCHASES_0 = TopicPartition("a-contacts", 0), TopicPartition("a-purchases", 0)
BEGINS = {PROBLEMS_0: 0, PROBLEMS_1: 5, CONTACTS_0: 0, PURCHASES_0: 0}
READER = Reader("outreach", "outreach", (t.PROBLEMS,))


def test_without_a_commit_a_service_stands_at_the_beginning_of_what_it_must_read() -> None:
    assert positions_of(READER, {}, BEGINS, NAMES) == {PROBLEMS_0: 0, PROBLEMS_1: 5}


def test_a_topic_it_may_read_counts_from_its_first_commit_on() -> None:
    positions = positions_of(READER, {CONTACTS_0: 3}, BEGINS, NAMES)

    assert positions == {PROBLEMS_0: 0, PROBLEMS_1: 5, CONTACTS_0: 3}


def test_a_commit_before_the_beginning_waits_for_the_beginning() -> None:
    """Retention has deleted what it did not read."""
    assert positions_of(READER, {PROBLEMS_1: 2}, BEGINS, NAMES)[PROBLEMS_1] == 5


def test_the_oldest_of_all_partitions_is_the_age_of_a_topic_and_nothing_unread_is_zero() -> None:
    positions = {PROBLEMS_0: 0, PROBLEMS_1: 5, CONTACTS_0: 0}

    ages = oldest_age(positions, {PROBLEMS_0: 990.0, PROBLEMS_1: 940.0}, now=1_000.0)

    assert ages == {"a-problems": 60.0, "a-contacts": 0.0}


def test_a_record_of_a_fast_clock_is_not_of_negative_age() -> None:
    assert oldest_age({PROBLEMS_0: 0}, {PROBLEMS_0: 1_010.0}, now=1_000.0) == {"a-problems": 0.0}


def test_only_services_that_read_a_topic_are_said_to_be_behind_on_it() -> None:
    for reader in READERS:
        assert all(reader.service in topic.read_by for topic in reader.always)
