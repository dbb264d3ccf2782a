"""One partition in memory: records are applied, ticks take effect, outputs and changes come out.

Deterministic and without I/O: the worker gives it records and the time, publishes what it says and
writes its changes to the changelog, all in one transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.churn_predictor import state as st
from services.churn_predictor.asking import collect
from services.churn_predictor.customers import PLAN, Customers, Plan
from services.churn_predictor.decide import Failure, Said, decide, expire
from services.churn_predictor.due import DueIndex, WaitIndex, earliest
from services.churn_predictor.exchange import Exchange, Owners
from services.churn_predictor.feeds import Forgotten, forget, hear, marks
from services.churn_predictor.identities import UNKEYED, Identities, Suppression, note
from services.churn_predictor.keyed import Values
from services.churn_predictor.latency import Undecided
from services.churn_predictor.learning import learn
from services.churn_predictor.outputs import Output, accounts, forgotten, published
from services.churn_predictor.problems import Heard, Moment
from services.churn_predictor.records import Read, Record, read_tick
from services.churn_predictor.rules import Rules
from services.churn_predictor.silence import Listener, Notice, Relays
from services.churn_predictor.state import CustomerState, Episode, PartitionState, SourceState
from services.churn_predictor.trust import read_state, trust
from services.contracts import topics as t
from services.contracts.envelope import BARRIER, JSON, Event
from services.contracts.events import Fault, Unreadable
from services.contracts.stream import Answered, Barrier, Tick
from services.contracts.topics import HORIZON, MAX_FUTURE_SKEW, Topic
from services.contracts.trace_context import of_record

LOOK_AGAIN = timedelta(hours=1)
"""How long a customer for whom a rule failed is left alone.  A restart looks at once."""
_SOURCE_NAMES = frozenset(topic.name for topic in t.TICKED)


@dataclass(frozen=True, slots=True)
class Refused:
    """One record nobody can read, on its way to the dead-letter topic."""

    topic: Topic
    record: Record
    reason: str
    detail: str


class Partition:
    """The predictor's state of one partition number over all its source topics."""

    def __init__(
        self,
        number: int,
        rules: Rules,
        read: Read,
        values: Values,
        listener: Listener,
        owners: Owners,
        suppression: Suppression = UNKEYED,
    ) -> None:
        """Know nothing yet.

        Args:
            number: Its own.
            rules: What is decided by.
            read: Reads events.
            values: Holds what `take_in` is told of.
            listener: Notices which feeds of its own are silent.
            owners: Of what is counted in histories, and of customers.
            suppression: How erased and merged ids are remembered.
        """
        self.number = number
        self.state = PartitionState()
        self.customers = Customers(values)
        self.due = DueIndex()
        self.waiting = WaitIndex()
        self.exchange = Exchange(number, values, owners)
        self.identities = Identities(number, owners, suppression)
        self.failures: list[Failure] = []
        """Rules that failed since the worker last emptied this."""
        self.undecided = Undecided()
        """Events since the worker last took them, once a tick had looked at their customers."""
        self.crowded_out = 0
        """Feeds forgotten because there were too many, since telemetry last counted them."""
        self._rules = rules
        self._read = read
        self._listener = listener
        self._owners = owners
        self._topic_ids: Mapping[str, UUID] = {}
        self._touched: set[str] = set()

    def take_in(self, committed: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Follow what the store already holds: all of it at first, later what somebody else wrote.

        Raises:
            WrittenByNewer: by a version whose state this one does not know.
        """
        for key, value in committed:
            if key == st.partition_key(self.number):
                self.state = PartitionState() if value is None else read_state(value)
            elif self.identities.owns(key):
                self.identities.take_in(key, value)
            elif key.startswith(st.INTERNAL):
                self.exchange.take_in(key, value)
            else:
                self._take_in(key.decode(), None if value is None else PLAN.validate_json(value))

    def _take_in(self, customer_id: str, plan: Plan | None) -> None:
        self.customers.forget(customer_id)
        self.due.plan(customer_id, None if plan is None else plan.due)
        self.waiting.plan(customer_id, {} if plan is None else plan.waits)
        if plan is not None and plan.touched:
            self._touched.add(customer_id)
        else:
            self._touched.discard(customer_id)

    def trust(self, topic_ids: Mapping[str, UUID]) -> None:
        """Go on only if every topic under this state is still the one it was made with.

        Raises:
            Moved: one was made anew since; its offsets mean nothing now.
            LaidOutOtherwise: it was written for another number of partitions.
        """
        trust(self.state, topic_ids, self._owners.partitions)
        self._topic_ids = topic_ids

    def begin(self, topic: Topic, offset: int) -> int:
        """Note where reading of this topic begins, and return how many records were missed.

        Missed are those that retention deleted before they were read: nobody can account for them.
        """
        source = self.state.sources.setdefault(
            topic.name,
            SourceState(self._topic_ids[topic.name], first_offset=offset, next_offset=offset),
        )
        missed = max(0, offset - source.next_offset)
        source.next_offset += missed
        return missed

    def next_offset(self, topic: Topic) -> int | None:
        """Return where to read on in this topic; None: nothing of it was read yet."""
        source = self.state.sources.get(topic.name)
        return None if source is None else source.next_offset

    def apply(
        self, topic: Topic, records: Sequence[Record], ends_at: int, now: datetime | None
    ) -> list[Refused]:
        """Apply records in offset order and return those nobody can read.

        A record below the next offset was applied before and is passed over.

        Args:
            topic: Where they come from.
            records: Of this partition; what they leave out before `ends_at` does not exist.
            ends_at: Where to read on; transaction markers may lie between it and the last record.
            now: The deployment's time, for telling what lies too far ahead; None: not known yet.
        """
        source = self.state.sources[topic.name]
        refused = []
        for record in records:
            if record.offset < source.next_offset:
                continue
            source.take(record.offset)
            try:
                self._apply(topic, source, record, now)
            except Unreadable as error:
                source.dead_lettered += 1
                refused.append(Refused(topic, record, error.reason, str(error)))
        source.reach(ends_at)
        return refused

    def refuse(self, topic: Topic, record: Record, reason: str) -> Refused:
        """Count a record as dead-lettered without looking into it."""
        source = self.state.sources[topic.name]
        source.take(record.offset)
        source.dead_lettered += 1
        return Refused(topic, record, reason, "set aside without being read")

    def ready(self) -> Tick | None:
        """Return the next tick whose records have all been applied, or None."""
        if self.state.pending and all(
            self._has_reached(name, end) for name, end in self.state.pending[0].ends.items()
        ):
            return self.state.pending[0]
        return None

    def advance(
        self, tick: Tick, heard: Heard, known_at: datetime | None, *, relays: Relays = frozenset()
    ) -> Iterator[Output]:
        """Let `tick`, the one that is ready, take effect and yield what is to be published.

        Args:
            tick: The one that is ready.
            heard: Feed → when it was last heard in any partition, as of the tick before.
            known_at: Up to when every partition had said that; None: not known.
            relays: Whose silence is not reported, as of the tick before.
        """
        self.state.pending.remove(tick)
        self.state.number, self.state.at = tick.number, tick.at
        self.state.since = self.state.since or tick.at
        self._collect(self.exchange.hear(tick))
        over = self._arrive(tick)
        yield from self._look(Moment(tick.at, self.state.since, heard, tick.number), over)
        yield from self._letters(tick)
        notices = self._listener.listen(self.state.rhythms, heard, known_at, tick, relays=relays)
        yield from self._feeds(tick, notices)
        yield from accounts(self.state.sources, self.number, tick)
        if tick.barrier is not None:
            yield self._barrier(tick, tick.barrier)

    @property
    def silent_feeds(self) -> frozenset[str]:
        """The feeds that were reported here as silent and not heard since."""
        return frozenset(name for name, known in self.state.rhythms.items() if known.is_silent)

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield key and value of all that changed since the last `settle`; the partition's own last."""
        yield from self.customers.changes()
        yield from self.exchange.changes()
        yield from self.identities.changes()
        yield st.partition_key(self.number), st.PARTITION.dump_json(self.state)

    def settle(self) -> None:
        """Count all changes as committed."""
        self.customers.settle()
        self.exchange.settle()
        self.identities.settle()

    def _apply(
        self, topic: Topic, source: SourceState, record: Record, now: datetime | None
    ) -> None:
        if topic is t.TICKS:
            self._wait_for(read_tick(record, now))
            source.applied += 1
            return
        if topic is t.HISTORIES:
            self.exchange.take(record.offset, record.value)
            source.applied += 1
            return
        if topic is t.MOVES:
            self.identities.take(record.offset, record.value)
            source.applied += 1
            return
        event = self._read(topic, record.key, record.value, record.headers)
        if now is not None and event.time > now + MAX_FUTURE_SKEW:
            raise Unreadable(
                "future", (Fault("/time", "future", "more than 24 h ahead of the clock"),)
            )
        hear(self.state.feeds, event)
        is_too_old = now is not None and event.time < now - HORIZON
        if is_too_old or self.identities.is_forgotten(event):
            source.late += 1
        elif self._learn(event, record):
            source.applied += 1
            self.undecided.add(record.timestamp)
        else:
            source.duplicate += 1

    def _learn(self, event: Event[Any], record: Record) -> bool:
        name = st.digest(event.source, event.id)
        known = self.customers.get(event.customer_id)
        if known is not None and name in known.seen:
            return False
        if known is None and self._owners.of(event.customer_id) != self.number:
            # Whoever wrote it counts other partitions than there are; here the story would be torn apart.
            fault = Fault("/partitionkey", "misplaced", "its key belongs to another partition")
            raise Unreadable("misplaced", (fault,))
        customer = self.customers.change(event.customer_id)
        customer.seen[name] = event.time
        customer.fresh[name] = of_record(event, record.headers).in_one_line
        learn(customer.facts, event)
        note(customer, event)
        customer.touched = True
        self._touched.add(event.customer_id)
        return True

    def _wait_for(self, tick: Tick) -> None:
        pending = self.state.pending
        newest = pending[-1].number if pending else self.state.number
        if newest is not None and tick.number <= newest:
            return
        if tick.barrier is None and len(pending) > 1:
            # The oldest will take effect first; between it and the newest nothing is missed.
            pending.pop()
        pending.append(tick)

    def _has_reached(self, topic_name: str, end: int) -> bool:
        if topic_name not in _SOURCE_NAMES:
            return True
        return self.state.sources[topic_name].next_offset >= end

    def _arrive(self, tick: Tick) -> dict[str, list[Episode]]:
        """Take in who was sent here before this tick; return customer → open problems that are over."""
        over: dict[str, list[Episode]] = {}
        for move in self.identities.due(tick.number):
            customer = self.customers.change(move.customer)
            over.setdefault(move.customer, []).extend(self.identities.receive(customer, move))
            self._touched.add(move.customer)
        return over

    def _look(self, moment: Moment, over: dict[str, list[Episode]]) -> Iterator[Output]:
        due = self.due.take(moment.now).union(self.waiting.take(moment.heard))
        for customer_id in sorted(self._touched | due):
            customer = self.customers.change(customer_id)
            st.forget(customer, moment.now - HORIZON)
            is_here, ended = True, over.get(customer_id, [])
            if self.identities.concerns(customer_id, customer):
                settled = self.identities.settle_one(customer_id, customer, moment.tick)
                is_here, ended = settled.is_here, ended + settled.over
                if settled.is_news:
                    yield from forgotten(customer_id)
            said = expire(customer_id, customer, ended, moment, self._rules)
            if is_here:
                said += self._decide(customer_id, customer, moment)
            is_kept = self._plan(customer_id, customer)
            yield from published(customer_id, customer, said)
            if not customer.touched:
                customer.fresh = {}
            if not is_kept:
                yield from forgotten(customer_id)
        self._touched.clear()

    def _decide(self, customer_id: str, customer: CustomerState, moment: Moment) -> Said:
        """Decide, or say nothing where a rule fails: one customer must not stop all the others."""
        before = dict(customer.episodes), dict(customer.assessed)
        try:
            again = self.exchange.look(customer_id, customer, moment)
            said = decide(customer_id, customer, moment, self._rules)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a rule got wrong, told by the worker
            customer.episodes, customer.assessed = before
            customer.touched, customer.due, customer.waits = True, moment.now + LOOK_AGAIN, {}
            self.failures.append(Failure(customer_id, error))
            return []
        customer.due = earliest(customer.due, again)
        return said

    def _plan(self, customer_id: str, customer: CustomerState) -> bool:
        """Keep the customer until there is something to look at again; return whether anything is kept."""
        expiry = st.expires_at(customer)
        is_kept = expiry is not None or st.has_open_problem(customer)
        if is_kept:
            customer.due = earliest(expiry, customer.due)
        else:
            self.customers.drop(customer_id)
            customer.due, customer.waits = None, {}
        self.due.plan(customer_id, customer.due)
        self.waiting.plan(customer_id, customer.waits)
        return is_kept

    def _feeds(self, tick: Tick, notices: Iterable[Notice | Forgotten]) -> Iterator[Output]:
        """What is to be said of silences, and then, the tick's mark last, what was heard here."""
        gone = forget(self.state.feeds, self.number, tick.at)
        self.crowded_out += sum(1 for each in gone if each.is_crowded_out)
        said_here = marks(self.state.feeds, self.number, tick, self.state.layouts)
        for record in (*notices, *gone, *said_here):
            said = b"" if isinstance(record, Forgotten) else record.model_dump_json().encode()
            yield Output(t.FEEDS, record.key.encode(), said)

    def _collect(self, answers: Iterable[Answered]) -> None:
        for answered in answers:
            known = self.customers.get(answered.customer)
            if known is not None and answered.order in known.asked:
                customer = self.customers.change(answered.customer)
                if collect(customer, answered):
                    customer.touched = True
                    self._touched.add(answered.customer)

    def _letters(self, tick: Tick) -> Iterator[Output]:
        for target, news in self.exchange.letters(tick):
            yield Output(t.HISTORIES, None, news.encode(), JSON, target)
        for target, move in self.identities.letters():
            yield Output(t.MOVES, None, move.encode(), JSON, target)

    def _next_due(self, tick: Tick) -> datetime | None:
        if self.exchange.has_spoken or self.identities.has_spoken:
            # What was told now counts at the next tick: there must be one.
            return tick.at
        return earliest(self.due.next(), self._listener.next_at(self.state.rhythms))

    def _barrier(self, tick: Tick, barrier: str) -> Output:
        reached = Barrier(
            barrier=barrier,
            number=tick.number,
            at=tick.at,
            partition=self.number,
            ends=tick.ends,
            next_due=self._next_due(tick),
        )
        return Output(t.PROBLEMS, None, reached.encode(), BARRIER)
