"""The real app behind a real HTTP server on the loopback interface, which may misbehave between the two."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Event

import httpx

from services.ingest.settings import Settings
from tests.component.ingest.fakes import Door, door
from tests.support.receiver import Receiver, receiving

_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding"})
Misbehaving = Callable[[BaseHTTPRequestHandler, Event, Callable[[], httpx.Response]], None]
"""Answers; what it may call asks the app."""


@contextmanager
def relayed(
    misbehaving: Misbehaving | None = None, access: Settings | None = None
) -> Iterator[tuple[Door, Receiver, str]]:
    """Yield the app with its fakes, what the server hears, and its address."""
    with door(access=access) as up, receiving() as receiver:

        def answer(handler: BaseHTTPRequestHandler, over: Event) -> None:
            heard = receiver.requests[-1]
            headers = {name: value for name, value in heard.headers.items() if name not in _HOP}

            def ask() -> httpx.Response:
                told: httpx.Response = up.client.post(
                    heard.path, content=heard.body, headers=headers
                )
                return told

            if misbehaving is None:
                tell(handler, ask())
            else:
                misbehaving(handler, over, ask)

        receiver.answering = answer
        yield up, receiver, f"http://127.0.0.1:{receiver.port}"


def tell(handler: BaseHTTPRequestHandler, response: httpx.Response) -> None:
    """Write the app's answer."""
    # The head and the body are two writes: without this the second waits for the first to be acknowledged.
    handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    handler.send_response(response.status_code)
    for name, value in response.headers.items():
        if name not in _HOP:
            handler.send_header(name, value)
    handler.send_header("content-length", str(len(response.content)))
    handler.end_headers()
    handler.wfile.write(response.content)
