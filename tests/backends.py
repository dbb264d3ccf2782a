"""Where the tests' Kafka and PostgreSQL come from; the tests themselves never know which."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from services.local.kafka.broker import SETTINGS
from services.local.parts import DATABASE_VARIABLE, KAFKA_VARIABLE, running
from services.local.ports import LOOPBACK, free_port

_CONTAINER_SECONDS = 120

# What Apache's image and its look-alikes have in common is where the jars are.
_START_KAFKA = """
printf %s "$SERVER_PROPERTIES" > /tmp/server.properties
kafka() { java -cp '/opt/kafka/libs/*' "$@"; }
kafka kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c /tmp/server.properties
kafka kafka.Kafka /tmp/server.properties
"""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where both answer."""

    kafka_bootstrap: str
    database_url: str


@contextmanager
def embedded() -> Iterator[Addresses]:
    """Yield parts of our own, whatever the environment names."""
    with running(environment={}) as parts:
        yield Addresses(parts.kafka_bootstrap, parts.database_url)


@contextmanager
def external() -> Iterator[Addresses]:
    """Yield what KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL name."""
    yield Addresses(os.environ[KAFKA_VARIABLE], os.environ[DATABASE_VARIABLE])


@contextmanager
def containers() -> Iterator[Addresses]:
    """Yield Kafka in a container, and PostgreSQL in one where CARE_TEST_POSTGRES_IMAGE names an image."""
    with ExitStack() as stack:
        bootstrap = stack.enter_context(_kafka_container(os.environ["CARE_TEST_KAFKA_IMAGE"]))
        if image := os.environ.get("CARE_TEST_POSTGRES_IMAGE"):
            yield Addresses(bootstrap, stack.enter_context(_postgres_container(image)))
        else:
            parts = stack.enter_context(running(environment={KAFKA_VARIABLE: bootstrap}))
            yield Addresses(bootstrap, parts.database_url)


BACKENDS = {"embedded": embedded, "external": external, "containers": containers}


@contextmanager
def _kafka_container(image: str) -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    broker = DockerContainer(image).with_command(["sh", "-c", _START_KAFKA])
    # Clients are sent to the advertised address, so the port is the same inside and outside.
    broker.with_bind_ports(port, port).with_env("SERVER_PROPERTIES", _properties(port))
    with broker:
        _wait(lambda: KafkaAdminClient(bootstrap_servers=f"{LOOPBACK}:{port}").close())
        yield f"{LOOPBACK}:{port}"


@contextmanager
def _postgres_container(image: str) -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    server = DockerContainer(image).with_bind_ports(5432, port)
    url = f"postgresql://postgres:care@{LOOPBACK}:{port}/postgres"
    with server.with_env("POSTGRES_PASSWORD", "care"):
        _wait(lambda: psycopg.connect(url).close())
        yield url


def _properties(port: int) -> str:
    listeners = {
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:9093",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.quorum.voters": "1@127.0.0.1:9093",
        "log.dirs": "/tmp/kafka",
    }
    return "".join(f"{name}={value}\n" for name, value in (SETTINGS | listeners).items())


def _wait(connect: Callable[[], None]) -> None:
    deadline = time.monotonic() + _CONTAINER_SECONDS
    while True:
        try:
            connect()
            break
        except (KafkaError, OSError, psycopg.Error):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
