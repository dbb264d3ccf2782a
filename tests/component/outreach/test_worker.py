"""The worker put together over a real database, with Kafka clients that only pretend."""

from contextlib import ExitStack
from uuid import UUID

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.kit import logs
from services.kit.settings import ClockSource
from services.outreach import migrate, worker
from services.outreach.database import open_engine
from services.outreach.settings import Settings
from services.outreach.worker import Worker
from tests.component.outreach.test_group import FakeConsumer

pytestmark = pytest.mark.connected


class LeavingConsumer(FakeConsumer):
    def close(self, **_: object) -> None:
        return None

    def end_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[object, int]:
        raise KafkaTimeoutError


class LonelyProducer:
    """A producer whose broker went away: its close raises, as kafka-python's does."""

    closed_within: float | None = None

    def close(self, timeout: float) -> None:
        self.closed_within = timeout
        raise KafkaTimeoutError("unsent records")


@pytest.mark.parametrize("clock", list(ClockSource))
def test_it_leaves_in_peace_while_the_broker_is_away(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch, clock: ClockSource
) -> None:
    migrate.upgrade(fresh_database)
    producer = LonelyProducer()
    monkeypatch.setattr(worker, "open_producer", lambda _: producer)
    monkeypatch.setattr(worker, "open_consumer", lambda *_, **__: LeavingConsumer())
    settings = Settings(database_url=fresh_database, kafka_bootstrap_servers="none", clock=clock)
    engine = open_engine(fresh_database)

    with ExitStack() as stack:
        Worker(settings, UUID(int=1), logs.get("test"))._open(engine, stack)

    assert producer.closed_within is not None
    engine.dispose()


def test_an_error_of_the_database_does_not_show_what_a_statement_carried(
    fresh_database: str,
) -> None:
    engine = open_engine(fresh_database)
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT 1 / 0 WHERE :email <> ''"), {"email": "ada@example.org"})

    assert "ada" not in str(caught.value)
    engine.dispose()
