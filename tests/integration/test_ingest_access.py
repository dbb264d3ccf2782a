"""Ingest as a process on a real Kafka: who may not publish leaves nothing on it, and starts nothing."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from services.contracts.envelope import STRUCTURED
from services.contracts.topics import OUTSIDE, PURCHASES
from services.demo.door import Door, DoorClosed
from services.kit import api_keys, key_file
from services.kit.clock import SystemClock
from services.shop.timeline import Publication
from tests import factories
from tests.support.door import open_door
from tests.support.identity_provider import (
    AUDIENCE,
    ISSUER,
    bearer,
    provider,
    resigned,
    signing_key,
    token,
)
from tests.support.service import run_to_end
from tests.support.topics import Deployment
from tests.unit.kit.test_api_keys import draw

pytestmark = pytest.mark.connected

SCOPE = "publish:care.order.*@/shop/*"
SIGNING = signing_key()


def test_every_way_in_publishes_and_every_wrong_one_leaves_nothing(
    deployment: Deployment, tmp_path: Path
) -> None:
    key, text = api_keys.made(draw(1), "shop", [SCOPE])
    path, signers = tmp_path / "keys.json", tmp_path / "publishers.json"
    key_file.write(path, [key])
    secret = "whsec_" + "QUJD" * 10
    publisher = {"client": "erp", "secrets": [secret], "scopes": [SCOPE]}
    signers.write_text(json.dumps({"publishers": [publisher]}))
    event, beyond = factories.placed(), factories.promised()
    now = SystemClock().now()

    def signed(webhook_id: str, ago: int = 0) -> dict[str, str]:
        at = now - timedelta(seconds=ago)
        seal = Webhook(secret).sign(webhook_id, at, event.encode().decode())
        stamp = str(int(at.timestamp()))
        return {"webhook-id": webhook_id, "webhook-timestamp": stamp, "webhook-signature": seal}

    with provider(SIGNING) as found:
        environment = deployment.environment(
            CARE_CLOCK="system",
            CARE_INGEST_AUTHENTICATION="api_keys,oidc,webhooks",
            CARE_INGEST_API_KEYS_FILE=str(path),
            CARE_INGEST_WEBHOOK_SECRETS_FILE=str(signers),
            CARE_INGEST_OIDC_ISSUER=ISSUER,
            CARE_INGEST_OIDC_AUDIENCE=AUDIENCE,
            CARE_INGEST_OIDC_JWKS_URL=found.url,
            # One event comes in every way, and each time it is to be written.
            CARE_INGEST_REMEMBERED_EVENTS="0",
        )
        good = token(SIGNING, now.timestamp())
        over = token(SIGNING, now.timestamp(), exp=int(now.timestamp()) - 100)
        bare = resigned(good, {"alg": "none", "kid": "k-1"})
        asked = [
            (event, {"x-api-key": text}, 202),
            (event, bearer(good), 202),
            (event, signed("msg_1"), 202),
            (event, signed("msg_1"), 401),
            (event, signed("msg_2", ago=310), 401),
            (event, bearer(over), 401),
            (event, bearer(bare), 401),
            (event, {}, 401),
            (beyond, {"x-api-key": text}, 403),
            (beyond, bearer(good), 403),
        ]
        with (
            open_door(environment, tmp_path) as (service, address),
            httpx.Client(base_url=address, timeout=30) as client,
        ):
            statuses = [
                client.post(
                    "/v1/events?client=erp",
                    content=sent.encode(),
                    headers={"content-type": STRUCTURED, **headers},
                ).status_code
                for sent, headers, _ in asked
            ]
            with closing(Door(address, key=text, patience_seconds=10)) as door:
                door.publish([Publication(now, event.id, event.encode(), refusable=False)])
            key_file.write(path, [replace(key, revoked=True)])
            with closing(Door(address, key=text)) as door, pytest.raises(DoorClosed, match="KEY"):
                door.publish([Publication(now, event.id, event.encode(), refusable=False)])
            counted = client.get("/metrics").text
            assert service.terminate() == 0
            told = service.output()

    assert statuses == [status for _, _, status in asked]
    assert len(deployment.records(PURCHASES)) == 4
    assert sum(len(deployment.records(topic)) for topic in OUTSIDE) == 4
    for reason in ("replayed", "stale", "expired", "wrong_algorithm", "missing", "revoked"):
        name = {"replayed": "erp", "revoked": "shop"}.get(reason, "other")
        labels = f'{{client="{name}",reason="{reason}"}}'
        assert f"care_ingest_refused_requests_total{labels} 1.0" in counted, reason
    # By a key, and by a token: whom a token names is written down nowhere here.
    for name in ("shop", "other"):
        labels = f'{{client="{name}",reason="missing_scope"}}'
        assert f"care_ingest_refused_requests_total{labels} 1.0" in counted
    assert '"client": "shop"' in told
    for silent in (text.rpartition("_")[2], secret, good, "canary-person"):
        assert silent not in told


def test_a_door_that_nothing_guards_does_not_open() -> None:
    everywhere = {"CARE_INGEST_AUTHENTICATION": "none", "CARE_INGEST_HOST": "0.0.0.0"}
    for settings, says in (({}, "CARE_INGEST_API_KEYS_FILE"), (everywhere, "CARE_DEPLOYMENT=dev")):
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "CARE_DEPLOYMENT": "production",
            "CARE_LOG_FORMAT": "json",
        }
        ended = run_to_end("ingest", {**environment, **settings}, seconds=30)

        assert ended.returncode == 75, ended.stderr
        assert says in ended.stderr.splitlines()[-1]
        assert "Traceback" not in ended.stderr
