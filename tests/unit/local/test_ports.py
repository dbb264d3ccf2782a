"""Ports are free, stay out of the way of outgoing connections, and are told when taken."""

import socket
from collections.abc import Iterator

import pytest

from services.kit.exits import Unavailable
from services.local import ports
from services.local.ports import LOOPBACK, answers, free_port, is_free, require_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_a_free_port_is_below_those_of_outgoing_connections() -> None:
    assert all(20_000 <= free_port() < 30_000 for _ in range(20))


def test_a_taken_port_is_not_free(taken: int) -> None:
    assert not is_free(taken)


def test_a_wanted_port_that_is_taken_is_told(taken: int) -> None:
    with pytest.raises(Unavailable, match=f"port {taken}, wanted for kafka, is taken"):
        require_free(taken, "kafka")


def test_where_every_port_is_taken_the_message_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: False)

    with pytest.raises(Unavailable, match="no free port"):
        free_port()


def test_who_listens_answers(taken: int) -> None:
    assert answers(f"{LOOPBACK}:{taken}")
    assert answers(f"postgresql://me:secret@{LOOPBACK}:{taken}/care")
    assert not answers(f"{LOOPBACK}:1")
    assert not answers(f"{LOOPBACK}:no-port")


def test_a_unix_socket_is_not_judged() -> None:
    assert answers("postgresql:///care?host=/run/postgresql")
