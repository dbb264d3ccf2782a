"""A webhook through a running ingest onto a real Kafka; one that is not signed leaves nothing."""

import json
from pathlib import Path

import httpx
import pytest

from services.contracts.topics import DELIVERIES, OUTSIDE
from services.kit.records import read_event
from tests.support.door import open_door
from tests.support.topics import Deployment
from tests.unit.ingest.adapters import examples, sealed

pytestmark = pytest.mark.connected


def test_a_signed_webhook_is_on_its_topic_and_a_forged_one_is_not(
    deployment: Deployment, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(sealed.SECRET)
    environment = deployment.environment(
        CARE_CLOCK="system", CARE_INGEST_AFTERSHIP_SECRET_FILE=str(secret)
    )
    raw = json.dumps(examples.aftership()).encode()
    with (
        open_door(environment, tmp_path) as (service, address),
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        statuses = [
            client.post(path, content=raw, headers=headers).status_code
            for path, headers in (
                ("/v1/webhooks/aftership", sealed.aftership(raw)),
                ("/v1/webhooks/aftership", sealed.aftership(raw, sealed.OTHER)),
                ("/v1/webhooks/shopify", sealed.shopify(raw)),
            )
        ]
        assert service.terminate() == 0
        told = service.output()

    assert statuses == [200, 401, 404]
    assert sum(len(deployment.records(topic)) for topic in OUTSIDE) == 4
    for record in deployment.records(DELIVERIES):
        event = read_event(DELIVERIES, record.key, record.value, record.headers)
        assert (event.source, event.customer_id) == ("/adapters/aftership", "c-1042")
    assert "c-1042" not in told
