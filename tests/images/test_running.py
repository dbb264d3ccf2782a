"""Each image, hardened, on a real Kafka and PostgreSQL: ready, refused where it must be, gone when told."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest

from services.cli.run import SERVICES
from services.contracts.envelope import STRUCTURED
from services.kit.exits import EXIT_UNAVAILABLE, EXIT_USAGE
from services.local.ports import LOOPBACK, free_port
from tests import factories
from tests.images.engine import MARKS, Container, started
from tests.support.topics import wait_for

pytestmark = [*MARKS, pytest.mark.connected]

PARTITIONS = "4"
GRACE_SECONDS = 60
"""As the manifests give a service to drain."""


@dataclass(frozen=True, slots=True)
class Site:
    """Topics and tables of this module's own, made by the image `cli`."""

    images: Mapping[str, str]
    environment: Mapping[str, str]

    def told(self, service: str, port: int) -> dict[str, str]:
        """Return what a service of this site needs to be told."""
        prefix = f"CARE_{service.upper()}_"
        mine = {f"{prefix}HOST": LOOPBACK, f"{prefix}PORT": str(port)}
        door = {"CARE_INGEST_AUTHENTICATION": "none"} if service == "ingest" else {}
        return {**self.environment, **mine, **door}

    def image(self, service: str) -> str:
        """Return the image of a service by its package's name."""
        return self.images[service.replace("_", "-")]


def to_the_end(image: str, environment: Mapping[str, str], *words: str) -> tuple[int, str]:
    """Run a container that ends by itself; return its exit code and its last line."""
    with started(image, environment, *words) as container:
        code = container.wait()
        said = container.output().strip().splitlines()
        return code, said[-1] if said else ""


@pytest.fixture
def site(
    images: dict[str, str], kafka_bootstrap: str, topic_prefix: str, fresh_database: str
) -> Site:
    environment = {
        "CARE_DEPLOYMENT": "dev",
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "CARE_TOPIC_PREFIX": topic_prefix,
        "CARE_PARTITIONS": PARTITIONS,
        "CARE_LOG_FORMAT": "json",
        "DATABASE_URL": fresh_database,
    }
    for words in (("topics", "apply"), ("db", "upgrade")):
        code, said = to_the_end(images["cli"], environment, *words)
        assert code == 0, said
    return Site(images, environment)


@pytest.fixture
def running(site: Site) -> Iterator[dict[str, tuple[Container, str]]]:
    """The four services at once, each with its address."""
    with ExitStack() as stack:
        found = {}
        for service in SERVICES:
            port = free_port()
            container = started(site.image(service), site.told(service, port))
            found[service] = stack.enter_context(container), f"http://{LOOPBACK}:{port}"
        yield found


def answer(address: str, path: str) -> int:
    """Return the status of one question; 0 where nobody answers."""
    try:
        return httpx.get(f"{address}{path}", timeout=5).status_code
    except httpx.TransportError:
        return 0


def await_ready(container: Container, address: str) -> None:
    """Return once it is ready; fails at once where it has ended."""

    def ready() -> bool:
        assert container.state()["Running"], container.output()[-2_000:]
        return answer(address, "/readyz") == 200

    wait_for(ready, f"{address}/readyz", seconds=120)


def test_all_get_ready_work_and_leave_when_told(
    running: dict[str, tuple[Container, str]],
) -> None:
    for container, address in running.values():
        await_ready(container, address)
        assert (answer(address, "/livez"), answer(address, "/metrics")) == (200, 200)
    _, door = running["ingest"]
    event = factories.placed(order="o-1")
    told = httpx.post(
        f"{door}/v1/events", content=event.encode(), headers={"content-type": STRUCTURED}
    )
    assert told.status_code == 202, told.text

    codes = {name: each.stop(GRACE_SECONDS) for name, (each, _) in running.items()}

    assert codes == dict.fromkeys(SERVICES, 0)
    assert not [n for n, (each, _) in running.items() if "Traceback" in each.output()]


@pytest.mark.parametrize("service", SERVICES)
def test_kafka_in_the_clear_is_refused_in_production(site: Site, service: str) -> None:
    told = site.told(service, free_port())
    del told["CARE_DEPLOYMENT"]

    code, said = to_the_end(site.image(service), told)

    assert code == EXIT_USAGE
    assert said.startswith(f"care run {service}: wrong settings: KAFKA_SECURITY_PROTOCOL: ")
    assert "PLAINTEXT is refused in production: set SASL_SSL or SSL" in said


@pytest.mark.parametrize("service", SERVICES)
def test_without_its_topics_it_says_so_and_waits_for_the_platform(site: Site, service: str) -> None:
    told = site.told(service, free_port()) | {"CARE_TOPIC_PREFIX": "nowhere-"}

    code, said = to_the_end(site.image(service), told)

    assert code == EXIT_UNAVAILABLE
    assert "nowhere-" in said
    assert "care topics apply" in said


def test_the_logs_are_lines_of_json(running: dict[str, tuple[Container, str]]) -> None:
    for container, address in running.values():
        await_ready(container, address)
        lines = container.output().splitlines()
        assert lines
        assert all(isinstance(json.loads(line), dict) for line in lines), lines
