"""Lets strikes fall at their moments of a run, and measures how long it takes to recover."""

import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from services.demo.replay import Moments, Step
from services.demo.stage import Stage
from services.kit.clock import monotonic
from tests.faults.loads import Load
from tests.faults.strikes import Hit, Moment, Scene, Strike

_LATEST = 0.85
"""Part of the time from which on no act is left running: what follows it is to be seen as well."""
_ACT_SECONDS = 300.0
_PACE_SECONDS = 0.5
"""Between steps while an act is under way, so that there is load on it from begin to end."""


class ActFailed(Exception):
    """A disturbance could not be carried out; says nothing about what was disturbed."""


@dataclass(slots=True)
class _Armed:
    """The strike that falls next, and how often it came too late."""

    strike: Strike
    tries: int = 0


class Conductor:
    """One run's strikes, one after the other.

    A blow that comes when its step is done already has hit nobody at work: it is tried again in the
    next step, after half the delay.
    """

    def __init__(
        self,
        stage: Stage,
        strikes: Sequence[Strike],
        load: Load,
        random: Random,
        say: Callable[[str], None],
    ) -> None:
        self.hits: list[Hit] = []
        self.recoveries: list[float] = []
        """Seconds from the end of each act to the end of the first step whose tick came after it."""
        self._stage, self._load, self._random, self._say = stage, load, random, say
        self._waiting = [_Armed(s) for s in sorted(strikes, key=lambda s: s.share)]
        self._striking: threading.Thread | None = None
        self._echoed = threading.Event()
        self._over = threading.Event()
        self._now: _Armed | None = None
        self._ended_at: deque[float] = deque()
        self._ticked_at = 0.0
        self._error: BaseException | None = None
        self._steps = round(load.days * 24 * 3600 / load.step.total_seconds())

    @property
    def left(self) -> list[str]:
        """What has not fallen."""
        return [armed.strike.what for armed in self._waiting]

    def moments(self) -> Moments:
        """Return the hooks into the replay."""
        return Moments(
            before_events=self._before_events,
            after_tick=self._after_tick,
            after_echo=self._after_echo,
            while_waiting=self._check,
        )

    def pause(self, seconds: float) -> None:
        """Wait; no longer than the run is wanted."""
        self._over.wait(seconds)

    def finish(self) -> None:
        """Wait for the last act; raise what went wrong in any.

        Raises:
            ActFailed: an act could not be carried out.
        """
        self._join()
        self._check()

    def abandon(self) -> None:
        """End what is under way, however the run ended."""
        self._over.set()
        if self._striking is not None:
            self._striking.join(_ACT_SECONDS)

    def _before_events(self, step: Step) -> None:
        self._check()
        self._make_room(step)
        armed = self._now = self._due(step)
        if armed is None:
            return
        self._echoed.clear()
        if armed.strike.moment is Moment.BEFORE:
            self._strike(armed, step, monotonic())
        elif armed.strike.moment is Moment.EVENTS:
            self._begin(armed, step)
        for name in armed.strike.pent_up:
            self._stage.services.send_signal(name, signal.SIGSTOP)

    def _make_room(self, step: Step) -> None:
        """Go on slowly while an act is under way; wait for it where the next one is due."""
        next_share = self._waiting[0].strike.share if self._waiting else _LATEST
        if step.number >= min(next_share, _LATEST) * self._steps:
            self._join()
        elif self._striking is not None:
            self._striking.join(_PACE_SECONDS)

    def _after_tick(self, step: Step) -> None:
        self._ticked_at = monotonic()
        armed = self._now
        if armed is None or armed.strike.moment is not Moment.TICK:
            return
        for name in armed.strike.pent_up:
            self._stage.services.send_signal(name, signal.SIGCONT)
        self._begin(armed, step)

    def _after_echo(self, step: Step) -> None:
        self._echoed.set()
        now = monotonic()
        # A step under way may have been all but done, and says nothing about who comes back.
        while self._ended_at and self._ended_at[0] <= self._ticked_at:
            self.recoveries.append(now - self._ended_at.popleft())

    def _due(self, step: Step) -> _Armed | None:
        """Return the strike that falls in this step, if any."""
        if not self._waiting:
            return None
        first = self._waiting[0]
        is_time = step.number >= first.strike.share * self._steps
        return first if is_time and step.events else None

    def _begin(self, armed: _Armed, step: Step) -> None:
        began = monotonic()
        self._striking = threading.Thread(
            target=self._wait_and_strike, args=(armed, step, began), name="strike", daemon=True
        )
        self._striking.start()

    def _wait_and_strike(self, armed: _Armed, step: Step, began: float) -> None:
        delay = armed.strike.delay_seconds / 2**armed.tries
        if self._echoed.wait(delay) or self._over.is_set():
            armed.tries += 1
            return
        self._strike(armed, step, began)

    def _strike(self, armed: _Armed, step: Step, began: float) -> None:
        strike = armed.strike
        after = monotonic() - began
        hit = Hit(strike.what, step.number, strike.moment.value, after, armed.tries + 1)
        self.hits.append(hit)
        self._waiting.remove(armed)
        self._say(str(hit))
        done: list[float] = []

        def is_done() -> None:
            done.append(monotonic())
            self._ended_at.append(done[0])

        scene = Scene(self._stage, self._load, self._random, self.pause, step, is_done)
        try:
            strike.act(scene)
        except BaseException as error:  # noqa: BLE001 - told to the run's own thread, which ends by it
            self._error = error
        if not done:
            is_done()

    def _join(self) -> None:
        if self._striking is None:
            return
        deadline = monotonic() + _ACT_SECONDS
        while self._striking.is_alive():
            self._stage.services.check()
            self._striking.join(0.2)
            if monotonic() > deadline:
                raise ActFailed(f"an act did not end within {_ACT_SECONDS:.0f} s")

    def _check(self) -> None:
        if self._error is not None:
            raise ActFailed(f"{type(self._error).__name__}: {self._error}") from self._error
