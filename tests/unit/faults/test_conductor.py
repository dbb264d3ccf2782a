"""Strikes fall while a step is in work, or are tried again; what follows is timed."""

import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.demo.replay import Step
from services.demo.stage import Stage
from tests.faults.conductor import ActFailed, Conductor
from tests.faults.loads import TINY
from tests.faults.strikes import Moment, Scene, Strike

AT = datetime(2026, 3, 2, tzinfo=UTC)
STEPS = 20
"""Of this load: five days in steps of six hours."""


class Services:
    """Notes the signals it is told to send."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, signal.Signals]] = []

    def send_signal(self, name: str, number: signal.Signals) -> None:
        self.sent.append((name, number))

    def check(self) -> None:
        return


@pytest.fixture
def services() -> Services:
    return Services()


class Play:
    """A conductor and what its strikes did."""

    def __init__(self, services: Services, strikes: Sequence[Strike]) -> None:
        stage = cast(Stage, SimpleNamespace(services=services))
        self.said: list[str] = []
        self.conductor = Conductor(stage, strikes, TINY, Random(1), self.said.append)
        self.moments = self.conductor.moments()

    def step(self, number: int, *, events: int = 5, work_seconds: float = 0.0) -> None:
        step = Step(number, AT, events)
        self.moments.before_events(step)
        self.moments.after_events(step)
        self.moments.after_tick(step)
        threading.Event().wait(work_seconds)
        self.moments.after_echo(step)
        if work_seconds == 0.0 and self.conductor._striking is not None:
            self.conductor._striking.join()


def strike(fell: list[int], **changes: Any) -> Strike:
    def act(scene: Scene) -> None:
        fell.append(scene.step.number)

    return replace(Strike(share=0.5, what="blow", act=act), **changes)


@pytest.fixture
def fell() -> list[int]:
    return []


@pytest.mark.parametrize("moment", Moment)
def test_a_strike_falls_at_its_time_in_a_step_with_events(
    services: Services, fell: list[int], moment: Moment
) -> None:
    play = Play(services, [strike(fell, moment=moment)])
    for number, events in ((STEPS // 2 - 1, 5), (STEPS // 2, 0), (STEPS // 2 + 1, 5)):
        play.step(number, events=events, work_seconds=0.1)
    play.conductor.finish()
    play.step(STEPS // 2 + 2)

    assert fell == [STEPS // 2 + 1]
    assert play.conductor.left == []
    assert len(play.conductor.recoveries) == 1
    assert f"blow at step {STEPS // 2 + 1}" in play.said[0]


def test_a_strike_that_comes_too_late_is_tried_again_sooner(
    services: Services, fell: list[int]
) -> None:
    play = Play(services, [strike(fell, delay_seconds=0.4)])
    play.step(12)
    assert fell == []
    play.step(13)
    play.step(14, work_seconds=0.3)
    play.conductor.finish()

    assert fell == [14]
    assert play.conductor.hits[0].tries == 3


def test_a_strike_that_never_falls_is_left(services: Services, fell: list[int]) -> None:
    play = Play(services, [strike(fell, share=0.9)])
    play.step(17)
    play.conductor.finish()

    assert play.conductor.left == ["blow"]


def test_who_is_pent_up_stands_still_until_the_tick_is_there(
    services: Services, fell: list[int]
) -> None:
    play = Play(services, [strike(fell, pent_up=("w",))])
    step = Step(12, AT, 5)
    play.moments.before_events(step)
    assert services.sent == [("w", signal.SIGSTOP)]
    play.moments.after_tick(step)
    assert services.sent == [("w", signal.SIGSTOP), ("w", signal.SIGCONT)]
    play.conductor.finish()


def test_an_act_that_fails_ends_the_run(services: Services) -> None:
    def act(scene: Scene) -> None:
        raise RuntimeError("no broker of our own")

    play = Play(services, [Strike(share=0.5, what="blow", act=act)])
    play.step(12, work_seconds=0.1)
    with pytest.raises(ActFailed, match="no broker of our own"):
        play.conductor.finish()


def test_no_act_is_left_running_towards_the_end(services: Services) -> None:
    ended = threading.Event()

    def act(scene: Scene) -> None:
        scene.pause(0.3)
        ended.set()

    play = Play(services, [Strike(share=0.5, what="blow", act=act)])
    play.step(12, work_seconds=0.1)
    assert not ended.is_set()
    play.step(STEPS - 1, work_seconds=0.01)
    assert ended.is_set()


def test_the_next_strike_waits_for_an_act_that_is_under_way(
    services: Services, fell: list[int]
) -> None:
    over: list[int] = []

    def act(scene: Scene) -> None:
        scene.pause(0.3)
        over.append(len(fell))

    play = Play(services, [Strike(share=0.4, what="long", act=act), strike(fell, share=0.45)])
    play.step(10, work_seconds=0.05)
    play.step(11, work_seconds=0.05)
    play.conductor.finish()

    assert fell == [11]
    assert over == [0]


def test_recovery_counts_from_when_the_blow_is_over_not_from_the_end_of_watching(
    services: Services,
) -> None:
    def act(scene: Scene) -> None:
        scene.is_done()
        scene.pause(0.3)

    play = Play(services, [Strike(share=0.5, what="blow", act=act)])
    play.step(12, work_seconds=0.1)
    play.conductor.finish()
    play.step(13, work_seconds=0.0)

    (recovery,) = play.conductor.recoveries
    assert recovery > 0.25


def test_abandoning_ends_what_is_under_way(services: Services) -> None:
    play = Play(services, [Strike(share=0.5, what="blow", act=lambda scene: scene.pause(60))])
    play.step(12, work_seconds=0.05)
    play.conductor.abandon()

    assert play.conductor._striking is not None
    assert not play.conductor._striking.is_alive()
