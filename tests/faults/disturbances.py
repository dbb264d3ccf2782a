"""Every disturbance by name: how many workers, what strikes them, what must come of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.faults import acts
from tests.faults.acts import WORKER, replica
from tests.faults.strikes import Act, Moment, Strike, spread

Plan = Callable[[Random], Sequence[Strike]]

_LONGEST_DELAY = 0.4
"""Seconds after the events (and the tick): a step of a full load is in work for about as long."""
_KILLS = 5
_TERMINATIONS = 4
_CYCLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """One way in which the world is unkind."""

    plan: Plan
    workers: int = 1
    """Up from the beginning."""
    most_workers: int = 1
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    dead_letters: int = 0
    """Readable records that the predictor must set aside, and that count as lost elsewhere."""
    remakes_a_topic: bool = False
    """Whether, when all is done, a topic is made anew and the worker must refuse it."""
    needs_broker: bool = False
    """Whether the broker itself is disturbed, so that it must be the run's own."""

    @property
    def posts(self) -> tuple[str, ...]:
        """The workers' posts that are filled at the beginning."""
        return tuple(replica(n) for n in range(1, self.workers + 1))


def _nothing(random: Random) -> Sequence[Strike]:
    return ()


def _blows(what: str, acts_in_turn: Sequence[tuple[str, Act]], times: int) -> Plan:
    """Hit in the middle of work, in turn with the load pent up and as it comes."""

    def plan(random: Random) -> Sequence[Strike]:
        strikes = []
        for n, share in enumerate(spread(random, times)):
            name, act = acts_in_turn[n % len(acts_in_turn)]
            is_pent_up = n % 3 != 2
            strike = Strike(
                share=share,
                what=f"{what} {name}",
                act=act,
                moment=Moment.TICK if is_pent_up else Moment.EVENTS,
                delay_seconds=random.uniform(0.0, _LONGEST_DELAY),
                pent_up=(name,) if is_pent_up else (),
            )
            strikes.append(strike)
        return strikes

    return plan


def _one(what: str, act: Act, *, share: float = 0.35, moment: Moment = Moment.TICK) -> Plan:
    def plan(random: Random) -> Sequence[Strike]:
        delay = random.uniform(0.0, _LONGEST_DELAY)
        return [Strike(share=share, what=what, act=act, moment=moment, delay_seconds=delay)]

    return plan


def _twice(what: str, act: Act) -> Plan:
    """Once while publishers wait for answers, once while the worker works."""

    def plan(random: Random) -> Sequence[Strike]:
        moments = Moment.EVENTS, Moment.TICK
        return [
            Strike(
                share=share,
                what=what,
                act=act,
                moment=moment,
                delay_seconds=random.uniform(0.0, _LONGEST_DELAY),
            )
            for share, moment in zip(spread(random, 2), moments, strict=True)
        ]

    return plan


def _scale(random: Random) -> Sequence[Strike]:
    names = replica(2), replica(3)
    strikes = []
    for n, share in enumerate(spread(random, 2 * _CYCLES, first=0.06)):
        is_up = n % 2 == 0
        act = acts.begin(*names) if is_up else acts.leave(*names)
        what = "two join" if is_up else "two leave"
        delay = random.uniform(0.0, _LONGEST_DELAY)
        strikes.append(Strike(share=share, what=what, act=act, delay_seconds=delay))
    return strikes


_SECOND = replica(2)

DISTURBANCES: dict[str, Disturbance] = {
    "none": Disturbance(plan=_nothing),
    "kill": Disturbance(plan=_blows("SIGKILL", [(WORKER, acts.kill(WORKER))], _KILLS)),
    "terminate": Disturbance(
        plan=_blows("SIGTERM", [(WORKER, acts.terminate(WORKER))], _TERMINATIONS)
    ),
    "empty_store": Disturbance(
        plan=_blows("SIGKILL and an empty disk for", [(WORKER, acts.lose_folder(WORKER))], 2)
    ),
    "deadly_record": Disturbance(
        plan=_one("the deadly order", acts.tell_deadly_order, moment=Moment.BEFORE),
        commands=acts.DEADLY_COMMANDS,
        dead_letters=1,
    ),
    "freeze_worker": Disturbance(plan=_one(f"SIGSTOP {WORKER}", acts.freeze(WORKER))),
    "broker_restart": Disturbance(
        plan=_twice("broker stopped, started", acts.restart_broker), needs_broker=True
    ),
    "broker_kill": Disturbance(
        plan=_twice("broker killed, started", acts.kill_broker), needs_broker=True
    ),
    "broker_freeze": Disturbance(
        plan=_one("broker frozen", acts.freeze_broker, moment=Moment.EVENTS), needs_broker=True
    ),
    "remade_topic": Disturbance(plan=_nothing, remakes_a_topic=True),
    "join": Disturbance(plan=_one("a second joins", acts.begin(_SECOND)), most_workers=2),
    "leave": Disturbance(
        plan=_one(f"SIGTERM {_SECOND}", acts.leave(_SECOND)), workers=2, most_workers=2
    ),
    "kill_one": Disturbance(
        plan=_blows(
            "SIGKILL", [(WORKER, acts.kill(WORKER)), (_SECOND, acts.kill(_SECOND))], _KILLS
        ),
        workers=2,
        most_workers=2,
    ),
    "freeze_one": Disturbance(
        plan=_one(f"SIGSTOP {_SECOND}", acts.freeze(_SECOND, long=True), share=0.2),
        workers=2,
        most_workers=2,
    ),
    "joins_and_kills": Disturbance(
        plan=_one("eight joins and kills", acts.joins_and_kills), most_workers=2
    ),
    "scale": Disturbance(plan=_scale, most_workers=3),
}
