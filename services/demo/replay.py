"""The replayer: owns simulated time and takes a world through it, one barrier after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.contracts.stream import Barrier
from services.demo.steps import next_tick
from services.shop.timeline import Mail, Poison, Publication, World

_SETTLING = 3
"""Most ticks at the end's own instant: what is told at one is answered at the next and used at a third."""


class EntranceDoor(Protocol):
    """Takes events; see `door.Door`."""

    def publish(self, publications: Sequence[Publication]) -> None:
        """Return when every one has its answer."""
        ...


class TimeKeeper(Protocol):
    """Writes ticks and waits for their echoes; see `barriers.Barriers`."""

    def spoil(self, poison: Sequence[Poison]) -> None:
        """Write unreadable records past the door."""
        ...

    def write(self, number: int, at: datetime) -> str:
        """Write one tick to every partition; return the barrier's name."""
        ...

    def wait(self, barrier: str, watch: Callable[[], None]) -> list[Barrier]:
        """Return the echoes of every partition."""
        ...


class LetterBox(Protocol):
    """Where mails arrive; see `mail_sink.MailSink`."""

    def set_time(self, now: datetime) -> None:
        """Mails that arrive from now on arrive at this simulated time."""
        ...

    def collect(self) -> list[Mail]:
        """Return what arrived since the last call, in an order of its own."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One step on its way: for progress and for tests that disturb it."""

    number: int
    at: datetime
    events: int
    """Published in this step."""


def _nothing(step: Step) -> None:
    return


def _no_watch() -> None:
    return


@dataclass(frozen=True, slots=True)
class Moments:
    """Called on the way through each step; whatever they raise ends the replay."""

    before_events: Callable[[Step], None] = _nothing
    after_events: Callable[[Step], None] = _nothing
    """Everything is acknowledged, the tick not yet written."""
    after_tick: Callable[[Step], None] = _nothing
    """The services are at work."""
    after_echo: Callable[[Step], None] = _nothing
    """All is done and quiet."""
    while_waiting: Callable[[], None] = _no_watch


@dataclass(slots=True)
class Replayer:
    """Plays a world to its end."""

    world: World
    door: EntranceDoor
    time: TimeKeeper
    letters: LetterBox
    step: timedelta
    moments: Moments = Moments()

    def run(self) -> int:
        """Return the number of ticks written.

        Raises:
            DoorClosed: ingest does not take what it should.
            NoEcho: a service does not finish its work.
        """
        # Time begins before the first event: the door needs a clock to judge by.
        now, number = self.world.start, 0
        next_due = self._pass(Step(number, now, 0))
        while now < self.world.end:
            due = min((d for d in (self.world.next_at(), next_due) if d), default=None)
            now = next_tick(now, due, start=self.world.start, end=self.world.end, step=self.step)
            number += 1
            next_due = self._take_step(number, now)
        return self._settle(number, now, next_due) + 1

    def _settle(self, number: int, now: datetime, next_due: datetime | None) -> int:
        """Let what the last step left to be done at once be done; return the last tick's number."""
        for _ in range(_SETTLING):
            if next_due is None or next_due > now:
                break
            number += 1
            next_due = self._pass(Step(number, now, 0))
        return number

    def _take_step(self, number: int, now: datetime) -> datetime | None:
        batch = self.world.advance(now, self.letters.collect())
        step = Step(number, now, len(batch.publications))
        self.moments.before_events(step)
        self.door.publish(batch.publications)
        self.time.spoil(batch.poison)
        return self._pass(step)

    def _pass(self, step: Step) -> datetime | None:
        """Let time pass to the step's end; return when a service has work again by itself."""
        self.moments.after_events(step)
        self.letters.set_time(step.at)
        barrier = self.time.write(step.number, step.at)
        self.moments.after_tick(step)
        echoes = self.time.wait(barrier, self.moments.while_waiting)
        self.moments.after_echo(step)
        return min((echo.next_due for echo in echoes if echo.next_due), default=None)
