"""The gate as the settings say: files read and watched, the provider's keys fetched."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from services.ingest.access import publisher_file
from services.ingest.access.callers import Method
from services.ingest.access.gate import Gate, Tokens
from services.ingest.access.rates import Rate
from services.ingest.access.signing_keys import MAX_DOCUMENT_BYTES, NotFetched, SigningKeys
from services.ingest.access.tokens import Issuer
from services.ingest.settings import Settings
from services.kit import key_file
from services.kit.clock import SystemClock, monotonic
from services.kit.exits import Unavailable

FETCH_SECONDS = 5.0
_PREFIX = "CARE_INGEST_"


@contextlib.asynccontextmanager
async def open_gate(settings: Settings) -> AsyncIterator[Gate]:
    """Yield the gate.

    Raises:
        Unavailable: the settings leave the door open or lack something, or a file cannot be used.
    """
    methods = _methods(settings)
    rate, now = Rate(settings.events_per_second, settings.burst), SystemClock().now
    keys = signers = None
    if Method.API_KEYS in methods:
        keys = key_file.watched(_file(settings.api_keys_file, "API_KEYS_FILE"), now)
    if Method.WEBHOOKS in methods:
        path = _file(settings.webhook_secrets_file, "WEBHOOK_SECRETS_FILE")
        signers = publisher_file.watched(path, rate)
    async with contextlib.AsyncExitStack() as stack:
        tokens = None
        if Method.OIDC in methods:
            tokens = await stack.enter_async_context(_tokens(settings, rate))
        yield Gate(
            now=now,
            elapsed=monotonic,
            rate=rate,
            is_open=Method.NONE in methods,
            keys=None if keys is None else keys.current,
            tokens=tokens,
            signers=None if signers is None else signers.current,
            files=tuple(file for file in (keys, signers) if file is not None),
            counted_sources=tuple(filter(None, settings.counted_sources.split(","))),
        )


def _methods(settings: Settings) -> frozenset[Method]:
    methods = frozenset(Method(name) for name in settings.authentication.split(","))
    if Method.NONE in methods and not (settings.is_for_development or _is_loopback(settings.host)):
        raise Unavailable(
            f"CARE_INGEST_AUTHENTICATION=none lets anybody publish who reaches {settings.host}: make keys "
            "with `care keys create` and set CARE_INGEST_AUTHENTICATION=api_keys and "
            "CARE_INGEST_API_KEYS_FILE, listen on 127.0.0.1, or say CARE_DEPLOYMENT=dev"
        )
    return methods


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _file(path: Path | None, name: str) -> Path:
    if path is None:
        raise Unavailable(
            f"{_PREFIX}{name} is not set, so nobody could publish: name the file (docs/publishing-auth.md), "
            f"or say in {_PREFIX}AUTHENTICATION how publishers show who they are; none: only on loopback"
        )
    return path


@contextlib.asynccontextmanager
async def _tokens(settings: Settings, rate: Rate) -> AsyncIterator[Tokens]:
    issuer, audience = settings.oidc_issuer, settings.oidc_audience
    url = settings.oidc_jwks_url
    if not (issuer and audience and url):
        raise Unavailable(
            f"{_PREFIX}OIDC_ISSUER, {_PREFIX}OIDC_AUDIENCE and {_PREFIX}OIDC_JWKS_URL are needed for "
            f"tokens: set all three, or leave oidc out of {_PREFIX}AUTHENTICATION"
        )
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and _is_loopback(parts.hostname or "")
    ):
        raise Unavailable(f"{_PREFIX}OIDC_JWKS_URL must begin with https://: keys are believed")
    async with httpx.AsyncClient(timeout=FETCH_SECONDS) as client:
        keys = SigningKeys(fetching(client, url), monotonic)
        try:
            await keys.begin()
            algorithms = tuple(settings.oidc_algorithms.split(","))
            yield Tokens(Issuer(issuer, audience, algorithms), keys, rate)
        finally:
            await keys.close()


def fetching(
    client: httpx.AsyncClient, url: str, seconds: float = FETCH_SECONDS
) -> Callable[[], Awaitable[bytes]]:
    """Return what asks this address for its document, all in so many seconds; redirects are not followed."""

    async def fetch() -> bytes:
        document = bytearray()
        try:
            # The client's own limit is for each piece: of those there may be many.
            async with asyncio.timeout(seconds), client.stream("GET", url) as response:
                if response.status_code != httpx.codes.OK:
                    raise NotFetched(f"it answers {response.status_code}")
                async for chunk in response.aiter_bytes():
                    document += chunk
                    if len(document) > MAX_DOCUMENT_BYTES:
                        raise NotFetched(f"more than {MAX_DOCUMENT_BYTES} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise NotFetched(type(error).__name__) from None
        return bytes(document)

    return fetch
