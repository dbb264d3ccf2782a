"""Webhooks that a publisher signs itself, after Standard Webhooks.  Pure: secrets and time are arguments.

`webhook-signature` is over `webhook-id`, `webhook-timestamp` and the body
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from services.ingest.access.callers import Denied, Reason

TOLERANCE = timedelta(minutes=5)
"""How far a signed time may be from ours, either way."""
MAX_REMEMBERED = 100_000
MIN_SECRET_BYTES = 24
SIGNATURE_HEADER = "webhook-signature"

_VERSION = "v1,"
_MAX_SIGNATURES = 8
_MAX_ID = 256
_NOBODYS = b"\x00" * MIN_SECRET_BYTES
"""Compared with where there is no such publisher, so that it takes as long to say no."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What the headers of a signed webhook say."""

    id: str
    at: datetime
    signatures: tuple[str, ...]


def seal_in(headers: Mapping[str, str], now: datetime) -> Seal:
    """Return the seal in these headers (names in lower case); no body is needed for that.

    Raises:
        Denied: a header is missing or wrong, or the time is too far from ours.
    """
    webhook_id = headers.get("webhook-id", "")
    stamp = headers.get("webhook-timestamp", "")
    signatures = tuple(headers.get(SIGNATURE_HEADER, "").split(" ")[:_MAX_SIGNATURES])
    is_stamp = stamp.isascii() and stamp.isdigit() and len(stamp) <= 11
    if not (0 < len(webhook_id) <= _MAX_ID and is_stamp):
        raise Denied(Reason.MALFORMED)
    if abs(int(stamp) - now.timestamp()) > TOLERANCE.total_seconds():
        raise Denied(Reason.STALE)
    return Seal(webhook_id, datetime.fromtimestamp(int(stamp), UTC), signatures)


def check(seal: Seal, raw: bytes, secrets: Sequence[bytes]) -> None:
    """Return where one of these secrets made one of the signatures.

    Without a secret it takes as long to say no.

    Raises:
        Denied: none did.
    """
    # The library signs text; what is no UTF-8 is no JSON either, and ends here or at its parser.
    body = raw.decode("utf-8", "replace")
    good = [
        hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
        for expected in [Webhook(key).sign(seal.id, seal.at, body) for key in secrets or [_NOBODYS]]
        for given in seal.signatures
        if given.startswith(_VERSION)
    ]
    if not (secrets and any(good)):
        raise Denied(Reason.WRONG_SECRET)


def key_of(secret: str) -> bytes:
    """Return the key that a secret `whsec_<base64>` holds.

    Raises:
        ValueError: it is none, or shorter than `MIN_SECRET_BYTES`.
    """
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("is no base64") from None
    if not secret.startswith("whsec_") or len(key) < MIN_SECRET_BYTES:
        raise ValueError(f"must be whsec_ and the base64 of {MIN_SECRET_BYTES} bytes or more")
    return key


class Full(Exception):
    """No more webhooks can be remembered now: to take one would let it be replayed."""


class Taken:
    """The webhooks taken while their time is still good; each is taken once.  For one thread only.

    A webhook is known by publisher, id and signed time: who sends it again itself signs the time of that
    attempt and is let in, who replays what it overheard cannot.
    """

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        self._most = most
        self._until: dict[bytes, datetime] = {}
        self._swept_at: datetime | None = None

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._until)

    def take(self, client: str, seal: Seal, now: datetime) -> bytes:
        """Remember this one and return what `give_back` takes.

        Raises:
            Denied: it was taken before, or its time was over before all of it was here.
            Full: there is no room.
        """
        # Looked at with the head already; a body may come long after it, when this one is forgotten.
        if now > seal.at + TOLERANCE:
            raise Denied(Reason.STALE)
        told = f"{client}\n{seal.at.timestamp():.0f}\n{seal.id}"
        name = hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).digest()
        self._sweep(now)
        if name in self._until:
            raise Denied(Reason.REPLAYED)
        if len(self._until) >= self._most:
            raise Full
        self._until[name] = seal.at + TOLERANCE
        return name

    def give_back(self, name: bytes) -> None:
        """Forget one that came to nothing, so that it may come again as it was."""
        self._until.pop(name, None)

    def _sweep(self, now: datetime) -> None:
        # Not each time: it looks at all of them.
        is_due = self._swept_at is None or now - self._swept_at >= timedelta(seconds=10)
        if is_due or now < (self._swept_at or now):
            self._swept_at = now
            self._until = {name: until for name, until in self._until.items() if until >= now}
