"""Reads, folds, judges, and keeps what it counted, so that a restart shows no smaller counter.

Everything is done in steps.  A step is written down before its first record is folded, so that
whatever was exposed can be counted again exactly: a start takes the last snapshot, repeats the steps
after it, and exposes nothing before it has.  Without a snapshot the topics are folded from their
beginning; what they no longer hold is then not counted, and the first snapshot comes before anything
is exposed.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from prometheus_client.core import Metric as Family

from services.contracts.topics import physical_names
from services.kit import logs
from services.kit.clock import Clock, SystemClock, monotonic
from services.kit.health import Verdict
from services.metrics import exporter, steps
from services.metrics.decode import READ_TOPICS
from services.metrics.intake import Intake
from services.metrics.keeping import Keeper
from services.metrics.state import Rules, State
from services.metrics.steps import Step

STEP_SECONDS = 1.0
"""The least between two steps while little comes: figures need not be newer than a scrape."""

STEP_RECORDS = 20_000
SNAPSHOT_SECONDS = 60.0
SNAPSHOT_SHARE = 20
"""A snapshot that takes long comes the less often: at most one part in so many of the time."""

STUCK_AFTER_SECONDS = 30.0

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the worker does what it need not do at once."""

    step_seconds: float = STEP_SECONDS
    step_records: int = STEP_RECORDS
    snapshot_seconds: float = SNAPSHOT_SECONDS


class Worker:
    """Owns the state.  `begin`, `run` and `turn` are one thread; the verdicts and `families` any."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        keeper: Keeper,
        *,
        partitions: int,
        prefix: str,
        rules: Rules | None = None,
        pace: Pace | None = None,
        clock: Clock | None = None,
        turned: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Know nothing yet; `turned` is told how many seconds each turn took that was no waiting."""
        self._turned = turned
        self._topics = physical_names(READ_TOPICS, prefix)
        self._names = {topic.name: name for name, topic in self._topics.items()}
        self._partitions = partitions
        self._intake = Intake(consumer, self._topics, partitions)
        self._keeper = keeper
        self._pace = pace or Pace()
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._rules = rules or Rules()
        self._state = State()
        self._state.measure_by(self._rules)
        self._positions: dict[TopicPartition, int] = {}
        """Partition → the first offset that is not folded."""
        self._behind: dict[TopicPartition, int] = {}
        """Partition → end seen at the last look, for those not read up to there yet."""
        self._over: datetime | None = None
        """The instant that was over when the ends were looked at."""
        self._repeating: deque[Step] = deque()
        """Steps of the last process that its snapshot does not hold."""
        self._missed: dict[str, int] = {}
        self._folded = 0
        """Records since the start."""
        self._kept: exporter.Kept | None = None
        self._is_kept_anew = False
        """Whether nothing was folded since the last snapshot."""
        self._is_waiting = self._began = self._caught_up = False
        self.turned_at = self._stepped_at = self._kept_at = monotonic()
        self._keeping_took = 0.0

    def begin(self) -> None:
        """Take up where the last process was, and note where each partition ends now.

        Raises:
            Unavailable: a topic was made anew since, or has lost its end.
        """
        with self._waiting_for_the_broker():
            restored = self._keeper.restore()
            self._keeper.take_over()
            # Whatever another process wrote is complete from here on; also its first snapshot.
            restored = restored or self._keeper.restore()
        if restored is not None:
            self._state, self._kept = restored.state, restored.kept
            self._state.measure_by(self._rules)
            self._positions = self._by_place(restored.standing.positions)
            self._repeating.extend(self._keeper.steps(restored.standing.steps_offset))
        self._miss(self._intake.begin(self._positions))
        for step in self._repeating:
            self._intake.refuse_lost(self._ends_of(step))
        self._positions = self._intake.begins() | self._positions
        self._aim()
        self._began = True
        _log.info("begins", from_snapshot=restored is not None, steps=len(self._repeating))

    def run(self, stop: threading.Event) -> None:
        """Fold until told to stop, and keep what was counted.

        Raises:
            Unavailable: a topic was made anew, or another metrics service was started.
        """
        while not stop.is_set():
            self.turn()
            if self._caught_up and self._is_time_to_keep():
                self.keep()
        if self._kept is not None and not self._repeating:
            self.keep()

    def turn(self) -> None:
        """Read on for a moment, and take a step where one is due."""
        wanted = self._repeating[0] if self._repeating else None
        self._miss(self._intake.gather(self._lacking(wanted)))
        begun = monotonic()
        if wanted is None:
            self._step_on()
        elif not self._lacking(wanted):
            self._take(wanted)
            self._repeating.popleft()
        self.turned_at = monotonic()
        self._turned(self.turned_at - begun)

    def keep(self) -> None:
        """Write a snapshot, unless nothing was folded since the last; where it fails, later.

        Raises:
            Unavailable: a topic was made anew, or another metrics service was started.
        """
        if self._is_kept_anew:
            return
        began_at = monotonic()
        with self._waiting_for_the_broker():
            kept = self._keeper.keep(self._state, self._standing(), self._clock.now())
        self._kept_at = monotonic()
        if kept is None:
            return
        self._kept, self._is_kept_anew = kept, True
        self._keeping_took = self._kept_at - began_at
        _log.info("kept", bytes=kept.state_bytes, seconds=round(self._keeping_took, 3))

    def families(self, lags: exporter.Lags, playbooks: tuple[str, ...]) -> list[Family]:
        """Return the series of this moment."""
        with self._lock:
            return exporter.render(self._state, lags, playbooks, self._kept)

    def positions(self) -> dict[TopicPartition, int]:
        """Return the first offset that is not folded, by partition."""
        with self._lock:
            return dict(self._positions)

    def live(self) -> Verdict:
        """Return whether the loop turns; says nothing of the broker."""
        idle = monotonic() - self.turned_at
        if self._is_waiting:
            return Verdict(True, "reads or writes what is kept")
        return Verdict(idle < STUCK_AFTER_SECONDS, f"last turn {idle:.1f} s ago")

    def caught_up(self) -> Verdict:
        """Return whether no count is smaller than it ever was, and the ends seen at start were reached."""
        if not self._began:
            return Verdict(False, "has not begun to read")
        behind = 0 if self._caught_up else len(self._behind)
        return Verdict(
            self._caught_up, f"{behind} partitions not yet read up to their end at start"
        )

    # Steps

    def _step_on(self) -> None:
        idle = monotonic() - self._stepped_at
        is_large = self._intake.ahead >= self._pace.step_records
        is_last = not self._caught_up and not self._lacking(None)
        if idle < self._pace.step_seconds and not is_large and not is_last:
            return
        step = self._next_step()
        if step != Step():
            self._write(step)
            self._take(step)
        self._stepped_at = monotonic()
        self._reach()

    def _next_step(self) -> Step:
        """Return everything gathered as one step; judged behind it is what will be over by then."""
        ends: dict[str, dict[int, int]] = {}
        for place, offset in self._intake.reached.items():
            if offset != self._positions[place]:
                ends.setdefault(self._topics[place.topic].name, {})[place.partition] = offset
        is_over = all(self._intake.reached[place] >= end for place, end in self._behind.items())
        step = Step(ends, self._missed, self._over if is_over and self._is_later() else None)
        self._missed = {}
        return step

    def _is_later(self) -> bool:
        settled = self._state.settled
        return self._over is not None and (settled is None or self._over > settled)

    def _write(self, step: Step) -> None:
        """Write it down, unless nothing was ever exposed that it could change."""
        if self._kept is not None:
            with self._waiting_for_the_broker():
                self._keeper.append(step)

    def _take(self, step: Step) -> None:
        ends = self._ends_of(step)
        taken = self._intake.take(ends)
        records = {(self._topics[p.topic].name, p.partition): found for p, found in taken.items()}
        with self._lock:
            unread = steps.take(self._state, step, records)
            self._positions |= ends
        self._folded += sum(map(len, taken.values()))
        self._is_kept_anew = False
        for place, reasons in unread.items():
            _warn(place, records[place], reasons)

    def _lacking(self, step: Step | None) -> set[TopicPartition]:
        """Return the partitions that must be read on for the step, or to reach the ends seen."""
        wanted = self._behind if step is None else self._ends_of(step)
        return {place for place, end in wanted.items() if self._intake.reached[place] < end}

    @contextmanager
    def _waiting_for_the_broker(self) -> Iterator[None]:
        """An outage is waited out here; it is not this process that is stuck."""
        self._is_waiting = True
        try:
            yield
        finally:
            self.turned_at = monotonic()
            self._is_waiting = False

    # Where time is

    def _aim(self) -> None:
        """Note where every partition ends now, and which instant is over.

        What was said of that instant lies before those ends: once they are reached, nothing that is
        still unread can change what is judged of it.
        """
        over = self._state.over(self._partitions)
        ends = self._intake.ends()
        self._behind = {p: end for p, end in ends.items() if end > self._positions[p]}
        self._over = over

    def _reach(self) -> None:
        for place in [p for p, end in self._behind.items() if self._positions[p] >= end]:
            del self._behind[place]
        if self._behind:
            return
        settled, over = self._state.settled, self._state.over(self._partitions)
        if not self._caught_up and (over is None or settled is not None):
            # Not before the first settling: a restart would show what it has not judged again yet.
            self._catch_up()
        if over != settled:
            self._look_ahead()

    def _catch_up(self) -> None:
        if self._kept is None:
            # From here on steps are written down; they mean something behind a snapshot only.
            self.keep()
        self._caught_up = True
        _log.info("caught_up", partitions=len(self._positions), records=self._folded)

    def _look_ahead(self) -> None:
        try:
            self._aim()
        except (KafkaError, KeyError) as error:
            # The next turn tries again; until then nothing more is judged.
            _log.warning("ends_not_known", error=type(error).__name__)

    # What is kept

    def _is_time_to_keep(self) -> bool:
        pause = max(self._pace.snapshot_seconds, SNAPSHOT_SHARE * self._keeping_took)
        return monotonic() - self._kept_at >= pause

    def _standing(self) -> dict[str, dict[int, int]]:
        standing: dict[str, dict[int, int]] = {}
        for place, offset in self._positions.items():
            standing.setdefault(self._topics[place.topic].name, {})[place.partition] = offset
        return standing

    def _ends_of(self, step: Step) -> dict[TopicPartition, int]:
        return self._by_place(step.ends)

    def _by_place(self, positions: Mapping[str, Mapping[int, int]]) -> dict[TopicPartition, int]:
        return {
            TopicPartition(self._names[topic], partition): offset
            for topic, offsets in positions.items()
            if topic in self._names
            for partition, offset in offsets.items()
        }

    def _miss(self, gone: Mapping[str, int]) -> None:
        for name, offsets in gone.items():
            topic = self._topics[name].name
            self._missed[topic] = self._missed.get(topic, 0) + offsets
            _log.error("records_missed", topic=topic, offsets=offsets, because="retention")


def _warn(place: tuple[str, int], records: list[Any], reasons: Mapping[str, int]) -> None:
    """Say it once for a step: whoever owns the topic dead-letters each record, we only read."""
    _log.warning(
        "records_unreadable",
        topic=place[0],
        partition=place[1],
        from_offset=records[0].offset,
        to_offset=records[-1].offset,
        reasons=dict(reasons),
    )
