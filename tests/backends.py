"""Where the tests' Kafka and PostgreSQL come from; the tests themselves never know which."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from services.kit.exits import Unavailable
from services.local.kafka.broker import SETTINGS
from services.local.parts import DATABASE_VARIABLE, KAFKA_VARIABLE, running
from services.local.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

_CONTAINER_SECONDS = 120
_LAST_WORDS = 2_000

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
    _open(broker.with_env("SERVER_PROPERTIES", _properties(port)), port, port)
    address = f"{LOOPBACK}:{port}"
    with broker:
        _wait(broker, lambda: KafkaAdminClient(bootstrap_servers=address).close())
        yield address


@contextmanager
def _postgres_container(image: str) -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    server = DockerContainer(image).with_env("POSTGRES_PASSWORD", "care")
    _open(server, 5432, port)
    url = f"postgresql://postgres:care@{LOOPBACK}:{port}/postgres"
    with server:
        _wait(server, lambda: psycopg.connect(url).close())
        yield url


def _open(container: "DockerContainer", inside: int, outside: int) -> None:
    # Docker takes an address with the port; the method for it takes none, and opens it to every machine.
    container.ports[str(inside)] = (LOOPBACK, outside)  # type: ignore[assignment]


def _properties(port: int) -> str:
    listeners = {
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:9093",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.quorum.voters": "1@127.0.0.1:9093",
        "log.dirs": "/tmp/kafka",
    }
    return "".join(f"{name}={value}\n" for name, value in (SETTINGS | listeners).items())


def _wait(container: "DockerContainer", connect: Callable[[], None]) -> None:
    """Return once `connect` does; raises Unavailable with the container's last words where it never will."""
    deadline = time.monotonic() + _CONTAINER_SECONDS
    while True:
        try:
            return connect()
        except (KafkaError, OSError, psycopg.Error) as error:
            if time.monotonic() > deadline or _has_ended(container):
                said = b"".join(container.get_logs()).decode(errors="replace")[-_LAST_WORDS:]
                raise Unavailable(f"{container.image}: {error}; it said: {said}") from None
            time.sleep(0.5)


def _has_ended(container: "DockerContainer") -> bool:
    running = container.get_wrapped_container()
    running.reload()
    return running.status in {"exited", "dead"}
