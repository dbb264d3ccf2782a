"""A request's head under its limits: what is larger is refused before anything of it is kept, and what
does not come in time ends its connection.

Two places, because h11 looks at the size of a head only while it is incomplete: one that comes whole
in one piece gets through it and is stopped by the middleware.
"""

import asyncio
from dataclasses import replace
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.ingest import answers
from services.ingest.answers import Answer
from services.ingest.documents import ProblemKind

MAX_HEAD_BYTES = 16 * 1024
"""Of the request line and all headers together."""

HEAD_SECONDS = 10.0
"""How long a head may take at least; twice as long at most.  uvicorn itself would wait for ever."""


def too_large() -> Answer:
    """Return 431; the connection ends with it, for nobody reads the body."""
    detail = f"The limit is {MAX_HEAD_BYTES} bytes for the request line and all headers."
    answer = answers.problem(ProblemKind.HEADERS_TOO_LARGE, detail)
    return replace(answer, headers={"connection": "close"})


def too_slow() -> Answer:
    """Return 408; the connection ends with it."""
    detail = f"The limit is {HEAD_SECONDS:g} seconds for the request line and all headers."
    answer = answers.problem(ProblemKind.TOO_SLOW, detail)
    return replace(answer, headers={"connection": "close"})


class HeadLimit:
    """Middleware: answers 431 to a head that is too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is small enough."""
        if scope["type"] != "http" or _size(scope) <= MAX_HEAD_BYTES:
            await self._app(scope, receive, send)
            return
        answer = too_large()
        headers = [(name.encode(), value.encode()) for name, value in _headers(answer)]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


class HeadLimitProtocol(H11Protocol):
    """uvicorn's protocol, which ends an endless head: 431 where it is too large, 408 where it is too slow."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look whether heads come."""
        super().connection_made(transport)
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._look, self._wait())

    def _look(self, before: object) -> None:
        """End the connection where it is still waiting for the head it waited for before."""
        if before is None or before is not self._wait():
            self._look_later()
        elif not self.transport.is_closing():
            if self.conn.trailing_data[0]:
                self._end_with(too_slow())
            self.transport.close()

    def _wait(self) -> object:
        """Return what stands for the wait for one head; None: none is waited for."""
        is_waiting = self.conn.their_state is h11.IDLE
        # Each request has a scope of its own.
        return (self.scope or self) if is_waiting else None

    def send_400_response(self, msg: str) -> None:
        """Answer what could not be read, and close the connection."""
        if len(self.conn.trailing_data[0]) <= MAX_HEAD_BYTES:
            super().send_400_response(msg)
            return
        self._end_with(too_large())
        self.transport.close()

    def _end_with(self, answer: Answer) -> None:
        response = h11.Response(status_code=int(answer.status), headers=_headers(answer))
        for event in (response, h11.Data(data=answer.body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")


def _headers(answer: Answer) -> list[tuple[str, str]]:
    length = str(len(answer.body))
    told = {"content-type": answer.media_type, "content-length": length, **answer.headers}
    return list(told.items())


def _size(scope: Scope) -> int:
    line = len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))
    return line + sum(len(name) + len(value) + len(b": \r\n") for name, value in scope["headers"])
