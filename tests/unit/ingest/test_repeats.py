"""Whatever comes in whichever order: what a publisher is told is true of the broker."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts.envelope import Event
from services.contracts.topics import PURCHASES
from services.contracts.trace_context import of_event
from services.ingest.admission import Admission, Overloaded
from services.ingest.memory import Memory
from services.ingest.reading import Readable
from services.ingest.records import (
    Acknowledged,
    Conflict,
    Duplicate,
    Outcome,
    Record,
    Told,
    Unknown,
)
from services.ingest.repeats import Repeats
from tests import factories

MAX_AGE = 10.0


def event(name: str, body: str) -> Readable:
    """Return an event of this id that says this."""
    made: Event[Any] = factories.placed(event_id=name, order=body, customer="c-1")
    return Readable(made, PURCHASES, of_event(made))


@dataclass
class Broker:
    """Answers when the test says so; everything it acknowledged lies in `log` by its offset."""

    log: list[bytes] = field(default_factory=list)
    calls: list[tuple[Sequence[Record], "asyncio.Future[list[Outcome]]"]] = field(
        default_factory=list
    )

    async def publish(self, records: Sequence[Record]) -> list[Outcome]:
        if not records:
            return []
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self.calls.append((records, answer))
        return await answer

    def answer(self, call: int, unknown: frozenset[int] = frozenset()) -> None:
        """Acknowledge this call's records but those at these positions."""
        records, answer = self.calls.pop(call)
        outcomes: list[Outcome] = []
        for index, record in enumerate(records):
            if index in unknown:
                outcomes.append(Unknown("silence"))
            else:
                self.log.append(record.value)
                outcomes.append(Acknowledged(0, len(self.log) - 1))
        if not answer.done():
            answer.set_result(outcomes)

    def fail(self, call: int) -> None:
        """Let this call end with no room."""
        _, answer = self.calls.pop(call)
        if not answer.done():
            answer.set_exception(Overloaded())


@dataclass
class Stage:
    """The parts of one test."""

    broker: Broker = field(default_factory=Broker)
    admission: Admission = field(default_factory=lambda: Admission(100, 10**6))
    memory: Memory = field(default_factory=lambda: Memory(3, MAX_AGE))
    at: float = 0.0

    def __post_init__(self) -> None:
        self.repeats = Repeats(self.broker, self.memory, self.admission, lambda: self.at)

    async def begun(self, *events: Readable) -> "asyncio.Task[list[Told]]":
        """Return a publication that has got as far as it can."""
        task = asyncio.create_task(self.repeats.publish(events))
        await settled()
        return task


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def run(test: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    async def on_stage() -> None:
        await test(Stage())

    asyncio.run(on_stage())


def test_the_same_again_is_told_where_the_first_lies() -> None:
    async def check(stage: Stage) -> None:
        first = await stage.begun(event("a", "x"))
        stage.broker.answer(0)
        again = await stage.begun(event("a", "x"))

        assert (await first, await again) == ([Acknowledged(0, 0)], [Duplicate(0, 0)])
        assert len(stage.broker.log) == 1

    run(check)


def test_another_body_is_refused() -> None:
    async def check(stage: Stage) -> None:
        await stage.begun(event("a", "x"))
        stage.broker.answer(0)

        assert await (await stage.begun(event("a", "y"))) == [Conflict()]

    run(check)


def test_while_the_first_is_under_way_the_second_waits_for_it() -> None:
    async def check(stage: Stage) -> None:
        await stage.begun(event("a", "x"))
        same, other = await stage.begun(event("a", "x")), await stage.begun(event("a", "y"))
        assert not same.done()
        assert not other.done()
        assert stage.admission.records == 2
        stage.broker.answer(0)

        assert (await same, await other) == ([Duplicate(0, 0)], [Conflict()])
        assert stage.admission.records == 0

    run(check)


def test_a_first_without_outcome_makes_nothing_a_duplicate_and_is_published_again() -> None:
    async def check(stage: Stage) -> None:
        await stage.begun(event("a", "x"))
        second = await stage.begun(event("a", "x"))
        stage.broker.answer(0, unknown=frozenset({0}))
        third = await stage.begun(event("a", "x"))
        stage.broker.answer(0)

        assert [type(told) for told in await second] == [Unknown]
        assert await third == [Acknowledged(0, 0)]

    run(check)


@pytest.mark.parametrize("ends", ["cancelled", "overloaded"])
def test_who_waits_for_a_first_that_never_got_through_is_told_unknown(ends: str) -> None:
    async def check(stage: Stage) -> None:
        first = await stage.begun(event("a", "x"))
        second = await stage.begun(event("a", "x"))
        if ends == "cancelled":
            first.cancel()
        else:
            stage.broker.fail(0)

        assert [type(told) for told in await second] == [Unknown]
        with pytest.raises((asyncio.CancelledError, Overloaded)):
            await first
        third = await stage.begun(event("a", "x"))
        stage.broker.answer(-1)
        assert await third == [Acknowledged(0, 0)]

    run(check)


def test_who_stops_waiting_takes_nothing_from_the_others() -> None:
    async def check(stage: Stage) -> None:
        await stage.begun(event("a", "x"))
        gone, stays = await stage.begun(event("a", "x")), await stage.begun(event("a", "x"))
        gone.cancel()
        await settled()
        stage.broker.answer(0)

        assert await stays == [Duplicate(0, 0)]
        assert (stage.admission.records, stage.admission.bytes) == (0, 0)

    run(check)


def test_twice_in_one_batch_is_once_on_the_topic() -> None:
    async def check(stage: Stage) -> None:
        told = await stage.begun(event("a", "x"), event("b", "x"), event("a", "x"), event("b", "y"))
        stage.broker.answer(0)

        places = [Acknowledged(0, 0), Acknowledged(0, 1), Duplicate(0, 0), Conflict()]
        assert await told == places
        assert len(stage.broker.log) == 2

    run(check)


def test_repeats_that_wait_take_room_too() -> None:
    async def check(stage: Stage) -> None:
        await stage.begun(event("a", "x"))
        waiting = await stage.begun(*[event("a", "x")] * 90)
        with pytest.raises(Overloaded):
            await (await stage.begun(event("new", "x"), *[event("a", "x")] * 11))
        stage.broker.answer(0)

        assert await waiting == [Duplicate(0, 0)] * 90
        assert stage.admission.records == 0
        new = await stage.begun(event("new", "x"))
        stage.broker.answer(0)
        assert await new == [Acknowledged(0, 1)]

    run(check)


def test_without_memory_everything_is_published() -> None:
    async def check(stage: Stage) -> None:
        stage.memory = Memory(0, MAX_AGE)
        stage.__post_init__()
        told = await stage.begun(event("a", "x"), event("a", "x"))
        stage.broker.answer(0)

        assert await told == [Acknowledged(0, 0), Acknowledged(0, 1)]

    run(check)


ITEMS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xy")), min_size=1, max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), ITEMS),
        st.tuples(st.just("answer"), st.integers(0, 3), st.frozensets(st.integers(0, 4))),
        st.tuples(st.just("fail"), st.integers(0, 3)),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.floats(0, MAX_AGE)),
    ),
    max_size=25,
)


Begun = list[tuple[list[Readable], "asyncio.Task[list[Told]]"]]


async def play(stage: Stage, steps: list[tuple[Any, ...]]) -> Begun:
    """Return every publication of these steps, all of them answered."""
    begun: Begun = []
    for step in steps:
        match step:
            case ("publish", items):
                events = [event(*item) for item in items]
                begun.append((events, await stage.begun(*events)))
            case ("answer", call, unknown) if call < len(stage.broker.calls):
                stage.broker.answer(call, unknown)
            case ("fail", call) if call < len(stage.broker.calls):
                stage.broker.fail(call)
            case ("cancel", which) if which < len(begun):
                begun[which][1].cancel()
            case ("wait", seconds):
                stage.at += seconds
        await settled()
    while stage.broker.calls:
        stage.broker.answer(0)
        await settled()
    return begun


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_nobody_is_told_what_is_not_true_of_the_broker(steps: list[tuple[Any, ...]]) -> None:
    async def check(stage: Stage) -> None:
        for events, task in await play(stage, steps):
            try:
                told = await task
            except (asyncio.CancelledError, Overloaded):
                continue
            for sent, answer in zip(events, told, strict=True):
                holds(sent, answer, stage.broker)
        assert (stage.admission.records, stage.admission.bytes) == (0, 0)

    run(check)


def holds(sent: Readable, answer: Told, broker: Broker) -> None:
    """Fail where an answer to an event is not true."""
    body = sent.event.encode()
    if isinstance(answer, Acknowledged | Duplicate):
        assert broker.log[answer.offset] == body
    if isinstance(answer, Conflict):
        name = f'"id":"{sent.event.id}"'.encode()
        assert any(name in other and other != body for other in broker.log)
