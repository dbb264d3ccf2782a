"""How the gate is opened: what is missing is one line that says what to set, before anything is reached."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ingest.access.opening import fetching, open_gate
from services.ingest.access.signing_keys import NotFetched
from services.ingest.settings import Settings
from services.kit import key_file
from services.kit.exits import Unavailable
from tests.support.identity_provider import AUDIENCE, ISSUER

GUARDED = {"kafka_security_protocol": "SSL"}


def opened(**told: Any) -> bool:
    """Return whether anybody may publish; raises what opening raises."""

    async def run() -> bool:
        async with open_gate(Settings(kafka_bootstrap_servers="127.0.0.1:1", **told)) as gate:
            return gate.is_open

    return asyncio.run(run())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_on_loopback_nobody_need_say_who_they_are(host: str) -> None:
    assert opened(authentication="none", host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "ingest.example"])
def test_elsewhere_the_deployment_must_say_that_it_is_for_development(host: str) -> None:
    with pytest.raises(Unavailable, match=r"care keys create.*CARE_DEPLOYMENT=dev"):
        opened(authentication="none", host=host, deployment="production", **GUARDED)
    assert opened(authentication="none", host=host, deployment="dev")


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({}, "CARE_INGEST_API_KEYS_FILE is not set"),
        ({"authentication": "webhooks"}, "CARE_INGEST_WEBHOOK_SECRETS_FILE is not set"),
        ({"authentication": "oidc"}, "CARE_INGEST_OIDC_ISSUER"),
        ({"api_keys_file": Path("/nowhere/keys.json")}, "care keys create"),
    ],
)
def test_what_is_missing_is_told(told: dict[str, Any], says: str) -> None:
    with pytest.raises(Unavailable, match=says):
        opened(**told)


@pytest.mark.parametrize("url", ["http://login.example/keys", "file:///etc/passwd", "keys"])
def test_keys_are_fetched_over_tls_alone(url: str) -> None:
    told = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_jwks_url": url}
    with pytest.raises(Unavailable, match="https"):
        opened(authentication="oidc", **told)


def test_a_provider_that_is_away_keeps_nobody_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key_file.write(path, [])
    told = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE}

    assert not opened(
        authentication="api_keys,oidc",
        api_keys_file=path,
        oidc_jwks_url="http://127.0.0.1:1",
        **told,
    )


def test_a_provider_that_never_finishes_is_waited_for_no_longer_than_agreed() -> None:
    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.001)

    async def ask() -> None:
        answering = httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping()))
        async with httpx.AsyncClient(transport=answering) as client:
            await fetching(client, "http://127.0.0.1/keys", seconds=0.05)()

    with pytest.raises(NotFetched, match="TimeoutError"):
        asyncio.run(asyncio.wait_for(ask(), 5))


@pytest.mark.parametrize(
    "told",
    [
        {"authentication": ""},
        {"authentication": "api_keys,none"},
        {"authentication": "passwords"},
        {"oidc_algorithms": "HS256"},
        {"oidc_algorithms": "RS256,none"},
        {"oidc_algorithms": ""},
        {"deployment": "test"},
    ],
)
def test_what_would_open_the_door_by_mistake_is_no_setting(told: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Settings(kafka_bootstrap_servers="127.0.0.1:1", **told)  # type: ignore[arg-type]
