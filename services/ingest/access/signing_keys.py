"""The keys that sign an OIDC provider's tokens: fetched beside the loop's work, kept, bounded.

A provider that is away changes nothing for whoever has a token signed with a key that is known.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from services.ingest.access.callers import Denied, Reason
from services.kit import logs

FRESH_SECONDS = 600.0
"""After this long they are fetched anew, while those that are known go on."""
USABLE_SECONDS = 24 * 3600.0
"""After this long without an answer of the provider they are believed no more."""
LEAST_PAUSE_SECONDS = 60.0
"""Between two fetches while keys are known, however many tokens name others."""
FIRST_PAUSE_SECONDS = 2.0
"""The same while none are."""
MAX_DOCUMENT_BYTES = 256 * 1024
MAX_KEYS = 100

Fetch = Callable[[], Awaitable[bytes]]
"""Returns the document of keys (RFC 7517); raises `NotFetched`."""

_log = logs.get(__name__)


class NotFetched(Exception):
    """The provider gives no keys; the message says why, in one word or two."""


class SigningKeys:
    """The provider's keys as they are known.  For one loop.

    Args:
        fetch: Asks the provider.
        elapsed: Seconds of a clock that never goes back.
    """

    def __init__(self, fetch: Fetch, elapsed: Callable[[], float]) -> None:
        self._fetch = fetch
        self._elapsed = elapsed
        self._lock = asyncio.Lock()
        self._known: KeySet | None = None
        self._read_at = 0.0
        self._asked_at: float | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> KeySet:
        """Return the keys, among them the one of this id.

        Raises:
            Denied: there is no such key (`unknown`), or no key is known (`issuer_away`).
        """
        if self._usable() is None or not self._has(key_id):
            await self._ask(key_id)
        elif self._age() > FRESH_SECONDS:
            self._renew(key_id)
        known = self._usable()
        if known is None:
            raise Denied(Reason.ISSUER_AWAY, int(FIRST_PAUSE_SECONDS))
        if not self._has(key_id):
            raise Denied(Reason.UNKNOWN)
        return known

    async def begin(self) -> None:
        """Ask for them once; a provider that is away is told in the log and asked again later."""
        await self._ask("")

    async def close(self) -> None:
        """End what is under way."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    def _usable(self) -> KeySet | None:
        return self._known if self._age() <= USABLE_SECONDS else None

    def _age(self) -> float:
        return self._elapsed() - self._read_at

    def _has(self, key_id: str) -> bool:
        return self._known is not None and any(key.kid == key_id for key in self._known)

    def _renew(self, key_id: str) -> None:
        if self._may_ask() and (self._renewing is None or self._renewing.done()):
            self._renewing = asyncio.create_task(self._ask(key_id, even_if_known=True))

    def _may_ask(self) -> bool:
        pause = FIRST_PAUSE_SECONDS if self._usable() is None else LEAST_PAUSE_SECONDS
        return self._asked_at is None or self._elapsed() - self._asked_at >= pause

    async def _ask(self, key_id: str, *, even_if_known: bool = False) -> None:
        async with self._lock:
            # Whoever waited for the lock finds what the one before has fetched.
            is_known = self._usable() is not None and self._has(key_id)
            if (is_known and not even_if_known) or not self._may_ask():
                return
            self._asked_at = self._elapsed()
            try:
                known = keys_in(await self._fetch())
            except NotFetched as error:
                _log.warning("signing_keys_not_fetched", because=str(error))
                return
            self._known, self._read_at = known, self._elapsed()
            _log.info("signing_keys_fetched", keys=len(known.keys))


def keys_in(document: bytes) -> KeySet:
    """Return the keys that can be used and have an id; what is not understood is passed over.

    Raises:
        NotFetched: it is no document of keys, or none of them can be used.
    """
    try:
        told = json.loads(document)["keys"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise NotFetched("no document of keys") from None
    found = [_key(each) for each in told[:MAX_KEYS]] if isinstance(told, list) else []
    keys = [key for key in found if key is not None]
    if not keys:
        raise NotFetched("no key that can be used")
    return KeySet(keys)


def _key(told: object) -> Key | None:
    if not (isinstance(told, dict) and isinstance(told.get("kid"), str)):
        return None
    try:
        key = JWKRegistry.import_key(told)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    # A secret in a public document is no secret.
    return None if key.key_type == "oct" else key
