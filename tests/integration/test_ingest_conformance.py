"""Ingest as a process on a real Kafka says nothing that its OpenAPI document does not.

`CARE_API_EXAMPLES=1000 pytest tests/integration/test_ingest_conformance.py` asks a thousand times each.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from services import ingest
from services.kit import api_keys, key_file
from tests.support import conformance
from tests.support.door import open_door
from tests.support.topics import Deployment
from tests.unit.kit.test_api_keys import draw

pytestmark = [pytest.mark.connected, pytest.mark.timeout(3600)]

COMMITTED = Path(ingest.__file__).with_name("openapi.json")
REFUSALS = {
    # Dates between 1970 and 2199 and not ahead of the clock, no unknown member: stricter than a schema.
    "POST /v1/events": [400, 422],
    # The topic must be the type's.
    "GET /v1/events/{source}/{id}": [400],
}


def test_every_answer_is_one_that_the_document_names(
    deployment: Deployment, tmp_path: Path
) -> None:
    key, text = api_keys.made(draw(1), "fuzzer", ["publish:*"])
    key_file.write(
        tmp_path / "keys.json", [replace(key, events_per_second=1_000_000, burst=10_000_000)]
    )
    secret = tmp_path / "secret"
    secret.write_text("a secret of a webhook\n", encoding="utf-8")
    environment = deployment.environment(
        CARE_CLOCK="system",
        CARE_INGEST_AUTHENTICATION="api_keys",
        CARE_INGEST_API_KEYS_FILE=str(tmp_path / "keys.json"),
        **{
            f"CARE_INGEST_{name}_SECRET_FILE": str(secret)
            for name in ("AFTERSHIP", "SHOPIFY", "CHATWOOT")
        },
    )
    with open_door(environment, tmp_path) as (service, address):
        conformance.check(address, COMMITTED, text, tmp_path, REFUSALS)
        assert "request_broke" not in service.output()
        assert service.terminate() == 0
