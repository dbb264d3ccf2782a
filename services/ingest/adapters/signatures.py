"""How each system signs its webhooks.  Pure: the secrets and the time are arguments.

* AfterShip: `aftership-hmac-sha256` is the base64 of HMAC-SHA256 over the body
  (https://www.aftership.com/docs/tracking/webhook/webhook-signature).
* Shopify: `x-shopify-hmac-sha256`, the same way
  (https://shopify.dev/docs/apps/build/webhooks/subscribe/https).
* Chatwoot: `x-chatwoot-signature` is `sha256=` and the hexadecimal HMAC-SHA256 over
  `x-chatwoot-timestamp`, a full stop and the body; the timestamp is in seconds since 1970
  (the schema "Webhook" of Chatwoot's API).

Only Chatwoot signs a time.  Of the others a replay is harmless because its events keep their ids.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from services.ingest.adapters.findings import Headers

TOLERANCE = timedelta(minutes=5)
"""How far a signed time may be from ours, either way."""


class Seal(StrEnum):
    """What a signature says of a body."""

    GOOD = "good"
    BAD = "bad"
    """Missing, malformed, or made with another secret or over another body."""
    STALE = "stale"
    """Good, and too long ago or too far ahead."""


Verify = Callable[[bytes, Headers, Sequence[str], datetime], Seal]
"""Of the raw body, the headers, the secrets of which any will do, and the time."""


def aftership(raw: bytes, headers: Headers, secrets: Sequence[str], _: datetime) -> Seal:
    """Return what AfterShip's signature says."""
    return _matches(headers.get("aftership-hmac-sha256"), raw, secrets, _base64)


def shopify(raw: bytes, headers: Headers, secrets: Sequence[str], _: datetime) -> Seal:
    """Return what Shopify's signature says."""
    return _matches(headers.get("x-shopify-hmac-sha256"), raw, secrets, _base64)


def chatwoot(raw: bytes, headers: Headers, secrets: Sequence[str], now: datetime) -> Seal:
    """Return what Chatwoot's signature says, and whether its time is near."""
    stamp = headers.get("x-chatwoot-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return Seal.BAD
    signed = stamp.encode() + b"." + raw
    seal = _matches(headers.get("x-chatwoot-signature"), signed, secrets, _hexadecimal)
    is_near = abs(int(stamp) - now.timestamp()) <= TOLERANCE.total_seconds()
    return Seal.STALE if seal is Seal.GOOD and not is_near else seal


def _base64(digest: bytes) -> bytes:
    return base64.b64encode(digest)


def _hexadecimal(digest: bytes) -> bytes:
    return b"sha256=" + digest.hex().encode()


def _matches(
    told: str | None, signed: bytes, secrets: Sequence[str], written: Callable[[bytes], bytes]
) -> Seal:
    """Compare in constant time, with every secret: which of them it is shows in no duration."""
    given = (told or "").encode("utf-8", "replace")
    digest = partial(hmac.digest, msg=signed, digest=hashlib.sha256)
    good = [hmac.compare_digest(written(digest(secret.encode())), given) for secret in secrets]
    return Seal.GOOD if any(good) else Seal.BAD
