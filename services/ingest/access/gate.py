"""In front of every event: who sends it, whether they may, and how much of it.

A visit is one request.  `enter` looks at the headers alone, before a byte of the body is read; a signed
webhook is believed once its body is there (`see_body`); `admit` looks at each event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil
from types import TracebackType
from typing import Any, Self, overload

from services.contracts.events import Fault
from services.ingest.access import scopes, seals, tokens
from services.ingest.access.callers import Caller, Denied, Method, Reason
from services.ingest.access.counted import OTHER, Counted, counted
from services.ingest.access.publisher_file import Signers
from services.ingest.access.rates import Buckets, Rate
from services.ingest.access.refusals import REFUSED_EVENT
from services.ingest.access.seals import Seal, Taken
from services.ingest.access.signing_keys import SigningKeys
from services.ingest.access.tokens import Issuer
from services.ingest.admission import Overloaded
from services.ingest.answers import Answer
from services.ingest.reading import Readable, Reading, Refused
from services.kit import api_keys
from services.kit.api_keys import Denial, Key, Keys
from services.kit.watched_file import WatchedFile

ANYBODY = Caller(Method.NONE, "anybody", (scopes.EVERYTHING,))
_KEY_PREFIX = "care_"
_OVER = (Denial.REVOKED, Denial.EXPIRED)
"""Told only to who has the secret: of these it is known whose key it was."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What bearer tokens are checked with."""

    issuer: Issuer
    keys: SigningKeys
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The ways in that this deployment has switched on; None: this one is not."""

    now: Callable[[], datetime]
    """The machine's clock: keys and tokens end in the world's time and webhooks are signed in it, whatever
    the deployment's is."""
    elapsed: Callable[[], float]
    rate: Rate
    """Of clients that have none of their own."""
    is_open: bool = False
    """Whether anybody may publish anything."""
    keys: Callable[[], Keys] | None = None
    tokens: Tokens | None = None
    signers: Callable[[], Signers] | None = None
    counted_sources: tuple[str, ...] = ()
    """Sources to be counted by name beside those that the files name."""
    files: tuple[WatchedFile[Any], ...] = ()
    """Where the keys and publishers come from."""
    buckets: Buckets = field(default_factory=Buckets)
    taken: Taken = field(default_factory=Taken)

    def visit(self, headers: Mapping[str, str], client: str | None) -> "Visit":
        """Return a request's visit, to be entered as a context.

        Args:
            headers: Names in lower case.
            client: Which publisher a signed webhook says it is from.
        """
        return Visit(self, headers, client)

    def counted(self) -> Counted:
        """Return which sources and clients are counted by name, as the files are now."""
        keys = self.keys().all if self.keys is not None else ()
        publishers = [key for key in keys if any(map(scopes.is_to_publish, key.scopes))]
        signers = self.signers().values() if self.signers is not None else ()
        everybody = [*publishers, *signers]
        given = [scope for each in everybody for scope in each.scopes]
        return counted(self.counted_sources, given, [each.client for each in everybody])


class Visit:
    """One request on its way in."""

    def __init__(self, gate: Gate, headers: Mapping[str, str], client: str | None) -> None:
        self._gate = gate
        self._headers = headers
        self._named = client or ""
        self._seal: Seal | None = None
        self._taken: bytes | None = None
        self._is_charged = False
        self._counted: Counted | None = None
        self._former: Key | None = None
        """The key that was shown and opens nothing any more."""
        self.caller: Caller | None = None
        """None: not known yet."""

    def __enter__(self) -> Self:
        """Nothing is asked yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let a webhook that came to nothing come again."""
        if self._taken is not None:
            self._gate.taken.give_back(self._taken)

    async def enter(self) -> None:
        """Find out who it is from the headers; a signed webhook's sender is known by its body only.

        Raises:
            Denied: nobody we know, or somebody who has sent too much.
        """
        gate = self._gate
        if gate.is_open:
            self.caller = ANYBODY
        elif gate.signers is not None and seals.SIGNATURE_HEADER in self._headers:
            self._seal = seals.seal_in(self._headers, gate.now())
        else:
            self.caller = await self._presented()
        self._check_rate()

    def see_body(self, raw: bytes) -> None:
        """Check a webhook's signature over its body; others are known by now.

        Raises:
            Denied: it is not signed as it must be, or was taken before, or its sender has sent too much.
            Overloaded: no more webhooks can be remembered at the moment.
        """
        seal, gate = self._seal, self._gate
        if seal is None or gate.signers is None:
            return
        signer = gate.signers().get(self._named)
        seals.check(seal, raw, signer.secrets if signer else ())
        assert signer is not None
        self.caller = Caller(Method.WEBHOOKS, signer.client, signer.scopes, rate=signer.rate)
        self._check_rate()
        try:
            self._taken = gate.taken.take(signer.client, seal, gate.now())
        except seals.Full:
            raise Overloaded from None

    @overload
    def admit(self, found: list[Reading]) -> list[Reading]: ...
    @overload
    def admit(self, found: Reading | list[Reading]) -> Reading | list[Reading]: ...
    def admit(self, found: Reading | list[Reading]) -> Reading | list[Reading]:
        """Return the same, refused what its sender may not publish; all of it counts against its rate.

        Raises:
            Denied: it has sent too much; others of its requests may have come first.
        """
        self._check_rate()
        self._charge(len(found) if isinstance(found, list) else 1)
        if isinstance(found, list):
            return [self._judged(reading) for reading in found]
        return self._judged(found)

    def ask(self, source: str) -> None:
        """Let in who only asks about an event from this source; it counts as one event.

        Raises:
            Denied: no scope covers this source, or it is not known who asks: a signature is over a body.
        """
        if self.caller is None:
            raise Denied(Reason.MALFORMED)
        self._charge(1)
        if not scopes.may_ask_about(self.caller.scopes, source):
            raise Denied(Reason.MISSING_SCOPE)

    def leave(self, answer: Answer) -> Answer:
        """Return the answer with what is said to this caller, and what the log says of it."""
        caller, gate = self.caller, self._gate
        if self._taken is not None and not _comes_again(answer):
            self._taken = None
        if caller is None:
            return answer if self._former is None else _of_key(answer, self._former)
        if not self._is_charged and answer.refused != Reason.RATE_LIMITED:
            # A body that was not even an event costs as much as one.
            self._charge(1)
        names = {**answer.names, "client": caller.client, "key_id": caller.key_id}
        if caller.rate is None:
            return replace(answer, names=names)
        told = gate.buckets.headers(caller.account, caller.rate, gate.elapsed())
        return replace(answer, names=names, headers={**answer.headers, **told})

    def counted_source(self, source: str | None) -> str:
        """Return the name to count something under that came from this source; None: it is not known."""
        caller = self.caller
        return OTHER if caller is None else self._names().source(source, caller.scopes)

    def counted_client(self) -> str:
        """Return the name to count this caller under."""
        if self._former is not None:
            return self._names().client(self._former.client)
        caller = self.caller
        if caller is None or caller.method not in (Method.API_KEYS, Method.WEBHOOKS):
            return OTHER
        return self._names().client(caller.client)

    def _names(self) -> Counted:
        # Once a request: a batch may have hundreds of sources.
        if self._counted is None:
            self._counted = self._gate.counted()
        return self._counted

    async def _presented(self) -> Caller:
        text = api_keys.presented(self._headers)
        if text is None:
            raise Denied(Reason.MISSING)
        if text.startswith(_KEY_PREFIX) or "x-api-key" in self._headers:
            return self._key_holder(text)
        return await self._token_holder(text)

    def _key_holder(self, text: str) -> Caller:
        gate = self._gate
        if gate.keys is None:
            raise Denied(Reason.MALFORMED)
        known = gate.keys()
        key = known.find(text, gate.now())
        if isinstance(key, Denial):
            self._former = known.named(text) if key in _OVER else None
            raise Denied(Reason(key.value))
        rate = Rate(
            key.events_per_second or gate.rate.events_per_second, key.burst or gate.rate.burst
        )
        return Caller(Method.API_KEYS, key.client, key.scopes, key.key_id, rate)

    async def _token_holder(self, text: str) -> Caller:
        gate = self._gate
        if gate.tokens is None:
            raise Denied(Reason.MALFORMED)
        issuer = gate.tokens.issuer
        keys = await gate.tokens.keys.find(tokens.key_id_in(text, issuer))
        return tokens.caller_of(text, keys, issuer, gate.now(), gate.tokens.rate)

    def _check_rate(self) -> None:
        caller, gate = self.caller, self._gate
        if caller is None or caller.rate is None:
            return
        wait = gate.buckets.wait_seconds(caller.account, caller.rate, gate.elapsed())
        if wait > 0:
            raise Denied(Reason.RATE_LIMITED, ceil(wait))

    def _charge(self, events: int) -> None:
        caller, gate = self.caller, self._gate
        self._is_charged = True
        if caller is not None and caller.rate is not None:
            gate.buckets.take(caller.account, caller.rate, gate.elapsed(), events)

    def _judged(self, reading: Reading) -> Reading:
        if not isinstance(reading, Readable):
            return reading
        event = reading.event
        given = self.caller.scopes if self.caller else ()
        if scopes.may_publish(given, event.type, event.source):
            return reading
        detail = f"needs a scope that covers {scopes.PREFIX}{event.type} from this source"
        fault = Fault("", REFUSED_EVENT, detail)
        return Refused(REFUSED_EVENT, (fault,), reading.topic, event.id, event.source)


def _of_key(answer: Answer, key: Key) -> Answer:
    return replace(answer, names={**answer.names, "client": key.client, "key_id": key.key_id})


def _comes_again(answer: Answer) -> bool:
    """Whether the sender is told to send it once more as it is."""
    return answer.status >= 500 or answer.status in (408, 429) or "retry-after" in answer.headers
