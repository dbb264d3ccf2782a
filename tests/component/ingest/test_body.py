"""A body is read under its limit and never kept beyond it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from fastapi import Request
from starlette.requests import ClientDisconnect

from services.ingest.admission import Admission, Overloaded
from services.ingest.body import DISCARD_BYTES, BodyReader, TooLarge, TooSlow

CHUNK = 1000
Message = dict[str, Any]


class Wire:
    """A client that sends chunk after chunk for as long as somebody reads."""

    def __init__(self, chunks: int | None = None, *, stalls: bool = False) -> None:
        self._chunks = chunks
        self._stalls = stalls
        self.sent = 0

    async def receive(self) -> Message:
        """Return the next chunk."""
        await asyncio.sleep(0)
        if self._chunks is None or self.sent < self._chunks:
            self.sent += 1
            return {"type": "http.request", "body": b"x" * CHUNK, "more_body": True}
        if self._stalls:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    def reader(self, admission: Admission, declared: int | None = None) -> BodyReader:
        """Return a reader of this client's request."""
        headers = [] if declared is None else [(b"content-length", str(declared).encode())]
        scope = {"type": "http", "method": "POST", "headers": headers}
        return BodyReader(Request(scope, self.receive), admission)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_a_body_is_read_whole_and_holds_room_until_it_is_closed() -> None:
    async def check() -> None:
        admission = Admission(0, 10 * CHUNK)
        reader = Wire(chunks=5).reader(admission)

        assert await reader.read(5 * CHUNK, 5) == b"x" * 5 * CHUNK
        assert admission.bytes == 5 * CHUNK
        reader.close()
        reader.close()
        assert admission.bytes == 0

    run(check)


def test_an_endless_body_is_cut_off_at_its_limit() -> None:
    async def check() -> None:
        wire = Wire()
        reader = wire.reader(Admission(0, 10**9))

        with pytest.raises(TooLarge) as refused:
            await reader.read(5 * CHUNK, 5)

        assert (refused.value.limit, wire.sent) == (5 * CHUNK, 6)
        await reader.discard()
        assert wire.sent * CHUNK <= DISCARD_BYTES + 8 * CHUNK

    run(check)


def test_a_declared_length_beyond_the_limit_is_refused_before_a_byte_is_read() -> None:
    async def check() -> None:
        wire = Wire(chunks=1)

        with pytest.raises(TooLarge):
            await wire.reader(Admission(0, 10**9), declared=CHUNK).read(CHUNK - 1, 5)

        assert wire.sent == 0

    run(check)


@pytest.mark.parametrize("declared", ["-1", "x", "٣", "", "1e9"])
def test_a_senseless_length_is_no_way_around_the_limit(declared: str) -> None:
    async def check() -> None:
        headers = [(b"content-length", declared.encode())]
        scope = {"type": "http", "method": "POST", "headers": headers}
        reader = BodyReader(Request(scope, Wire().receive), Admission(0, 10**9))

        with pytest.raises(TooLarge):
            await reader.read(5 * CHUNK, 5)

    run(check)


def test_bytes_without_room_are_not_taken() -> None:
    async def check() -> None:
        admission = Admission(0, 3 * CHUNK)
        wire = Wire()
        reader = wire.reader(admission)

        with pytest.raises(Overloaded):
            await reader.read(100 * CHUNK, 5)

        assert (wire.sent, admission.bytes) == (4, 3 * CHUNK)
        reader.close()
        assert admission.bytes == 0

    run(check)


def test_a_stalled_body_is_given_up() -> None:
    async def check() -> None:
        reader = Wire(chunks=2, stalls=True).reader(Admission(0, 10**9))

        with pytest.raises(TooSlow):
            await reader.read(100 * CHUNK, 0.05)

        await reader.discard()

    run(check)


def test_a_client_that_hangs_up_is_no_error_while_its_body_is_dropped() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def check() -> None:
        scope = {"type": "http", "method": "POST", "headers": []}
        with pytest.raises(ClientDisconnect):
            await BodyReader(Request(scope, gone), Admission(0, 10**9)).read(CHUNK, 5)

        await BodyReader(Request(scope, gone), Admission(0, 10**9)).discard()

    run(check)
