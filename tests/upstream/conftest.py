"""A Faust app that is never started, its own small topics, and a broker that may be frozen."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faust
import pytest
from kafka import KafkaAdminClient

from services.local.parts import DATABASE_VARIABLE, Parts, running

MakeTopic = Callable[..., str]


@pytest.fixture
def probe(tmp_path: Path) -> Callable[[], Any]:
    """How to make a Faust app whose parts are looked at singly; call it inside an event loop."""

    def make() -> Any:
        return faust.App(
            "probe",
            broker="kafka://127.0.0.1:1",
            store="memory://",
            datadir=tmp_path / "faust",
            table_standby_replicas=0,
        )

    return make


@pytest.fixture
def make_topic(kafka_bootstrap: str, topic_prefix: str) -> MakeTopic:
    """How to make a topic of the test's own."""

    def make(name: str, partitions: int = 1, **configs: Any) -> str:
        return create_topic(kafka_bootstrap, topic_prefix + name, partitions, **configs)

    return make


@pytest.fixture(scope="module")
def disposable(database_url: str) -> Iterator[Parts]:
    """A broker that nobody else's tests rely on."""
    with running(environment={DATABASE_VARIABLE: database_url}) as parts:
        yield parts


def create_topic(bootstrap: str, name: str, partitions: int = 1, **configs: Any) -> str:
    """Make a topic and return its name."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    wanted = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
    try:
        admin.create_topics({name: wanted}, wait_for_metadata=True)
    finally:
        admin.close()
    return name
