"""Real time: one thread reads, one decides and sends, one publishes; the database is between them."""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from kafka.errors import KafkaError
from sqlalchemy import Engine

from services.contracts.people import Channel
from services.kit.clock import Clock, monotonic
from services.kit.exits import Unavailable
from services.outreach import agenda, ledger, reconciliation
from services.outreach.agenda import Scope
from services.outreach.batch import Batch
from services.outreach.channels.breaker import Breaker, Phase
from services.outreach.group import Membership
from services.outreach.heard import HEARD
from services.outreach.hearing import LOOK_EVERY_SECONDS, Hearing
from services.outreach.outbox import NotPublished, Publisher
from services.outreach.positions import Superseded
from services.outreach.presence import Presence
from services.outreach.said import Gap
from services.outreach.sender import Outbound, Sender
from services.outreach.telling import log_decisions, span_of_decisions

_POLL_MS = 200
_LOOK_EVERY_SECONDS = 1.0
_DOUBT_EVERY_SECONDS = 10.0
_SENDS_AT_ONCE = 20


class Repeating:
    """A thread that does its work when woken, or after a while; its first error is kept.

    Work that returns seconds wants to be done again as soon as that; it is not put off by it.
    """

    def __init__(self, name: str, work: Callable[[], float | None], every_seconds: float) -> None:
        self._work = work
        self._every_seconds = every_seconds
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> "Repeating":
        """Begin; return itself."""
        self._thread.start()
        return self

    def wake(self) -> None:
        """Do the work soon."""
        self._wake.set()

    def close(self, timeout_seconds: float) -> None:
        """Finish what is under way and stop."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout_seconds)

    @property
    def is_stopping(self) -> bool:
        """Whether long work should come to its end."""
        return self._stop.is_set()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                sooner = self._work()
                wait = self._every_seconds if sooner is None else min(sooner, self._every_seconds)
                self._wake.wait(wait)
                self._wake.clear()
        except BaseException as error:  # noqa: BLE001 - the main thread raises it again
            self.failure = error


class LiveLoop:
    """Reads in `turn`, and keeps the other two threads at work.  `turn` is for one thread."""

    def __init__(
        self,
        engine: Engine,
        membership: Membership,
        publisher: Publisher,
        outbound: Outbound,
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
        hearing: Hearing | None = None,
    ) -> None:
        """Start every thread; `hearing` is what `outbound` asks, and is kept up to date here."""
        self._engine = engine
        self._membership = membership
        self._publisher = publisher
        self._out = outbound
        self._clock = clock
        self._log = log
        self._presence = Presence(engine, outbound.owner)
        self._doubted_at: float | None = None
        self._is_broker_away = False
        """Whether the last attempt to publish failed: then leaving does not wait for another."""
        self._dispatching = Repeating("dispatch", self._dispatch, _LOOK_EVERY_SECONDS)
        self._senders = {
            by: Sender(
                engine,
                outbound,
                log,
                (by,),
                Breaker(outbound.patience(by)),
                publisher.publish_now,
                is_patient=False,
            )
            for by in outbound.routes
        }
        self._sending = {
            by: Repeating(f"send by {by}", self._sending_with(one), _LOOK_EVERY_SECONDS)
            for by, one in self._senders.items()
        }
        """A thread for each channel, so that one that is slow delays no other."""
        self._publishing = Repeating("publish", self._publish, _LOOK_EVERY_SECONDS)
        self._hearing = hearing
        self._listening = (
            []
            if hearing is None
            else [Repeating("hear", self._listening_to(hearing), LOOK_EVERY_SECONDS)]
        )
        self.decided_until: datetime | None = None
        # Each wakes others: none begins before all are there.
        for thread in self._threads:
            thread.start()

    def turn(self) -> None:
        """Poll once and commit what came; raises what ended another thread."""
        for thread in self._threads:
            if thread.failure is not None:
                raise thread.failure
        polled = self._membership.poll(_POLL_MS)
        passed = self._membership.passed(HEARD)
        if not polled and not passed:
            return
        batch = Batch(self._clock.now(), self._out.rules, self._out.keys)
        for source, records in polled.items():
            batch.read(source, self._membership.positions[source], records)
        for source, offset in passed.items():
            batch.reach(source, self._membership.positions[source], offset)
        try:
            with self._engine.begin() as connection:
                batch.write(connection)
                batch.advance(connection, self._out.owner)
        except Superseded:
            self._membership.rejoin()
            return
        self._membership.moved(batch.moves.values())
        if self._hearing is not None:
            self._hearing.taken_in(polled)
        self._dispatching.wake()
        self._publishing.wake()

    @property
    def _threads(self) -> tuple[Repeating, ...]:
        return (self._dispatching, self._publishing, *self._sending.values(), *self._listening)

    def circuits(self) -> Mapping[Channel, Phase]:
        """Return where each channel's provider stands; for any thread."""
        now = self._clock.now()
        return {by: sender.phase(now) for by, sender in self._senders.items()}

    def close(self) -> None:
        """Finish the send under way, publish what is committed, and stop."""
        self._dispatching.close(timeout_seconds=60)
        for thread in self._sending.values():
            thread.close(timeout_seconds=60)
        for thread in self._listening:
            thread.close(timeout_seconds=10)
        self._publishing.close(timeout_seconds=30)
        if self._publishing.failure is None and not self._is_broker_away:
            self._publish()
        self._presence.close()

    def _dispatch(self) -> None:
        self._doubt()
        while not self._dispatching.is_stopping and self._decide():
            for thread in self._sending.values():
                thread.wake()

    def _decide(self) -> int:
        scope = Scope(self._membership.partitions, self._out.rules.known_steps)
        now, begun = self._clock.now(), self._out.spans.begin()
        with self._engine.begin() as connection:
            decisions = agenda.decide_due(
                connection, scope, self._out.rules, now, limit=agenda.AT_ONCE
            )
        self.decided_until = now
        if decisions:
            self._out.spans.end(begun, lambda: span_of_decisions(decisions))
            log_decisions(self._log, decisions)
            self._publishing.wake()
        return len(decisions)

    def _sending_with(self, sender: Sender) -> Callable[[], float | None]:
        def is_stopping() -> bool:
            return self._dispatching.is_stopping

        def send() -> float | None:
            # Without the broker no start can be published: one that fails is enough.
            while not is_stopping() and not self._is_broker_away:
                try:
                    sent = sender.send_due(None, self._clock.now, _SENDS_AT_ONCE, is_stopping)
                except NotPublished:
                    self._is_broker_away = True
                    break
                finally:
                    self._publishing.wake()
                if not sent:
                    break
            now = self._clock.now()
            held_until = sender.held_until(now)
            return None if held_until is None else (held_until - now).total_seconds()

        return send

    def _listening_to(self, hearing: Hearing) -> Callable[[], None]:
        def hear() -> None:
            if hearing.look():
                for thread in self._sending.values():
                    thread.wake()

        return hear

    def _doubt(self) -> None:
        if self._doubted_at is not None and monotonic() - self._doubted_at < _DOUBT_EVERY_SECONDS:
            return
        self._doubted_at = monotonic()
        # Without our own lock others would take our sends for abandoned: then it is time to end.
        self._presence.check()
        with self._engine.begin() as connection:
            if reconciliation.is_needed_until_commit(connection):
                return
            doubted = ledger.doubt_ownerless(connection, self._out.owner, self._clock.now())
        if doubted:
            self._log.warning("outreach_unknown", sends=doubted)

    def _publish(self) -> None:
        try:
            self._publisher.publish_all()
            self._is_broker_away = False
        except (KafkaError, Unavailable, Gap) as error:
            self._is_broker_away = True
            # Nothing was deleted: the same records go out when the broker is back.
            self._log.warning("outreach_not_published", error=type(error).__name__)
