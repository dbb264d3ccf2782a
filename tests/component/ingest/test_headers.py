"""A request's head under its limit: over the app alone, and over a real server on loopback."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from services.ingest import headers
from services.ingest.documents import ProblemKind
from services.ingest.headers import MAX_HEAD_BYTES, HeadLimitProtocol
from tests import factories
from tests.component.ingest.fakes import Door, door
from tests.component.ingest.test_api import as_problem, post
from tests.support.topics import wait_for


@pytest.fixture
def up() -> Iterator[Door]:
    with door() as opened:
        yield opened


def test_a_head_beyond_the_limit_is_431(up: Door) -> None:
    body = factories.placed().encode()

    near = post(up, body, x_padding="x" * (MAX_HEAD_BYTES - 1000))
    beyond = post(up, body, x_padding="x" * MAX_HEAD_BYTES)

    assert near.status_code == 202
    assert beyond.status_code == 431
    as_problem(beyond, ProblemKind.HEADERS_TOO_LARGE)
    assert beyond.headers["connection"] == "close"


@contextmanager
def served(up: Door) -> Iterator[tuple[str, int]]:
    """Yield the address of a server with the door's own protocol."""
    config = uvicorn.Config(
        up.client.app,
        port=0,
        lifespan="off",
        log_config=None,
        http=HeadLimitProtocol,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, "the server")
        yield server.servers[0].sockets[0].getsockname()
    finally:
        server.should_exit = True
        thread.join(10)


def test_on_the_wire_an_endless_head_is_431_before_it_ends(up: Door) -> None:
    with served(up) as address:
        endless = talk(address, b"GET /livez HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 20_000)
        whole = talk(
            address, b"GET /livez HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 20_000 + b"\r\n\r\n"
        )
        nonsense = talk(address, b"\x00\r\n\r\n")
        small = talk(address, b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    for answer in (endless, whole):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 431 " in head.splitlines()[0]
        assert json.loads(body)["type"].endswith(ProblemKind.HEADERS_TOO_LARGE)
    assert b" 400 " in nonsense.splitlines()[0]
    assert b" 200 " in small.splitlines()[0]


def talk(address: tuple[str, int], words: bytes) -> bytes:
    """Return all that comes back before the connection ends."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(words)
        heard = b""
        while piece := connection.recv(65_536):
            heard += piece
    return heard


def test_a_head_that_does_not_come_in_time_ends_its_connection(
    up: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "HEAD_SECONDS", 0.2)
    with served(up) as address:
        slow = talk(address, b"GET /livez HTTP/1.1\r\nhost: x\r\nx: ")
        silent = talk(address, b"")
        second = talk(address, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\nGET /li")

    head, _, body = slow.partition(b"\r\n\r\n")
    assert b" 408 " in head.splitlines()[0]
    assert json.loads(body)["type"].endswith(ProblemKind.TOO_SLOW)
    assert silent == b""
    assert second.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in second


def test_a_body_may_take_longer_than_a_head(up: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "HEAD_SECONDS", 0.1)
    words = b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"
    with served(up) as address, socket.create_connection(address, timeout=10) as connection:
        connection.sendall(words + b"{")
        time.sleep(0.5)
        connection.sendall(b"}")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 404 ")
