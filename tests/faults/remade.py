"""A source topic made anew under a worker that knows the old one: it must refuse to read it."""

import signal

from tenacity import retry, stop_after_delay, wait_fixed

from services.contracts import topics
from services.contracts.topics import Topic
from services.demo.stage import Stage
from services.kit.clock import monotonic
from services.kit.exits import EXIT_UNAVAILABLE
from services.kit.kafka_admin import apply_topics, delete_topics
from services.kit.kafka_clients import end_offsets, open_consumer
from tests.faults.acts import WORKER
from tests.faults.strikes import Pause

_REMADE = topics.DELIVERIES
_WRITTEN = (topics.FACTS_CHANGELOG, topics.PROBLEMS, topics.ACCOUNTS)
_PATIENCE_SECONDS = 60.0
_ADVICE = "made anew"


class NotRefused(Exception):
    """The worker went on, or did not say what is to be done; the message says which."""


def refuse_a_remade_topic(stage: Stage, pause: Pause) -> str:
    """Make a source topic anew while the worker is down; return what the worker says to it.

    Raises:
        NotRefused: it does not end with 75, says nothing of use, or wrote something.
    """
    stage.services.halt(WORKER, signal.SIGTERM)
    before = _ends(stage)
    delete_topics(stage.kafka_bootstrap, [_REMADE.physical(stage.topic_prefix)])
    _make(stage, _REMADE)
    stage.services.begin(WORKER, is_kept=False)
    code, words = _end_of(stage, pause), stage.services.last_words(WORKER)
    if code != EXIT_UNAVAILABLE:
        raise NotRefused(f"it ended with {code}, not with {EXIT_UNAVAILABLE}: {words}")
    if _ADVICE not in words or _REMADE.name not in words:
        raise NotRefused(f"it does not say what to do: {words}")
    if _ends(stage) != before:
        raise NotRefused("it wrote to its topics before it refused")
    return f"refused: {words.splitlines()[-1]}"


@retry(stop=stop_after_delay(30), wait=wait_fixed(0.5), reraise=True)
def _make(stage: Stage, topic: Topic) -> None:
    """Make it again; the broker takes a moment to forget the old one."""
    made = apply_topics(
        stage.kafka_bootstrap,
        partitions=stage.partitions,
        prefix=stage.topic_prefix,
        topics=[topic],
    )
    assert made, "the old one is still there"


def _end_of(stage: Stage, pause: Pause) -> int | None:
    deadline = monotonic() + _PATIENCE_SECONDS
    while (code := stage.services.exit_code(WORKER)) is None and monotonic() < deadline:
        pause(0.1)
    return code


def _ends(stage: Stage) -> dict[str, list[int]]:
    consumer = open_consumer(stage.kafka_bootstrap)
    try:
        names = [topic.physical(stage.topic_prefix) for topic in _WRITTEN]
        return end_offsets(consumer, names, stage.partitions)
    finally:
        consumer.close()
