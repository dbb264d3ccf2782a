"""A small HTTP server in a thread of its own: /metrics, /livez, /readyz for services without an API."""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a check passed, and why not."""

    ok: bool
    because: str = "ok"


Check = Callable[[], Verdict]


class _QuietHandler(WSGIRequestHandler):
    timeout = 10  # seconds; closes connections that ask nothing

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Probes and scrapes are not worth a line each."""


class _Server(ThreadingMixIn, WSGIServer):
    """A thread per connection: one that says nothing must not keep a probe waiting."""

    daemon_threads = True


class HealthServer:
    """Serves until closed; `address` is where.  Port 0 picks a free one.

    With `exposing`, /metrics answers 503 while that check fails: for series that would be wrong.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        live: Check,
        ready: Check,
        host: str,
        port: int,
        exposing: Check | None = None,
    ) -> None:
        self._metrics = make_wsgi_app(registry)
        self._exposing = exposing
        self._checks = {"/livez": live, "/readyz": ready}
        self._server: WSGIServer = make_server(
            host, port, self._answer, server_class=_Server, handler_class=_QuietHandler
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="health", daemon=True
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        return str(self._server.server_address[0]), int(self._server.server_port)

    def start(self) -> "HealthServer":
        """Begin to serve; return itself."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environment: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "")
        if path == "/metrics":
            verdict = Verdict(True) if self._exposing is None else self._exposing()
            if not verdict.ok:
                return _probe(verdict, start)
            body: Iterable[bytes] = self._metrics(environment, start)
            return body
        check = self._checks.get(path)
        if check is None:
            start("404 Not Found", [("content-type", "text/plain")])
            return [b"try /metrics, /livez or /readyz\n"]
        return _probe(check(), start)


def _probe(verdict: Verdict, start: "StartResponse") -> Iterable[bytes]:
    status = "200 OK" if verdict.ok else "503 Service Unavailable"
    start(status, [("content-type", "application/json")])
    return [json.dumps({"ok": verdict.ok, "because": verdict.because}).encode() + b"\n"]
