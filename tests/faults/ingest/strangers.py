"""Clients that are slow, many, or send far too much: the others are served, the probes stay green."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx

from services.contracts.envelope import BATCH
from services.kit.clock import monotonic
from tests.faults.ingest.scene import MIB, Door, Scene, Watch, batch, opened, outcome
from tests.faults.outreach.outcome import Outcome
from tests.support.door import Tally, publish_for

MEMORY_MIB = 64
LARGE_BYTES = 100 * MIB
_LOST = "connection lost"
_CUT = "cut off"
_HEAD = b"POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\n"
_BODY = _HEAD + b"content-type: application/cloudevents+json\r\ncontent-length: 100000\r\n\r\n"

Act = Callable[[int], Awaitable[str]]
"""What one stranger does; returns how it ended."""


def slow(scene: Scene) -> Outcome:
    """Half of the clients send their head, half their body, at a byte a second."""
    clients, seconds = (200, 22) if scene.quick else (1_000, 40)

    async def one(number: int) -> str:
        return await _trickle(door, _HEAD if number % 2 else _BODY, seconds)

    with opened(scene) as door:
        return _beside_others(scene, door, one, clients, seconds, _none_is_left)


def many(scene: Scene) -> Outcome:
    """Connections that say nothing, opened again each time the door has had enough of them."""
    clients, seconds = (1_000, 6) if scene.quick else (5_000, 30)

    async def one(_: int) -> str:
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(), left)
            writer.close()
        return "held"

    with opened(scene) as door:
        return _beside_others(scene, door, one, clients, seconds, lambda _: [])


def large(scene: Scene) -> Outcome:
    """Bodies of 100 MiB, half of them with their length told, half in pieces of unknown number."""
    began, clients = monotonic(), 4 if scene.quick else 16
    with opened(scene) as door, Watch(door) as watch:
        before = door.rss_mib()
        with ThreadPoolExecutor(clients) as pool:
            ends = Counter(pool.map(lambda number: _send_large(door, number), range(clients)))
        others = publish_for(door.address, batch, 2, 2)
    faults = [
        f"{times} large bodies ended with {end}"
        for end, times in ends.items()
        if end not in {"413", _CUT}
    ]
    faults += _served(others) + _light(watch, before) + watch.faults
    figures = {"bodies": clients, "ends": str(dict(ends)), **watch.figures()}
    return outcome(scene, began, figures, faults)


def _beside_others(
    scene: Scene,
    door: Door,
    act: Act,
    clients: int,
    seconds: int,
    judge: Callable[[Counter[str]], list[str]],
) -> Outcome:
    """Let strangers act while honest publishers publish, and judge both."""
    began, before = monotonic(), door.rss_mib()

    async def everybody() -> list[str]:
        return await asyncio.gather(*(act(number) for number in range(clients)))

    with Watch(door) as watch, ThreadPoolExecutor(1) as pool:
        strangers = pool.submit(asyncio.run, everybody())
        others = publish_for(door.address, batch, seconds - 2, 2)
        ends = Counter(strangers.result())
    figures = {
        "strangers": clients,
        "their ends": str(dict(ends)),
        "events accepted meanwhile": len(others.accepted),
        "memory before, MiB": round(before, 1),
        **watch.figures(),
    }
    return outcome(scene, began, figures, judge(ends) + _served(others) + watch.faults)


async def _trickle(door: Door, said: bytes, seconds: int) -> str:
    """Send this, then a byte a second; return the status of the answer, or that there was none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        writer.write(said)
        for _ in range(seconds):
            await asyncio.sleep(1)
            if reader.at_eof() or (line := await _line(reader)):
                return line.split(" ")[1] if line else "closed"
            writer.write(b"x")
            await writer.drain()
    except OSError:
        return "closed"
    finally:
        writer.close()
    return "still open"


async def _line(reader: asyncio.StreamReader) -> str:
    try:
        async with asyncio.timeout(0.01):
            return (await reader.readline()).decode("latin-1")
    except TimeoutError:
        return ""


def _none_is_left(ends: Counter[str]) -> list[str]:
    left = ends["still open"]
    return [f"{left} slow clients were still connected in the end"] if left else []


def _send_large(door: Door, number: int) -> str:
    """Send 100 MiB and return the status of the answer."""

    def pieces() -> Iterator[bytes]:
        for _ in range(LARGE_BYTES // MIB):
            yield b" " * MIB

    told = {"content-length": str(LARGE_BYTES)} if number % 2 else {}
    try:
        with httpx.Client(base_url=door.address, timeout=60) as client:
            response = client.post(
                "/v1/events", content=pieces(), headers={"content-type": BATCH, **told}
            )
            return str(response.status_code)
    except httpx.WriteError:
        # The door had answered and closed while the client still wrote, which then cannot read the answer.
        return _CUT
    except httpx.HTTPError as error:
        return f"{_LOST}: {type(error).__name__}"


def _served(others: Tally) -> list[str]:
    if others.answers.keys() == {(202, "")}:
        return []
    return [f"honest publishers were told {others.answers}"]


def _light(watch: Watch, before: float) -> list[str]:
    growth = watch.peak_mib - before
    return [f"its memory grew by {growth:.1f} MiB"] if growth > MEMORY_MIB else []
