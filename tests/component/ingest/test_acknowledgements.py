"""Results on their way from the producer's thread to the loop's."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from services.ingest.publisher import _Acknowledgements

THREADS, EACH = 4, 5_000


def test_none_is_lost_on_the_way_from_other_threads() -> None:
    settled: list[Any] = []

    async def run() -> None:
        on_the_way = _Acknowledgements()

        def send(first: int) -> None:
            for number in range(first, first + EACH):
                on_the_way.hand_over(settled.append, number)

        with ThreadPoolExecutor(THREADS) as pool:
            loop = asyncio.get_running_loop()
            starts = range(0, THREADS * EACH, EACH)
            await asyncio.gather(*(loop.run_in_executor(pool, send, first) for first in starts))
        await _until(lambda: len(settled) == THREADS * EACH)

    asyncio.run(run())

    assert sorted(settled) == list(range(THREADS * EACH))


def test_many_wake_the_loop_once() -> None:
    async def run() -> int:
        woken: list[Any] = []
        on_the_way = _Acknowledgements()
        on_the_way._loop = _Counting(woken)  # type: ignore[assignment]
        for number in range(100):
            on_the_way.hand_over(lambda _: None, number)
        return len(woken)

    assert asyncio.run(run()) == 1


def test_one_that_cannot_be_settled_holds_up_no_other() -> None:
    settled: list[Any] = []

    def settle(number: Any) -> None:
        if number == 1:
            raise ValueError(number)
        settled.append(number)

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        on_the_way = _Acknowledgements()
        for number in range(4):
            on_the_way.hand_over(settle, number)
        await _until(lambda: len(settled) == 3)

    asyncio.run(run())

    assert settled == [0, 2, 3]


class _Counting:
    def __init__(self, woken: list[Any]) -> None:
        self._woken = woken

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self._woken.append(callback)


async def _until(done: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if done():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("not all were settled")
