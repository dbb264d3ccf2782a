"""Topics and partitions on a real Kafka."""

from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaTimeoutError

from services.contracts import topics as t
from services.kit.exits import Unavailable
from services.kit.kafka_admin import apply_topics, check_topics, find_topics, new_topic
from services.kit.kafka_clients import end_offsets, open_consumer, open_producer, partition_of
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected

PARTITIONS = 3


def test_applying_makes_every_topic_once(kafka_bootstrap: str, topic_prefix: str) -> None:
    made = apply_topics(kafka_bootstrap, partitions=PARTITIONS, prefix=topic_prefix)
    assert made == sorted(t.physical_names(t.TOPICS, topic_prefix))

    first = check_topics(kafka_bootstrap, t.TOPICS, partitions=PARTITIONS, prefix=topic_prefix)
    assert apply_topics(kafka_bootstrap, partitions=PARTITIONS, prefix=topic_prefix) == []
    again = check_topics(kafka_bootstrap, t.TOPICS, partitions=PARTITIONS, prefix=topic_prefix)

    assert again == first
    assert first.keys() == {topic.name for topic in t.TOPICS}
    assert {found.partitions for found in first.values()} == {PARTITIONS}
    assert len({found.topic_id for found in first.values()}) == len(t.TOPICS)


@pytest.mark.parametrize("topic", [t.CUSTOMERS, t.dead_letter(t.CONTACTS)], ids=lambda t: t.name)
def test_the_broker_keeps_the_contracts_settings(
    kafka_bootstrap: str, topic_prefix: str, topic: t.Topic
) -> None:
    apply_topics(kafka_bootstrap, partitions=1, prefix=topic_prefix, topics=[topic])

    assert (
        settings_of(kafka_bootstrap, topic.physical(topic_prefix)).items() >= topic.config().items()
    )


@pytest.mark.parametrize(("copies", "needed"), [(1, "1"), (2, "1"), (3, "2")])
def test_all_copies_but_one_must_have_a_record(copies: int, needed: str) -> None:
    asked = new_topic(t.PURCHASES, PARTITIONS, copies)

    assert asked["replication_factor"] == copies
    assert asked["configs"]["min.insync.replicas"] == needed


def test_the_broker_is_told_how_many_must_have_a_record(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    apply_topics(kafka_bootstrap, partitions=1, prefix=topic_prefix, topics=[t.PURCHASES])

    name = t.PURCHASES.physical(topic_prefix)
    assert settings_of(kafka_bootstrap, name)["min.insync.replicas"] == "1"


def settings_of(bootstrap: str, name: str) -> dict[str, str]:
    """Return a topic's settings as the broker tells them."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    admin.close()
    return {
        key: told["value"]
        for key, told in found[ConfigResourceType.TOPIC.name.lower()][name].items()
    }


def test_only_what_is_missing_is_made(kafka_bootstrap: str, topic_prefix: str) -> None:
    apply_topics(kafka_bootstrap, partitions=1, prefix=topic_prefix, topics=[t.CONTACTS])
    before = find_topics(kafka_bootstrap)[t.CONTACTS.physical(topic_prefix)]

    both = [t.CONTACTS, t.PURCHASES]
    made = apply_topics(kafka_bootstrap, partitions=1, prefix=topic_prefix, topics=both)

    assert made == [t.PURCHASES.physical(topic_prefix)]
    assert find_topics(kafka_bootstrap)[before.name] == before


def test_missing_topics_are_named_with_what_makes_them(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    apply_topics(kafka_bootstrap, partitions=1, prefix=topic_prefix, topics=[t.CONTACTS])

    with pytest.raises(Unavailable) as refused:
        check_topics(kafka_bootstrap, [t.CONTACTS, t.TICKS], partitions=1, prefix=topic_prefix)

    assert t.TICKS.physical(topic_prefix) in str(refused.value)
    assert t.CONTACTS.physical(topic_prefix) not in str(refused.value)
    assert str(refused.value).endswith("create them with `care topics apply`")


def test_another_partition_count_is_refused_with_the_setting_that_mends_it(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    apply_topics(kafka_bootstrap, partitions=2, prefix=topic_prefix, topics=[t.CONTACTS])

    for refuse in (check, apply):
        with pytest.raises(Unavailable, match="CARE_PARTITIONS=2"):
            refuse(kafka_bootstrap, topic_prefix)


def check(bootstrap: str, prefix: str) -> None:
    """Expect three partitions."""
    check_topics(bootstrap, [t.CONTACTS], partitions=PARTITIONS, prefix=prefix)


def apply(bootstrap: str, prefix: str) -> None:
    """Ask for three partitions."""
    apply_topics(bootstrap, partitions=PARTITIONS, prefix=prefix, topics=[t.CONTACTS])


def test_a_topic_made_anew_has_another_id(kafka_bootstrap: str, topic_prefix: str) -> None:
    name = t.CONTACTS.physical(topic_prefix)
    ids = set()
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    for _ in range(2):
        apply_topics(kafka_bootstrap, partitions=1, prefix=topic_prefix, topics=[t.CONTACTS])
        ids.add(find_topics(kafka_bootstrap)[name].topic_id)
        admin.delete_topics([name])
    admin.close()

    assert len(ids) == 2


def test_no_broker_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.kit.kafka_clients.BOOTSTRAP_MS", 200)
    with pytest.raises(Unavailable, match="KAFKA_BOOTSTRAP_SERVERS"):
        find_topics("127.0.0.1:1")


def _knows(producer: Any, name: str) -> bool:
    try:
        return bool(producer.partitions_for(name))
    except KafkaTimeoutError:
        # It waits for a second only, which a busy machine may need for something else.
        return False


def test_a_customers_partition_is_the_one_the_producer_chooses(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    apply_topics(kafka_bootstrap, partitions=PARTITIONS, prefix=topic_prefix, topics=[t.CONTACTS])
    name = t.CONTACTS.physical(topic_prefix)
    keys = [f"customer-{number}".encode() for number in range(60)]
    producer = open_producer(kafka_bootstrap)
    wait_for(lambda: _knows(producer, name), "the producer to know the new topic")
    sent = [producer.send(name, key=key, value=b"{}") for key in keys]
    chosen = [future.get(timeout=10).partition for future in sent]
    producer.close(timeout=5)

    assert chosen == [partition_of(key, PARTITIONS) for key in keys]
    assert set(chosen) == set(range(PARTITIONS))

    consumer = open_consumer(kafka_bootstrap)
    ends = end_offsets(consumer, [name], PARTITIONS)
    consumer.close()
    assert ends == {name: [chosen.count(partition) for partition in range(PARTITIONS)]}


def test_a_consumer_skips_nothing_commits_nothing_and_reads_nothing_aborted(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    apply_topics(kafka_bootstrap, partitions=1, prefix=topic_prefix, topics=[t.CONTACTS])
    name = t.CONTACTS.physical(topic_prefix)
    producer = open_producer(kafka_bootstrap, transactional_id=f"{topic_prefix}writer")
    producer.init_transactions()
    for value, end in ((b"1", producer.commit_transaction), (b"2", producer.abort_transaction)):
        producer.begin_transaction()
        producer.send(name, value=value)
        producer.flush(timeout=10)
        end()
    producer.close(timeout=5)

    group = f"{topic_prefix}readers"
    for _ in range(2):
        assert values(kafka_bootstrap, name, group) == [b"1"]


def values(bootstrap: str, name: str, group: str) -> list[bytes]:
    """Return what a new member of this group reads up to the end."""
    consumer = open_consumer(bootstrap, group)
    consumer.subscribe([name])
    place = TopicPartition(name, 0)
    found = []
    while place not in consumer.assignment() or consumer.position(place) < 4:
        for records in consumer.poll(timeout_ms=100).values():
            found += [record.value for record in records]
    assert consumer.committed(place) is None
    consumer.close()
    return found
