"""What `make cluster-test` relies on, without a cluster: its overlay, and those who look on in its story."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from deploy.kubernetes.inspection import settings
from deploy.kubernetes.inspection.every import faults
from tests.cluster import credentials, overlay
from tests.cluster.images import SERVICES, Images
from tests.cluster.inside import story
from tests.cluster.inside.story import Closing, Knocking, Remembering

IMAGES = Images({f"proactive-care/{name}": f"proactive-care/{name}:tried" for name in SERVICES})
START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("has_volumes", "found"),
    [(True, []), (False, ["StatefulSet churn-predictor: its store goes with its pod"])],
)
def test_its_overlay_is_productions_but_for_a_store_without_volumes(
    has_volumes: bool, found: list[str], tmp_path: Path
) -> None:
    product = overlay.product(tmp_path, IMAGES, has_volumes=has_volumes)

    assert faults(product) == found
    for workload in product.ours():
        assert workload.container["imagePullPolicy"] == "Never"
        assert workload.container["image"].endswith(":tried")


def test_every_secret_that_its_pods_wait_for_is_made(tmp_path: Path) -> None:
    product = overlay.product(tmp_path, IMAGES, has_volumes=True)
    made = credentials.made(tmp_path)

    waited_for = settings.secrets(product, lambda _: True)
    assert {"care-topics", "care-operator", "kafka-cluster-ca-cert"} <= {n for n, _ in waited_for}
    assert waited_for <= {(name, key) for name, files in made.items() for key in files}


def carrying(status: int, *statuses: str) -> Remembering:
    """Return what has carried two events that were answered so."""
    answer = {"results": [{"status": each} for each in statuses]}
    remembering = Remembering(httpx.MockTransport(lambda _: httpx.Response(status, json=answer)))
    events = [{"source": "shop", "id": "e-1"}, {"source": "shop", "id": "e-2"}]
    with httpx.Client(transport=remembering) as client:
        assert client.post("http://ingest/v1/events", content=json.dumps(events)).json() == answer
    return remembering


def test_what_was_acknowledged_is_remembered_and_nothing_else() -> None:
    every = {("shop", "e-1"), ("shop", "e-2")}

    assert carrying(202, "accepted", "duplicate").acknowledged == every
    assert carrying(207, "accepted", "rejected").acknowledged == {("shop", "e-1")}
    assert carrying(207, "unknown", "accepted").acknowledged == {("shop", "e-2")}
    assert carrying(503).acknowledged == set()


def test_a_record_that_is_not_on_its_topic_is_missed() -> None:
    lying = [
        SimpleNamespace(value=each) for each in (b'{"source": "shop", "id": "e-1"}', b"{", None)
    ]
    reader: Any = SimpleNamespace(records=lambda _: ((None, each) for each in lying))

    missing = carrying(202, "accepted", "accepted").acknowledged - story.found_on(reader)

    assert missing == {("shop", "e-2")}


def test_a_door_that_nobody_opens_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "KNOCK_SECONDS", 0)

    def ask() -> httpx.Response:
        if knocking.answers.total() == 1:
            knocking.is_over.set()
            raise httpx.ConnectError("refused")
        return httpx.Response(200)

    knocking = Knocking(ask)
    knocking.run()

    assert knocking.answers == {"200": 1, "ConnectError": 1}


@pytest.mark.parametrize(("days", "closes_after"), [(1, 9), (12, 13), (20, 20)])
def test_the_shop_closes_a_day_after_it_is_enough_and_has_had_its_time(
    days: int, closes_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "ENOUGH", tmp_path / "enough")
    shop: Any = SimpleNamespace(
        start=START, end=START + timedelta(days=20), advance=lambda until, mails: None
    )
    closing = Closing(shop)

    closing.advance(START + timedelta(days=days), ())
    assert closing.end == shop.end
    (tmp_path / "enough").touch()
    closing.advance(START + timedelta(days=days), ())

    assert closing.end == START + timedelta(days=closes_after)
