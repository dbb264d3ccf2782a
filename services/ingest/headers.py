"""A request's head under its limit: what is larger is refused before anything of it is kept.

Two places, because h11 looks at the size of a head only while it is incomplete: one that comes whole
in one piece gets through it and is stopped by the middleware.
"""

from dataclasses import replace

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.ingest import answers
from services.ingest.answers import Answer
from services.ingest.documents import ProblemKind

MAX_HEAD_BYTES = 16 * 1024
"""Of the request line and all headers together."""


def too_large() -> Answer:
    """Return 431; the connection ends with it, for nobody reads the body."""
    detail = f"The limit is {MAX_HEAD_BYTES} bytes for the request line and all headers."
    answer = answers.problem(ProblemKind.HEADERS_TOO_LARGE, detail)
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
    """uvicorn's protocol, which says 431 and not 400 where h11 gave up on an endless head."""

    def send_400_response(self, msg: str) -> None:
        """Answer what could not be read, and close the connection."""
        if len(self.conn.trailing_data[0]) <= MAX_HEAD_BYTES:
            super().send_400_response(msg)
            return
        answer = too_large()
        response = h11.Response(status_code=int(answer.status), headers=_headers(answer))
        for event in (response, h11.Data(data=answer.body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _headers(answer: Answer) -> list[tuple[str, str]]:
    length = str(len(answer.body))
    told = {"content-type": answer.media_type, "content-length": length, **answer.headers}
    return list(told.items())


def _size(scope: Scope) -> int:
    line = len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))
    return line + sum(len(name) + len(value) + len(b": \r\n") for name, value in scope["headers"])
