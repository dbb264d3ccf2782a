"""The demo's shop, played against the services of a cluster, and what came of it.  Runs in a pod there.

It goes on at its pace until the file `ENOUGH` is there, so that somebody outside can meanwhile do to the
services what is done to services.  Each line that it prints is JSON: a step, and in the end what was found.
"""

import json
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import httpx

from services.contracts.topics import OUTSIDE
from services.demo import gather
from services.demo.barriers import Barriers
from services.demo.door import Door
from services.demo.figures import Report
from services.demo.mail_sink import MailSink
from services.demo.replay import Moments, Replayer, Step
from services.demo.report import Frame, build
from services.demo.tally import Tally, tally
from services.kit.clock import monotonic
from services.kit.topic_reader import TopicReader
from services.shop.parameters import ShopParameters
from services.shop.shop import Shop, open_shop
from services.shop.timeline import Batch, Mail

INGEST, METRICS = "http://ingest:8000", "http://metrics:8000"
KEY = Path("/etc/care/key/key")
ENOUGH = Path("/tmp/enough")
MAIL_PORT = 2525

SEED = 3
SHOP = ShopParameters(customers=200, days=20)
STEP = timedelta(hours=6)
LEAST = timedelta(days=8)
"""By then problems have come and gone, and people were written to."""
LAST_DAY = timedelta(days=1)
PACE_SECONDS = 1.0
KNOCK_SECONDS = 0.25
PATIENCE_SECONDS = 600.0
"""A service may be replaced and a node drained meanwhile, on a machine that does other things too."""

Id = tuple[str, str]
"""Source and id of an event."""


class Remembering(httpx.BaseTransport):
    """Carries requests, and remembers which events were answered with: it is yours, I have it."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.acknowledged: set[Id] = set()
        self.answers: Counter[str] = Counter()
        """Status, or what broke → how often."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on."""
        try:
            response = self._inner.handle_request(request)
            response.read()
        except httpx.TransportError as error:
            self.answers[type(error).__name__] += 1
            raise
        self.answers[str(response.status_code)] += 1
        if response.status_code in (httpx.codes.ACCEPTED, httpx.codes.MULTI_STATUS):
            self._remember(json.loads(request.read()), response.json()["results"])
        return response

    def _remember(self, events: list[Any], results: list[Any]) -> None:
        for event, result in zip(events, results, strict=True):
            if result["status"] in ("accepted", "duplicate"):
                self.acknowledged.add((event["source"], event["id"]))


@dataclass
class Knocking:
    """Opens a connection of its own to ingest again and again: is there always somebody who answers?"""

    ask: Callable[[], httpx.Response] = lambda: httpx.get(f"{INGEST}/livez", timeout=30)
    answers: Counter[str] = field(default_factory=Counter)
    is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Knock until it is over."""
        while not self.is_over.wait(KNOCK_SECONDS):
            try:
                self.answers[str(self.ask().status_code)] += 1
            except httpx.TransportError as error:
                self.answers[type(error).__name__] += 1


class Closing:
    """A shop that closes a day after it is enough.  A `World`."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.start, self.end = shop.start, shop.end

    def next_at(self) -> datetime | None:
        """Return the next instant at which something may be said; None: never again."""
        return self._shop.next_at()

    def advance(self, until: datetime, mails: Sequence[Mail]) -> Batch:
        """Return what the shop says up to and including `until`."""
        if ENOUGH.exists():
            self.end = min(self.end, max(until, self.start + LEAST) + LAST_DAY)
        return self._shop.advance(until, mails)


class Pace:
    """Goes slowly until somebody outside says that it is enough."""

    def __init__(self, shop: Closing, letters: MailSink) -> None:
        self._shop = shop
        self._letters = letters
        self._events = 0

    def after_echo(self, step: Step) -> None:
        """Tell how far it is, and wait a little."""
        self._events += step.events
        told = {"step": step.number, "events": self._events, "mails": len(self._letters.mails)}
        print(json.dumps(told), flush=True)
        until = monotonic() + PACE_SECONDS
        is_last = step.at >= self._shop.end - LAST_DAY
        while not ENOUGH.exists() and (is_last or monotonic() < until):
            sleep(0.1)


@contextmanager
def knocked() -> Iterator[Counter[str]]:
    """Yield how ingest answered to whom knocked meanwhile."""
    knocking = Knocking()
    thread = threading.Thread(target=knocking.run, daemon=True)
    thread.start()
    yield knocking.answers
    knocking.is_over.set()
    thread.join()


def main() -> None:
    """Play, look at what became of everything, and print it as the last line."""
    began, bootstrap = monotonic(), os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    where: Any = {"prefix": "", "partitions": int(os.environ["CARE_PARTITIONS"])}
    shop = Closing(open_shop(SHOP, SEED))
    remembering = Remembering(httpx.HTTPTransport())
    told: Any = {"patience_seconds": PATIENCE_SECONDS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        letters = MailSink(folder, host="0.0.0.0", port=MAIL_PORT).start()
        stack.callback(letters.close)
        key = KEY.read_text(encoding="utf-8")
        door = stack.enter_context(closing(Door(INGEST, key=key, transport=remembering, **told)))
        time = stack.enter_context(closing(Barriers(bootstrap, run="cluster", **where, **told)))
        with knocked() as knocks:
            moments = Moments(after_echo=Pace(shop, letters).after_echo)
            ticks = Replayer(shop, door, time, letters, STEP, moments).run()
        reader = stack.enter_context(closing(TopicReader(bootstrap, **where)))
        report = report_on(shop, reader, tally(letters.mails), ticks, monotonic() - began)
        missing = remembering.acknowledged - found_on(reader)
    found = {
        "report": report.model_dump(mode="json"),
        "faults": report.faults,
        "acknowledged": len(remembering.acknowledged),
        "missing": sorted(missing),
        "answers": remembering.answers,
        "knocks": knocks,
    }
    print(json.dumps(found), flush=True)


def report_on(
    shop: Closing, reader: TopicReader, mails: Tally, ticks: int, seconds: float
) -> Report:
    """Return the demo's own report; it recounts the metrics service's figures, too."""
    evidence = gather.collect(
        reader, database_url=os.environ["DATABASE_URL"], ingest=INGEST, metrics=METRICS, mails=mails
    )
    frame = Frame(
        seed=SEED, source="simulated", start=shop.start, end=shop.end, ticks=ticks,
        wall_seconds=seconds, with_late_orders=False,
        # Each replica counts what came to it alone: what the door says is no evidence here.
        restarts={"ingest": 1},
    )  # fmt: skip
    return build(evidence, frame)


def found_on(reader: TopicReader) -> set[Id]:
    """Return every event that lies on the topics from outside."""
    found = set()
    for _, record in reader.records(OUTSIDE):
        try:
            event = json.loads(record.value or b"null")
            found.add((event["source"], event["id"]))
        except (ValueError, TypeError, KeyError):
            # Tombstones, and what a careless publisher wrote past the door.
            continue
    return found


if __name__ == "__main__":
    main()
