"""Asks a process of its own what became of an event, and never waits for it longer than agreed."""

import asyncio
import sys
from typing import Protocol

from pydantic import ValidationError

from services.ingest.asking import Asked, Scope
from services.ingest.looking import Question, Report
from services.ingest.settings import Settings
from services.kit import logs
from services.kit.settings import ClockSource

_GRACE_SECONDS = 10.0
"""For starting, connecting and saying what was found."""
_log = logs.get(__name__)


class TooManyLooks(Exception):
    """As many are being looked for as may be at a time."""


class LookFailed(Exception):
    """Nothing can be said: the broker or the process did not answer."""


class Looks(Protocol):
    """Looks for events on the topics."""

    async def look(self, asked: Asked, scope: Scope) -> Report:
        """Return what was found there, within a bounded time.

        Raises:
            TooManyLooks: come back later.
            LookFailed: nothing can be said.
        """
        ...


class NoLooks:
    """Where nobody may look."""

    async def look(self, asked: Asked, scope: Scope) -> Report:
        """Raise `TooManyLooks`."""
        raise TooManyLooks


class ProcessLooks:
    """The real one: a process for each question, so many at a time.  For the event loop's thread only."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.busy = 0
        """Questions being answered now."""

    async def look(self, asked: Asked, scope: Scope) -> Report:
        """Return what was found; see `Looks`."""
        if self.busy >= self._settings.looks_at_once:
            raise TooManyLooks
        self.busy += 1
        try:
            return await self._ask(self._question(asked, scope))
        finally:
            self.busy -= 1

    def _question(self, asked: Asked, scope: Scope) -> Question:
        settings = self._settings
        return Question(
            bootstrap=settings.kafka_bootstrap_servers,
            prefix=settings.topic_prefix,
            partitions=settings.partitions,
            simulated=settings.clock is ClockSource.TICKS,
            source=asked.source,
            id=asked.id,
            topics=[topic.name for topic in scope.topics],
            partition=scope.partition,
            since=scope.since,
            seconds=settings.look_seconds,
            records=settings.look_records,
        )

    async def _ask(self, question: Question) -> Report:
        process = await _started()
        try:
            async with asyncio.timeout(question.seconds + _GRACE_SECONDS):
                told, _ = await process.communicate(question.model_dump_json().encode())
        except TimeoutError:
            _log.warning("look_took_too_long")
            raise LookFailed from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            return Report.model_validate_json(told)
        except ValidationError:
            # What it says on its way out may quote an address, and nothing of it is for publishers.
            _log.warning("look_failed", exit_code=process.returncode)
            raise LookFailed from None


async def _started() -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "services.ingest.looking")
    try:
        return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        # No process or no memory to be had: publishing goes on.
        _log.warning("look_not_started", error=type(error).__name__)
        raise LookFailed from None
