"""How many partitions there have been is told near the end of a topic; behind it may lie what is no word."""

import pytest
from confluent_kafka import Producer

from services.contracts import topics as t
from services.contracts.stream import FeedMark, TickMark
from services.kit.layouts import layouts_of
from tests.factories import START
from tests.support.topics import Deployment

pytestmark = pytest.mark.connected

MOVED = (2, 4)
MARK = TickMark(partition=0, tick=7, at=START, layouts=MOVED)
FEED = FeedMark(feed="carrier:dhl", partition=0, tick=7, heard_at=START, events=1)


def say(deployment: Deployment, *marks: TickMark | FeedMark, commits: bool = True) -> None:
    """Write to the first partition of the feeds as a worker does, or as one that dies on the way."""
    producer = Producer(
        {"bootstrap.servers": deployment.bootstrap, "transactional.id": deployment.prefix}
    )
    producer.init_transactions()
    producer.begin_transaction()
    for mark in marks:
        name = t.FEEDS.physical(deployment.prefix)
        producer.produce(name, mark.model_dump_json(), mark.key, partition=0)
    producer.flush()
    if commits:
        producer.commit_transaction()
    else:
        producer.abort_transaction()


def layouts(deployment: Deployment) -> tuple[int, ...]:
    return layouts_of(
        deployment.bootstrap, prefix=deployment.prefix, partitions=deployment.partitions
    )


def test_where_no_tick_was_there_has_been_one_number(deployment: Deployment) -> None:
    assert layouts(deployment) == (deployment.partitions,)

    say(deployment, *[FEED] * 150)
    assert layouts(deployment) == (deployment.partitions,)


@pytest.mark.parametrize("lost", [1, 150])
def test_what_dead_workers_had_begun_to_say_does_not_hide_the_last_word(
    deployment: Deployment, lost: int
) -> None:
    say(deployment, *[FEED] * 50, MARK)
    say(deployment, *[MARK.model_copy(update={"layouts": (2, 4, 8)})] * lost, commits=False)

    assert layouts(deployment) == MOVED
