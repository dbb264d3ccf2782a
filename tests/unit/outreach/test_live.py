"""The threads of real time: done again when woken, after a while, or sooner where the work asks for it."""

import threading

from services.outreach.live import Repeating


def test_work_that_asks_to_be_done_again_soon_is() -> None:
    done, answers = threading.Event(), iter([0.0, 0.001])

    def work() -> float | None:
        sooner = next(answers, None)
        if sooner is None:
            done.set()
        return sooner

    thread = Repeating("test", work, every_seconds=3600).start()
    try:
        assert done.wait(30)
    finally:
        thread.close(30)


def test_work_that_asks_for_later_is_still_done_when_it_is_its_turn() -> None:
    twice, times = threading.Event(), iter(range(2))

    def work() -> float | None:
        if next(times, None) == 1:
            twice.set()
        return 3600.0

    thread = Repeating("test", work, every_seconds=0.001).start()
    try:
        assert twice.wait(30)
    finally:
        thread.close(30)
