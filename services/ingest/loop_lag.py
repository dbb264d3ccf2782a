"""How late the event loop is: every request waits at least as long for its turn."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from services.kit.clock import monotonic

LOOK_SECONDS = 0.5


@contextlib.asynccontextmanager
async def watched(
    observe: Callable[[float], None], look_seconds: float = LOOK_SECONDS
) -> AsyncIterator[None]:
    """Measure while the context is open.

    Args:
        observe: Told by how many seconds the loop was late, each time.
        look_seconds: Between two looks.
    """
    task = asyncio.create_task(_watch(observe, look_seconds))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch(observe: Callable[[float], None], look_seconds: float) -> None:
    while True:
        due = monotonic() + look_seconds
        await asyncio.sleep(look_seconds)
        observe(max(0.0, monotonic() - due))
