"""In front of every operation: the key, the limits of a body, the headers; counted and logged once.

What only looks needs the scope `outreach:read`, everything else `outreach:act`: an operation that is added
cannot forget to ask.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from traceback import extract_tb

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kit import api_keys, logs
from services.kit.api_keys import Denial, Key, Keys
from services.kit.clock import monotonic
from services.kit.watched_file import WatchedFile
from services.outreach.api import faults
from services.outreach.api.faults import Kind
from services.outreach.api.metering import NO_OPERATION, Meter

READ = "outreach:read"
ACT = "outreach:act"
DOCUMENT = "/v1/openapi.json"
"""Open to everybody: it says nothing that is not in the repository."""
MAX_BODY_BYTES = 16 * 1024
_FRAMES = 5
_LOOKING = frozenset({"GET", "HEAD"})
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

_log = logs.get(__name__)


class _TurnedAway(Exception):
    def __init__(self, kind: Kind, detail: str | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Door:
    """The app behind its door."""

    app: ASGIApp
    keys: WatchedFile[Keys]
    now: Callable[[], datetime]
    """The machine's clock: a key ends in the world's time, also where the deployment's is simulated."""
    meter: Meter
    body_timeout_seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        # What HEAD is answered with is what GET is, but for the body, which the server leaves out.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        inner: Scope = {**scope, "method": method, "state": dict(scope.get("state", {}))}
        started = monotonic()
        # Before the answer leaves, so that whoever has it finds it counted.
        answering = _Answering(
            send, lambda status: self._note(inner, status, monotonic() - started)
        )
        try:
            self._let_in(inner)
            await self.app(inner, await self._body(inner, receive), answering)
        except _TurnedAway as why:
            await faults.answer(why.kind, why.detail)(inner, receive, answering)
        except Exception as error:  # noqa: BLE001 - the last place there is; the app has told its own
            if not answering.has_begun:
                tell(error)
                await faults.answer(Kind.INTERNAL)(inner, receive, answering)

    def _let_in(self, scope: Scope) -> None:
        if scope["path"] == DOCUMENT:
            return
        now = self.now()
        presented = api_keys.presented(Headers(scope=scope))
        key = self.keys.current().find(presented, now)
        if isinstance(key, Denial):
            self.meter.count_denied(key)
            scope["state"]["denial"] = key
            raise _TurnedAway(Kind.UNAUTHENTICATED)
        scope["state"]["key"] = key
        wanted = READ if scope["method"] in _LOOKING else ACT
        if not key.may(wanted):
            self.meter.count_denied(Denial.MISSING_SCOPE)
            scope["state"]["denial"] = Denial.MISSING_SCOPE
            raise _TurnedAway(Kind.FORBIDDEN, f"This needs the scope {wanted}.")

    async def _body(self, scope: Scope, receive: Receive) -> Receive:
        """Return a `receive` that gives the body, which is all there by then."""
        if scope["method"] != "POST":
            return receive
        headers = Headers(scope=scope)
        if not _is_plain_json(headers):
            raise _TurnedAway(Kind.UNSUPPORTED_MEDIA_TYPE)
        try:
            if _declared(headers) > MAX_BODY_BYTES:
                raise _TurnedAway(Kind.TOO_LARGE)
            async with asyncio.timeout(self.body_timeout_seconds):
                body = await _read(scope, receive)
        except (TimeoutError, ClientDisconnect):
            limit = f"The limit is {self.body_timeout_seconds:g} seconds."
            raise _TurnedAway(Kind.TOO_SLOW, limit) from None
        return _giving(body, receive)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        operation = getattr(scope.get("route"), "operation_id", None) or NO_OPERATION
        self.meter.count(operation, status)
        key: Key | None = scope["state"].get("key")
        denial: Denial | None = scope["state"].get("denial")
        _log.info(
            "api_answered",
            operation=operation,
            status=status,
            key_id=key.key_id if key else None,
            client=key.client if key else None,
            **({"denied": denial.value} if denial else {}),
            duration_seconds=round(seconds, 6),
        )


class _Answering:
    """Sends on, adds the headers of every answer, and says which status it has."""

    def __init__(self, send: Send, note: Callable[[int], None]) -> None:
        self._send = send
        self._note = note
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            MutableHeaders(scope=message).update(_HEADERS)
            self._note(message["status"])
        await self._send(message)


async def _read(scope: Scope, receive: Receive) -> bytes:
    body = bytearray()
    async for chunk in Request(scope, receive).stream():
        if len(body) + len(chunk) > MAX_BODY_BYTES:
            raise _TurnedAway(Kind.TOO_LARGE)
        body += chunk
    return bytes(body)


def _giving(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


def _is_plain_json(headers: Headers) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = headers.get("content-encoding", "identity").strip().lower()
    return media_type == "application/json" and encoding == "identity"


def _declared(headers: Headers) -> int:
    declared = headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 19 else 0


def tell(error: Exception) -> None:
    """Log an error by its frames, and never by its message: it could quote the request."""
    frames = [f"{f.filename}:{f.lineno}" for f in extract_tb(error.__traceback__)[-_FRAMES:]]
    _log.error("api_broke", error=type(error).__name__, frames=frames)
