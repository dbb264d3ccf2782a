"""Requests for a door as fast as it answers, or at a given pace, from a process of their own.

Bodies are made of pieces prepared beforehand, answers are looked at no further than status and length,
so that the client costs little beside the server.  Each event has an id of its own.

    python -m bench.ingest_load --port 8080 --connections 32 --events 100 --seconds 5

Prints `begin` and `end` around what it measures, then one line of JSON.
"""

import asyncio
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import click
import uvloop

from services.contracts.envelope import BATCH, STRUCTURED, Event
from services.contracts.purchases import OrderLine, OrderPlaced

_CUSTOMERS = 240
_DIGITS = 12
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def pieces(source: str) -> list[tuple[bytes, bytes]]:
    """Return the two parts of an event of each customer, around the digits of its id."""
    mark = "0" * _DIGITS
    return [
        (head, tail)
        for number in range(_CUSTOMERS)
        for head, _, tail in [_order(source, mark, number).partition(b"e-" + mark.encode())]
    ]


def _order(source: str, mark: str, number: int) -> bytes:
    lines = tuple(
        OrderLine(product_id=f"sku-{item}", seller_id="s-1", quantity=1, price_minor=4900)
        for item in range(2)
    )
    fact = OrderPlaced(order_id=f"o-{number}", currency="EUR", freight_minor=490, lines=lines)
    return Event[OrderPlaced](
        id=f"e-{mark}",
        source=source,
        type=OrderPlaced.TYPE,
        time=_AT,
        partitionkey=f"customer-{number:06}",
        data=fact,
    ).encode()


def bodies(source: str, events: int) -> Iterator[bytes]:
    """Yield bodies of so many events each, one event as itself and several as a batch, for ever."""
    prepared = pieces(source)
    number = 0
    while True:
        told = []
        for _ in range(events):
            head, tail = prepared[number % _CUSTOMERS]
            told.append(b"%be-%0*d%b" % (head, _DIGITS, number, tail))
            number += 1
        yield told[0] if events == 1 else b"[" + b",".join(told) + b"]"


@dataclass(slots=True)
class Seen:
    """What came back while it was measured."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    is_measuring: bool = False
    is_over: bool = False

    def add(self, status: int, seconds: float) -> None:
        """Note one answer."""
        if self.is_measuring:
            self.statuses[status] += 1
            self.seconds.append(seconds)


class Connection(asyncio.Protocol):
    """One request after the other on one connection."""

    def __init__(
        self, next_request: Callable[[], bytes], seen: Seen, first: float, gap: float
    ) -> None:
        """Send the first at this time of the loop's clock, and one each `gap` seconds; 0: at once."""
        self._next_request = next_request
        self._seen = seen
        self._due = first
        self._gap = gap
        self._began = 0.0
        self._answer = b""
        self._transport: asyncio.Transport
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's is one in all but name.
        self._transport = cast(asyncio.Transport, transport)
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Note a whole answer and go on."""
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end:
            return
        length = _LENGTH.search(head)
        if length is None or len(body) < int(length[1]):
            return
        self._seen.add(int(head[9:12]), time.perf_counter() - self._began)
        self._answer = b""
        self._go_on()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail where it was not we who closed it."""
        if self.finished.done():
            return
        if self._seen.is_over:
            self.finished.set_result(None)
        else:
            self.finished.set_exception(
                error or ConnectionError("the server closed the connection")
            )

    def _go_on(self) -> None:
        if self._seen.is_over:
            self._transport.close()
            return
        loop, due = asyncio.get_running_loop(), self._due
        late = time.perf_counter() - due
        if not self._gap:
            self._send(time.perf_counter())
        elif late >= 0:
            # Who waited for the answer before counts from when it should have been sent.
            self._due += self._gap
            self._send(due)
        else:
            self._due += self._gap
            loop.call_later(-late, self._send_now)

    def _send_now(self) -> None:
        if self._seen.is_over:
            self._transport.close()
        else:
            self._send(time.perf_counter())

    def _send(self, began: float) -> None:
        self._began = began
        self._transport.write(self._next_request())


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent to whom."""

    port: int
    connections: int
    events: int
    """A request."""
    source: str
    key: str | None
    requests_per_second: float | None
    """None: as fast as answers come."""


def _requests(load: Load) -> Iterator[bytes]:
    media_type = STRUCTURED if load.events == 1 else BATCH
    key = f"authorization: Bearer {load.key}\r\n" if load.key else ""
    head = (
        f"POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {media_type}\r\n{key}"
        "content-length: "
    ).encode()
    for body in bodies(load.source, load.events):
        yield b"%b%d\r\n\r\n%b" % (head, len(body), body)


async def run(load: Load, warm_up: float, seconds: float) -> Seen:
    """Return what came back in so many seconds after the warm-up."""
    seen, requests, loop = Seen(), _requests(load), asyncio.get_running_loop()
    pace = load.requests_per_second
    gap = load.connections / pace if pace else 0.0
    begin = time.perf_counter()
    opened = []
    for number in range(load.connections):
        first = begin + (number / pace if pace else 0)

        def made(first: float = first) -> Connection:
            return Connection(lambda: next(requests), seen, first, gap)

        _, connection = await loop.create_connection(made, "127.0.0.1", load.port)
        opened.append(connection)
    await asyncio.sleep(warm_up)
    seen.is_measuring = True
    click.echo("begin")
    await asyncio.sleep(seconds)
    seen.is_measuring = False
    click.echo("end")
    seen.is_over = True
    await asyncio.wait_for(asyncio.gather(*(each.finished for each in opened)), 60)
    return seen


def report(seen: Seen, load: Load, seconds: float) -> dict[str, object]:
    """Return the figures of one run."""
    cuts = statistics.quantiles(seen.seconds, n=1000) if len(seen.seconds) > 1 else [0.0] * 999
    return {
        "statuses": {str(status): count for status, count in sorted(seen.statuses.items())},
        "events_per_second": seen.statuses[202] * load.events / seconds,
        "p50_ms": cuts[499] * 1000,
        "p95_ms": cuts[949] * 1000,
        "p99_ms": cuts[989] * 1000,
    }


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--connections", default=32, show_default=True)
@click.option("--events", default=1, show_default=True, help="A request; more than one: a batch.")
@click.option("--warm-up", default=1.0, show_default=True, help="Seconds before it is measured.")
@click.option("--seconds", default=5.0, show_default=True)
@click.option("--pace", type=float, default=None, help="Requests per second; default: all it can.")
@click.option("--key", envvar="CARE_BENCH_KEY", default=None, help="API key.")
@click.option(
    "--source", default="/shop/bench", show_default=True, help="Of the events: unique in a run."
)
def main(**told: object) -> None:
    """Load a door that listens on this machine."""
    load = Load(
        port=int(str(told["port"])),
        connections=int(str(told["connections"])),
        events=int(str(told["events"])),
        source=str(told["source"]),
        key=str(told["key"]) if told["key"] else None,
        requests_per_second=float(str(told["pace"])) if told["pace"] else None,
    )
    seconds = float(str(told["seconds"]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen = runner.run(run(load, float(str(told["warm_up"])), seconds))
    click.echo(json.dumps(report(seen, load, seconds)))


if __name__ == "__main__":
    main()
