"""API keys: who may ask a service for what.  Pure; where they are kept is `key_file`'s business.

A key is `care_<keyid>_<secret>`.  The secret is known to its owner alone: kept is its SHA-256, which
needs no slow hash, for a secret of 256 random bits cannot be guessed.
"""

import base64
import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MAX_ACTIVE = 2
"""Keys in force a client may have: the one in use, and the one that is about to replace it."""
SECRET_BYTES = 32
_ID_BYTES = 8
_TEXT = re.compile(r"care_([a-z0-9]{8,32})_([A-Za-z0-9_-]{43,128})")
_NOBODYS = hashlib.sha256(b"").hexdigest()
"""Compared with where there is no such key, so that it takes as long to say no."""

Draw = Callable[[int], bytes]
"""Returns so many random bytes."""


class Denial(StrEnum):
    """Why somebody is not let in; for logs and counters, never for the caller."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a reason
    REVOKED = "revoked"
    EXPIRED = "expired"
    MISSING_SCOPE = "missing_scope"


class TooManyKeys(Exception):
    """A client would have more keys in force than it may; the message says which client."""

    def __init__(self, client: str) -> None:
        super().__init__(
            f"client {client} has more than {MAX_ACTIVE} keys in force: revoke one of them"
        )


@dataclass(frozen=True, slots=True)
class Key:
    """One key, without its secret."""

    key_id: str
    client: str
    sha256: str
    """Of the secret, in hexadecimal."""
    scopes: tuple[str, ...]
    not_after: datetime | None = None
    """From this instant on it opens nothing; None: it does not end by itself."""
    revoked: bool = False
    events_per_second: float | None = None
    """How many events its client may publish; None: as the service has it."""
    burst: int | None = None
    """How many at once; None: likewise."""

    def is_active(self, now: datetime) -> bool:
        """Return whether it is in force."""
        return not self.revoked and (self.not_after is None or now < self.not_after)

    def may(self, scope: str) -> bool:
        """Return whether it was given this scope, see `grants`."""
        return any(grants(given, scope) for given in self.scopes)


def grants(given: str, wanted: str) -> bool:
    """Return whether a scope that was given covers the one wanted: the same, or up to a trailing `*`."""
    if given.endswith("*"):
        return wanted.startswith(given[:-1])
    return given == wanted


class Keys:
    """The keys of one file.

    Raises:
        TooManyKeys: of one client more than `MAX_ACTIVE` are in force at `now`.
    """

    def __init__(self, keys: Iterable[Key], now: datetime) -> None:
        self.all = tuple(keys)
        self._by_id: Mapping[str, Key] = {key.key_id: key for key in self.all}
        active = Counter(key.client for key in self.all if key.is_active(now))
        for client, count in sorted(active.items()):
            if count > MAX_ACTIVE:
                raise TooManyKeys(client)

    def find(self, text: str | None, now: datetime) -> Key | Denial:
        """Return the key that this text is, or why it opens nothing.

        Whether the id or the secret is wrong takes the same time.

        Args:
            text: As it was presented; None: nothing was.
            now: The instant.
        """
        if text is None:
            return Denial.MISSING
        parts = _TEXT.fullmatch(text)
        if parts is None:
            return Denial.MALFORMED
        key = self._by_id.get(parts[1])
        expected = _NOBODYS if key is None else key.sha256
        is_right = hmac.compare_digest(_hashed(parts[2]), expected)
        if key is None:
            return Denial.UNKNOWN
        return _judged(key, now) if is_right else Denial.WRONG_SECRET

    def named(self, text: str) -> Key | None:
        """Return the key whose id this text has; whether its secret is right is not asked."""
        parts = _TEXT.fullmatch(text)
        return None if parts is None else self._by_id.get(parts[1])


def _judged(key: Key, now: datetime) -> Key | Denial:
    # Told apart only for who has the secret: nobody learns from it which ids there were.
    if key.revoked:
        return Denial.REVOKED
    return key if key.is_active(now) else Denial.EXPIRED


def presented(headers: Mapping[str, str]) -> str | None:
    """Return the key in these headers (names in lower case): `x-api-key`, or a bearer's token."""
    plain = headers.get("x-api-key")
    if plain is not None:
        return plain.strip()
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def made(
    draw: Draw, client: str, scopes: Iterable[str], not_after: datetime | None = None
) -> tuple[Key, str]:
    """Return a new key, and the text of it that nobody can tell again."""
    key_id = draw(_ID_BYTES).hex()
    secret = base64.urlsafe_b64encode(draw(SECRET_BYTES)).rstrip(b"=").decode()
    key = Key(key_id, client, _hashed(secret), tuple(scopes), not_after)
    return key, f"care_{key_id}_{secret}"


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
