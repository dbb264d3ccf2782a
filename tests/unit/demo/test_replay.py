"""The replayer: time first, then events, then the tick, then everybody's echo."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from services.contracts.stream import Barrier
from services.contracts.topics import PURCHASES
from services.demo.replay import Moments, Replayer, Step
from services.demo.steps import MAX_LEAP
from services.shop.timeline import Batch, Mail, Poison, Publication, Reel

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Rehearsal:
    """World, door, time and letter box in one, writing down what happens in which order."""

    at: Sequence[datetime]
    end: datetime = START + timedelta(hours=48)
    own_work: dict[datetime, datetime] = field(default_factory=dict)
    """Tick → when a service has work again."""
    mails: dict[datetime, list[Mail]] = field(default_factory=dict)
    poison: tuple[Poison, ...] = ()
    diary: list[tuple[str, object]] = field(default_factory=list)
    start: datetime = START
    _now: datetime = START

    def __post_init__(self) -> None:
        items = tuple(Publication(at, f"e{n}", b"{}") for n, at in enumerate(self.at))
        self._reel = Reel(items, self.poison)

    def next_at(self) -> datetime | None:
        return self._reel.next_at()

    def advance(self, until: datetime, mails: Sequence[Mail]) -> Batch:
        self.diary.append(("read", tuple(mails)))
        return self._reel.take(until)

    def publish(self, publications: Sequence[Publication]) -> None:
        self.diary += [("event", p.at) for p in publications]

    def spoil(self, poison: Sequence[Poison]) -> None:
        self.diary += [("poison", p.at) for p in poison]

    def write(self, number: int, at: datetime) -> str:
        self.diary.append(("tick", (number, at)))
        return f"b-{number}"

    def wait(self, barrier: str, watch: Callable[[], None]) -> list[Barrier]:
        watch()
        self.diary.append(("echo", barrier))
        due = self.own_work.get(self._now)
        return [
            Barrier(barrier=barrier, number=0, at=self._now, partition=0, ends={}),
            Barrier(barrier=barrier, number=0, at=self._now, partition=1, ends={}, next_due=due),
        ]

    def set_time(self, now: datetime) -> None:
        self._now = now

    def collect(self) -> list[Mail]:
        return self.mails.pop(self._now, [])

    def play(self, moments: Moments | None = None) -> int:
        return Replayer(self, self, self, self, HOUR, moments or Moments()).run()

    @property
    def ticks(self) -> list[datetime]:
        return [entry[1][1] for entry in self.diary if entry[0] == "tick"]  # type: ignore[index]


def test_time_begins_before_the_first_event() -> None:
    stage = Rehearsal([START])
    stage.play()
    assert stage.diary[0] == ("tick", (0, START))
    assert stage.diary[1] == ("echo", "b-0")
    assert ("event", START) in stage.diary[2:]


def test_each_tick_follows_its_events_and_waits_for_its_echo() -> None:
    stage = Rehearsal([START + HOUR / 2, START + HOUR * 3 / 4, START + 5 * HOUR], START + 5 * HOUR)
    stage.play()
    assert [entry for entry in stage.diary if entry[0] != "read"] == [
        ("tick", (0, START)),
        ("echo", "b-0"),
        ("event", START + HOUR / 2),
        ("event", START + HOUR * 3 / 4),
        ("tick", (1, START + HOUR)),
        ("echo", "b-1"),
        ("event", START + 5 * HOUR),
        ("tick", (2, START + 5 * HOUR)),
        ("echo", "b-2"),
    ]


def test_a_service_with_work_of_its_own_gets_a_tick() -> None:
    stage = Rehearsal([], own_work={START: START + timedelta(hours=3, minutes=30)})
    stage.play()
    assert stage.ticks[1] == START + 4 * HOUR


def test_work_due_at_once_gets_the_next_step_and_time_goes_on() -> None:
    stage = Rehearsal([], START + 3 * HOUR, own_work={START + n * HOUR: START for n in range(3)})
    stage.play()
    assert stage.ticks == [START + n * HOUR for n in range(4)]


def test_what_the_last_step_left_to_be_done_at_once_is_done_at_the_end_but_not_for_ever() -> None:
    end = START + 2 * HOUR
    stage = Rehearsal([], end, own_work={end: end})
    assert stage.play() == len(stage.ticks)
    assert stage.ticks == [START, end, end, end, end]


def test_work_due_after_the_end_is_left_undone() -> None:
    end = START + 2 * HOUR
    stage = Rehearsal([], end, own_work={end: end + HOUR})
    stage.play()
    assert stage.ticks[-1] == end
    assert stage.ticks.count(end) == 1


def test_long_silence_is_crossed_in_leaps_and_time_ends_at_the_end() -> None:
    stage = Rehearsal([], START + timedelta(days=3))
    assert stage.play() == len(stage.ticks) == 1 + timedelta(days=3) // MAX_LEAP
    assert stage.ticks[-1] == stage.end


def test_poison_lies_on_the_topic_before_its_tick() -> None:
    stage = Rehearsal([], poison=(Poison(START + HOUR, PURCHASES, b"k", b"?"),))
    stage.play()
    written = stage.diary.index(("poison", START + HOUR))
    assert stage.diary[written + 1] == ("tick", (1, START + HOUR))


def test_people_read_their_mails_in_the_step_after_they_arrived() -> None:
    mail = Mail("p", "s", "r", START + HOUR)
    stage = Rehearsal([START + HOUR, START + 2 * HOUR], mails={START + HOUR: [mail]})
    stage.play()
    tick = stage.diary.index(("tick", (1, START + HOUR)))
    assert stage.diary[tick + 2] == ("read", (mail,))
    assert [entry for entry in stage.diary if entry == ("read", (mail,))] == [("read", (mail,))]


def test_disturbers_are_called_at_their_moments() -> None:
    called: list[str] = []

    def note(name: str) -> Callable[[Step], None]:
        return lambda step: called.append(f"{name} {step.number}")

    moments = Moments(
        before_events=note("before"),
        after_events=note("published"),
        after_tick=note("ticked"),
        after_echo=note("echoed"),
        while_waiting=lambda: called.append("waiting"),
    )
    Rehearsal([], START + HOUR).play(moments)
    assert called == [
        "published 0", "ticked 0", "waiting", "echoed 0",
        "before 1", "published 1", "ticked 1", "waiting", "echoed 1",
    ]  # fmt: skip


def test_what_the_watch_raises_ends_the_replay() -> None:
    def lost() -> None:
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        Rehearsal([]).play(Moments(while_waiting=lost))
