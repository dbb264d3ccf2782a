"""When and where a disturbance strikes.  Pure values; `conductor` carries them out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Protocol

from services.demo.replay import Step
from services.demo.stage import Stage
from tests.faults.loads import Load


class Moment(Enum):
    """From when on the delay of a strike counts."""

    BEFORE = "before the events"
    """At once, in the replayer's own thread: nothing else happens meanwhile."""
    EVENTS = "events on their way"
    TICK = "events and tick there"


class Pause(Protocol):
    """Waits for so many seconds; less when all is over."""

    def __call__(self, seconds: float) -> None:
        """Return after the time."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What an act has to work with."""

    stage: Stage
    load: Load
    random: Random
    pause: Pause
    step: Step
    is_done: Callable[[], None]
    """Called by an act that is done and goes on to watch what comes of it."""


Act = Callable[[Scene], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One blow."""

    share: float
    """Part of the simulated time after which it falls, at the next step with events."""
    what: str
    act: Act
    moment: Moment = Moment.TICK
    delay_seconds: float = 0.0
    pent_up: Sequence[str] = ()
    """Posts held still until the step's events and tick are there, so that it hits a full load."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a strike fell."""

    what: str
    step: int
    moment: str
    after_seconds: float
    tries: int
    """How many steps it took: where a step was done before the blow, the next one is tried."""

    def __str__(self) -> str:
        """Return it as one line."""
        again = f", try {self.tries}" if self.tries > 1 else ""
        return (
            f"{self.what} at step {self.step}, {self.after_seconds * 1000:.0f} ms after "
            f"{self.moment}{again}"
        )


def spread(random: Random, times: int, first: float = 0.12, last: float = 0.8) -> list[float]:
    """Return as many shares of the time, one drawn in each of equal stretches."""
    width = (last - first) / times
    return [first + width * (n + random.random()) for n in range(times)]
