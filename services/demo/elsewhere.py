"""A simulated shop told somewhere else than on a stage: to a file, or to a deployment that runs already."""

import json
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, TextIO

from services.contracts.topics import TICKS, TOPICS
from services.demo.barriers import PATIENCE_SECONDS, Barriers
from services.demo.door import Door, check_open
from services.demo.mail_sink import MailSink
from services.demo.replay import Replayer
from services.demo.steps import next_tick
from services.kit.exits import Unavailable
from services.kit.kafka_admin import check_topics
from services.kit.kafka_clients import end_offsets, open_consumer
from services.shop.shop import Shop
from services.shop.timeline import Batch, Mail, Publication
from services.shop.truth import Truth, line


@dataclass(slots=True)
class Counts:
    """What was said so far."""

    events: int = 0
    """Sent, repeats among them."""
    to_be_refused: int = 0
    """Of those: spoiled on purpose."""
    poison: int = 0
    """Unreadable records beside them; only a deployment gets them."""
    mails: int = 0
    """That reached the shop's customers."""
    intentions: int = 0
    """That had their moment."""
    carried_out: int = 0
    """Of those."""


def _unseen(at: datetime) -> None:
    return


@dataclass(slots=True)
class Observed:
    """A shop whose sayings are counted and whose truth is written down.  A `World`."""

    shop: Shop
    truth: TextIO | None = None
    """Where each truth is written, a line of JSON each."""
    see: Callable[[datetime], None] = _unseen
    """Told how far it has got."""
    counts: Counts = field(default_factory=Counts)

    @property
    def start(self) -> datetime:
        """When the shop opens."""
        return self.shop.start

    @property
    def end(self) -> datetime:
        """When it is over."""
        return self.shop.end

    def next_at(self) -> datetime | None:
        """Return the next instant at which something may be said; None: never again."""
        return self.shop.next_at()

    def advance(self, until: datetime, mails: Sequence[Mail]) -> Batch:
        """Return what the shop says up to and including `until`."""
        batch = self.shop.advance(until, mails)
        counts = self.counts
        counts.mails += len(mails)
        counts.events += len(batch.publications)
        counts.to_be_refused += sum(p.refusable for p in batch.publications)
        counts.poison += len(batch.poison)
        for truth in batch.truth:
            counts.intentions += 1
            counts.carried_out += getattr(truth, "happened", False)
            self._write(truth)
        self.see(until)
        return batch

    def close(self) -> None:
        """Write the truth about each customer, now that all is over."""
        if self.truth is not None:
            for truth in self.shop.customers_truth():
                self._write(truth)

    def _write(self, truth: Truth) -> None:
        if self.truth is not None:
            self.truth.write(line(truth) + "\n")


def tell(world: Observed, out: BinaryIO, step: timedelta) -> None:
    """Write every event with its moment of sending, a line of JSON each; no message reaches anybody."""
    now = world.start
    while now < world.end:
        now = next_tick(now, world.next_at(), start=world.start, end=world.end, step=step)
        out.writelines(map(_line, world.advance(now, ()).publications))
    world.close()


def _line(item: Publication) -> bytes:
    head = {"sent_at": item.at.isoformat(), "to_be_refused": item.refusable}
    # The event is JSON already, and most of the line.
    return json.dumps(head)[:-1].encode() + b', "event": ' + item.body + b"}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A running deployment in simulated time (CARE_CLOCK=ticks) that has had no tick yet."""

    ingest: str
    """Base address of its front door."""
    mail: tuple[str, int]
    """Where the shop's customers get their mail: host and port that outreach is told."""
    bootstrap: str
    prefix: str
    partitions: int
    key: str | None = None
    """The API key that opens ingest; None: it asks for none."""
    patience_seconds: float = PATIENCE_SECONDS

    def check(self) -> None:
        """Return when everything is there.

        Raises:
            Unavailable: Kafka, a topic or ingest is not there, or time has already begun.
        """
        check_topics(self.bootstrap, TOPICS, partitions=self.partitions, prefix=self.prefix)
        consumer = open_consumer(self.bootstrap)
        try:
            ticks = TICKS.physical(self.prefix)
            ends = end_offsets(consumer, [ticks], self.partitions)[ticks]
        finally:
            consumer.close()
        if any(ends):
            raise Unavailable(
                f"time has already begun on {ticks}: a shop needs a deployment that had no tick "
                "yet (another CARE_TOPIC_PREFIX and database, CARE_CLOCK=ticks)"
            )
        check_open(self.ingest)


def play_into(deployment: Deployment, world: Observed, step: timedelta) -> int:
    """Take the shop through its time in this deployment; return the number of ticks.

    Raises:
        Unavailable: something is not there, or time has already begun.
        DoorClosed: ingest refused what is right or took what is wrong.
        NoEcho: a service did not finish a step.
    """
    deployment.check()
    with ExitStack() as stack:
        letters = stack.enter_context(_letter_box(deployment.mail))
        door = Door(
            deployment.ingest, key=deployment.key, patience_seconds=deployment.patience_seconds
        )
        stack.callback(door.close)
        barriers = Barriers(
            deployment.bootstrap,
            prefix=deployment.prefix,
            partitions=deployment.partitions,
            # Nobody may take an echo of another run for one of this.
            run=f"shop-{secrets.token_hex(3)}",
            patience_seconds=deployment.patience_seconds,
        )
        stack.callback(barriers.close)
        ticks = Replayer(world, door, barriers, letters, step).run()
        # What arrived in the last step reaches nobody any more, but it arrived.
        world.counts.mails += len(letters.collect())
    world.close()
    return ticks


@contextmanager
def _letter_box(address: tuple[str, int]) -> Iterator[MailSink]:
    host, port = address
    try:
        # The sink listens in a thread of its own, where nobody would see why it cannot.
        socket.create_server(address).close()
    except OSError as error:
        raise Unavailable(
            f"nobody can listen on {host}:{port} ({error.strerror}): name another address with "
            "--mail and tell outreach so"
        ) from error
    with TemporaryDirectory(prefix="care-mails-") as folder:
        sink = MailSink(Path(folder), host=host, port=port).start()
        try:
            yield sink
        finally:
            sink.close()
