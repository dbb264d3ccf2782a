"""Processes named so that no other one is ever meant: a pid alone comes back for somebody else."""

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

_SAME_START_SECONDS = 2.0
"""Start times are rounded; no system gives a pid out again this fast."""

_NEVER = float("-inf")
_GONE_SECONDS = 10
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Seen:
    """A process as it was seen: its pid and when it was started, in seconds."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Seen":
        """Return the process of this pid as it is now; one that is gone already never counts as alive."""
        try:
            return cls(pid, _started(psutil.Process(pid)))
        except psutil.NoSuchProcess:
            return cls(pid, _NEVER)

    def process(self) -> psutil.Process | None:
        """Return the process if it still is the one that was seen and not a zombie."""
        try:
            process = psutil.Process(self.pid)
            same = abs(_started(process) - self.created) < _SAME_START_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def alive(self) -> bool:
        """Return whether the process that was seen still runs."""
        return self.process() is not None


def _started(process: psutil.Process) -> float:
    # Linux derives the time of day of a start from that of the boot, which moves when the clock is
    # put right; the difference of both does not.
    return process.create_time() - (psutil.boot_time() if psutil.LINUX else 0.0)


def mentions(process: psutil.Process, folder: Path) -> bool:
    """Return whether the process was started with something under this folder."""
    try:
        return any(str(folder) in word for word in process.cmdline())
    except psutil.Error:
        return False


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return the process and all it started; empty where it is gone."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill these and wait until they are gone."""
    doomed = list(processes)
    for process in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + _GONE_SECONDS
    while any(map(_runs, doomed)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _runs(process: psutil.Process) -> bool:
    # Somebody else's dead child stays a zombie until they look, which may be never.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
