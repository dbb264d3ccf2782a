"""The watchdog ends who is outside of a group whose broker answers, and nobody else."""

import threading
from collections.abc import Callable

from services.kit.clock import monotonic
from services.kit.watchdog import Watchdog, broker_answers

LIMIT = 0.05


def ended(
    is_inside: Callable[[], bool],
    answers: Callable[[], bool],
    seconds: float,
    limit: float = LIMIT,
) -> list[str]:
    """Return what a watchdog said within this time."""
    said: list[str] = []
    has_ended = threading.Event()

    def end(message: str) -> None:
        said.append(message)
        has_ended.set()

    dog = Watchdog(is_inside, answers, limit, end, look_seconds=0.005).start()
    has_ended.wait(seconds)
    dog.close()
    return said


def test_outside_for_too_long_with_a_broker_that_answers_ends_it() -> None:
    (message,) = ended(lambda: False, lambda: True, 10)

    assert "outside the consumer group" in message


def test_a_member_is_left_alone() -> None:
    assert ended(lambda: True, lambda: True, LIMIT * 6) == []


def test_a_broker_that_is_away_is_no_reason() -> None:
    asked: list[bool] = []

    def answers() -> bool:
        asked.append(False)
        return False

    assert ended(lambda: False, answers, LIMIT * 8) == []
    assert asked


def test_time_inside_starts_the_count_anew() -> None:
    """Outside for half of 2.4 s, which is longer than the limit, and never for longer than 0.3 s."""
    begun = monotonic()

    assert ended(lambda: (monotonic() - begun) % 0.6 > 0.3, lambda: True, 2.4, limit=1.0) == []


def test_nobody_answers_where_there_is_no_broker() -> None:
    assert not broker_answers("127.0.0.1:9")
