"""What became of an event, told by the door from real topics with a real predictor behind them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from services.contracts.envelope import STRUCTURED, Event
from services.contracts.people import CustomerUpdated
from services.contracts.topics import HORIZON, PURCHASES
from services.ingest.documents import ProblemKind
from services.kit.kafka_clients import partition_of
from tests.factories import DAY, HOUR, START, event, placed, promised
from tests.support.door import open_door
from tests.support.service import running
from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected

SHOP = "/shop/orders"


@dataclass
class Street:
    """A door with a predictor behind it, in simulated time."""

    deployment: Deployment
    client: httpx.Client

    def send(self, event: Event[Any]) -> httpx.Response:
        headers = {"content-type": STRUCTURED}
        return self.client.post("/v1/events", content=event.encode(), headers=headers)

    def ask(self, event_id: str, source: str = SHOP, **narrowing: str) -> httpx.Response:
        path = f"/v1/events/{quote(source, safe='')}/{quote(event_id, safe='')}"
        return self.client.get(path, params=narrowing)

    def fates(self, event_id: str, **narrowing: str) -> list[str]:
        response = self.ask(event_id, **narrowing)
        assert response.status_code == 200, response.text
        return [record["fate"] for record in response.json()["records"]]


@pytest.fixture
def street(deployment: Deployment, tmp_path: Path) -> Iterator[Street]:
    settings = {"CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6"}
    with (
        running("churn_predictor", deployment.environment(**settings), tmp_path / "log"),
        open_door(deployment.environment(), tmp_path) as (service, address),
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        made = Street(deployment, client)
        deployment.await_barrier(deployment.tick(START))
        wait_for(lambda: made.send(placed(event_id="first", customer="c-1")).is_success, "time")
        deployment.await_barrier(deployment.tick(START + HOUR))
        yield made
        assert service.terminate() == 0
        assert "Traceback" not in service.output()


def test_each_fate(street: Street) -> None:
    new = placed(order="o-2", event_id="e/1", customer="c-1", at=START + HOUR)
    old = placed(order="o-3", event_id="old", customer="c-1", at=START - HORIZON - DAY)
    place = street.send(new).json()
    street.send(old)
    street.send(event(CustomerUpdated(), event_id="profile", customer="c-1", source=SHOP))
    street.deployment.publish(new)
    broken = json.loads(placed(event_id="broken", customer="c-1").encode()) | {"data": {}}
    street.deployment.put(PURCHASES, json.dumps(broken).encode(), b"c-1")

    assert street.fates("e/1") == ["waiting", "waiting"]
    street.deployment.await_barrier(street.deployment.tick(START + 2 * HOUR))

    told = street.ask("e/1").json()
    assert (told["id"], told["source"], told["fate"]) == ("e/1", SHOP, "applied")
    assert [record["fate"] for record in told["records"]] == ["applied", "duplicate"]
    assert {name: told["records"][0][name] for name in ("topic", "partition", "offset")} == {
        name: place[name] for name in ("topic", "partition", "offset")
    }
    assert told["looked"]["partition"] == place["partition"]
    assert told["looked"]["is_complete"] is True
    assert street.fates("old") == ["late"]
    assert street.fates("profile") == ["accepted"]
    (letter,) = street.ask("broken", customer="c-1", topic="purchases").json()["records"]
    assert (letter["fate"], letter["reason"]) == ("dead_lettered", "invalid")
    assert letter["service"] == "churn-predictor"


def test_what_is_not_there_is_said_to_be_not_there_as_far_as_was_looked(street: Street) -> None:
    everywhere = street.ask("nothing")
    one = street.ask("first", customer="c-1", type="care.shipment.promised.v1")
    later = street.ask("first", since="2199-01-01T00:00:00Z")

    for response in (everywhere, one, later):
        assert response.status_code == 404
        assert response.json()["type"].endswith(ProblemKind.NOT_FOUND_WITHIN)
    assert "partition" not in everywhere.json()["looked"]
    assert everywhere.json()["looked"]["records"] >= 1
    looked = one.json()["looked"]
    assert (looked["topics"], looked["partition"]) == (["deliveries"], partition_of(b"c-1", 4))
    assert later.json()["remembered"]["status"] == "accepted"


def test_the_same_id_on_another_topic_is_unclear(street: Street) -> None:
    street.deployment.publish(promised(event_id="first", customer="c-1", source=SHOP))
    street.deployment.await_barrier(street.deployment.tick(START + 2 * HOUR))

    assert street.fates("first", customer="c-1") == ["unclear", "unclear"]


def test_a_look_that_runs_out_says_how_far_it_came(deployment: Deployment, tmp_path: Path) -> None:
    """It does not say that there is nothing, and the door goes on."""
    many = [placed(event_id=f"e-{n}", customer=f"c-{n}") for n in range(3_000)]
    deployment.publish(*many)
    environment = deployment.environment(CARE_CLOCK="system", CARE_INGEST_LOOK_RECORDS="1")
    with (
        open_door(environment, tmp_path) as (_, address),
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        street = Street(deployment, client)
        cut = street.ask("nothing")
        sent = street.send(placed(at=START + timedelta(days=1)))

    assert cut.status_code == 503
    assert cut.json()["type"].endswith(ProblemKind.LOOK_CUT_SHORT)
    assert 0 < cut.json()["looked"]["records"] < 3_000
    assert sent.status_code == 202
