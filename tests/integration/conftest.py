"""What integration tests share beside the session's own Kafka and PostgreSQL."""

from collections.abc import Iterator

import pytest

from services.local.parts import Parts, running
from services.outreach import migrate
from tests.support.mail import Sink, listening
from tests.support.outreach import Company
from tests.support.secured_kafka import SecuredKafka, secured, tell_this_process
from tests.support.topics import Deployment


@pytest.fixture(scope="session")
def disposable_parts() -> Iterator[Parts]:
    """Parts nobody else's tests rely on, to be frozen, killed and started again; up after each test."""
    with running(environment={}) as found:
        yield found


@pytest.fixture
def deployment(kafka_bootstrap: str, topic_prefix: str) -> Iterator[Deployment]:
    """Topics of the test's own on the session's Kafka."""
    made = Deployment(kafka_bootstrap, topic_prefix)
    yield made
    made.close()


@pytest.fixture
def company(deployment: Deployment) -> Iterator[Company]:
    """Who publishes to outreach on the test's own topics, and reads what it says."""
    made = Company(deployment)
    yield made
    made.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A real SMTP server that keeps what it is given."""
    with listening(Sink()) as made:
        yield made


@pytest.fixture
def database(fresh_database: str) -> str:
    """The address of a database of the test's own with outreach's tables."""
    migrate.upgrade(fresh_database)
    return fresh_database


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """A Kafka where nothing is allowed that is not granted."""
    with secured(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def secured_deployment(
    kafka: SecuredKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """Topics of the test's own there; the test itself may do everything."""
    tell_this_process(kafka.environment(), monkeypatch)
    made = Deployment(kafka.bootstrap, topic_prefix)
    yield made
    made.close()
