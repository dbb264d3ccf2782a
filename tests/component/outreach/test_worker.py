"""The worker put together over a real database, with Kafka clients that only pretend."""

from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.kit import logs
from services.kit.clock import SystemClock
from services.kit.settings import ClockSource
from services.outreach import migrate, worker
from services.outreach.api.settings import ApiSettings
from services.outreach.database import open_engine
from services.outreach.pages.settings import PagesSettings
from services.outreach.settings import Settings
from services.outreach.worker import Worker
from tests.component.outreach.test_group import FakeConsumer
from tests.support.relay import vouching

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


def test_files_that_are_wrong_by_now_are_told_until_they_are_mended(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    migrate.upgrade(fresh_database)
    monkeypatch.setattr(worker, "open_producer", lambda _: LonelyProducer())
    monkeypatch.setattr(worker, "open_consumer", lambda *_, **__: LeavingConsumer())
    listed, links, keys, mail = (tmp_path / name for name in ("listed", "links", "keys", "mail"))
    authorities = vouching(tmp_path)
    good = {listed: "c-1\n", links: "s" * 32, keys: '{"keys": []}', mail: "horse"}
    good[authorities] = authorities.read_text()

    def put(texts: dict[Path, str]) -> None:
        for path, said in texts.items():
            path.write_text(said)

    put(good)
    settings = Settings(
        database_url=fresh_database,
        kafka_bootstrap_servers="none",
        clock=ClockSource.TICKS,
        limited_to_file=listed,
        smtp_starttls=True,
        smtp_username="care",
        smtp_password_file=mail,
        smtp_ca_file=authorities,
    )
    pages = PagesSettings(base_url="https://shop.example/p", secrets_file=links)
    api = ApiSettings(port=0, keys_file=keys)
    engine = open_engine(fresh_database)
    opened = Worker(settings, UUID(int=1), logs.get("test"), pages, api)

    def told(file: str) -> float | None:
        name = "care_outreach_watched_file_fault"
        return opened._registry.get_sample_value(name, {"file": file})

    files = ("allow_list", "page_secrets", "api_keys", "smtp_password", "smtp_authorities")
    with ExitStack() as stack:
        opened._open(engine, stack)
        assert opened._rules is not None
        monkeypatch.setattr(opened, "_open_clock", lambda _: SystemClock())
        opened._open_api(api, opened._rules, CollectorRegistry(), stack)
        assert [told(file) for file in files] == [0] * len(files)

        put(dict.fromkeys(good, "{\n{"))
        assert [told(file) for file in files] == [1] * len(files)

        put(good)
        assert [told(file) for file in files] == [0] * len(files)
    engine.dispose()


def test_an_error_of_the_database_does_not_show_what_a_statement_carried(
    fresh_database: str,
) -> None:
    engine = open_engine(fresh_database)
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT 1 / 0 WHERE :email <> ''"), {"email": "ada@example.org"})

    assert "ada" not in str(caught.value)
    engine.dispose()
