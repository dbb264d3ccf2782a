"""How many series the door shows, and how late its loop is."""

import asyncio

import pytest

from services.ingest import loop_lag
from services.ingest.metering import Meter
from tests.support.series import MOST_SERIES, OF_EVERY_PROCESS, service_of, shown


def test_the_door_shows_fewer_series_than_a_pod_may_and_what_every_process_tells() -> None:
    """Each of its labels has its every value from the start."""
    registry = Meter(lambda: 0).registry

    assert len(shown(registry)) < MOST_SERIES
    assert set(shown(registry)) >= OF_EVERY_PROCESS
    assert service_of(registry) == {"ingest"}


def test_a_loop_that_is_held_up_is_late_by_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock each look comes 2 s after it was begun, and was due after 0 s."""
    clock = iter(range(0, 1_000, 2))
    monkeypatch.setattr(loop_lag, "monotonic", lambda: float(next(clock)))
    meter = Meter(lambda: 0)
    seen: list[float] = []

    async def look() -> int:
        enough = asyncio.Event()

        def observe(seconds: float) -> None:
            seen.append(seconds)
            meter.loop_was_late(seconds)
            if len(seen) > 2:
                enough.set()

        async with loop_lag.watched(observe, look_seconds=0):
            await enough.wait()
        looks = len(seen)
        await asyncio.sleep(0)
        return looks

    looks = asyncio.run(look())

    assert set(seen) == {2.0}
    assert len(seen) == looks, "it goes on although the door is closed"
    name = "care_ingest_loop_lag_seconds"
    assert meter.registry.get_sample_value(f"{name}_sum") == 2 * looks
