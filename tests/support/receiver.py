"""A real HTTP server on the loopback interface that answers, or misbehaves, as told."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

NAME = "receiver.example"
"""The name in the certificate."""


@cache
def _authority() -> trustme.CA:
    """Signs the certificates of one run of the tests, and of no other."""
    return trustme.CA()


@cache
def _certificate() -> trustme.LeafCert:
    return _authority().issue_cert(NAME)


@dataclass(frozen=True)
class Heard:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[[BaseHTTPRequestHandler, threading.Event], None]
"""Writes the answer; the event says that the test is over."""


@dataclass
class Receiver:
    """What the server heard; `answering` may be changed between requests."""

    answering: Answering
    port: int = 0
    requests: list[Heard] = field(default_factory=list)
    connections: list[str | None] = field(default_factory=list)
    """One for each TLS connection: the name it asked for."""
    over: threading.Event = field(default_factory=threading.Event)


def status(code: int, body: bytes = b"", **headers: str) -> Answering:
    """Answer so; of a header's name `_` is written as `-`."""

    def answer(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang(_: BaseHTTPRequestHandler, over: threading.Event) -> None:
    """Say nothing until the test is over."""
    over.wait()


def break_off(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def say(words: bytes) -> Answering:
    """Answer in these words, and close the connection."""

    def answer(handler: BaseHTTPRequestHandler, _: threading.Event) -> None:
        handler.close_connection = True
        handler.wfile.write(words)

    return answer


def talk_on(beginning: bytes, piece: bytes) -> Answering:
    """Begin, and then go on with pieces until nobody listens or the test is over."""

    def answer(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
        handler.close_connection = True
        try:
            handler.wfile.write(beginning)
            while not over.wait(0.01):
                handler.wfile.write(piece)
        except OSError:
            return

    return answer


TAKES = status(204)


@contextmanager
def receiving(answering: Answering = TAKES, *, tls: bool = False) -> Iterator[Receiver]:
    """Serve; the port is known inside."""
    receiver = Receiver(answering)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(receiver))
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    if tls:
        server.socket = _context(receiver).wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def trusting() -> ssl.SSLContext:
    """Return a context that trusts the server's certificate and no other."""
    return ssl.create_default_context(cadata=_authority().cert_pem.bytes().decode())


def _context(receiver: Receiver) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _certificate().configure_cert(context)

    def note(_: Any, name: str | None, __: Any) -> None:
        receiver.connections.append(name)

    context.sni_callback = note
    return context


def _handler_for(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            # Whoever connects and sends nothing must not hold the server's end up.
            self.connection.settimeout(10)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                # A client may break off in the middle of a handshake or an answer.
                self.close_connection = True

        def finish(self) -> None:
            try:
                super().finish()
            except OSError:
                return

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append(Heard(self.path, headers, body))
            receiver.answering(self, receiver.over)

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler
