"""One program under a keeper: started, paused, ended, and ended with us if we are killed."""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from services.kit.exits import Unavailable
from services.local import keeper
from services.local.account import Account
from services.local.leftovers import Ledger
from services.local.processes import Seen, family, kill

# A keeper tries each of its signals for a while; this is longer than all of them together.
_STOP_SECONDS = 4 * keeper.SECONDS_PER_SIGNAL

_POLL_SECONDS = 0.005
_STILL = {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE}


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run, where, as whom, and how to ask it to end."""

    command: tuple[str, ...]
    folder: Path
    log: Path
    environment: Mapping[str, str]
    stop_signals: tuple[signal.Signals, ...]
    account: Account | None = None

    def as_order(self) -> dict[str, Any]:
        """Return the order as the keeper reads it; the environment goes another way."""
        return {
            "command": self.command,
            "folder": str(self.folder),
            "log": str(self.log),
            "stop_signals": [int(number) for number in self.stop_signals],
            "uid": self.account.uid if self.account else None,
            "gid": self.account.gid if self.account else None,
        }


class Program:
    """A running program and its keeper."""

    def __init__(self, launch: Launch, ledger: Ledger) -> None:
        """Start it; raises Unavailable where it cannot be started."""
        self._keeper = keeper.hire(launch.as_order(), launch.environment)
        self._seen = Seen.of(self._pid_from_keeper(launch))
        ledger.add(Seen.of(self._keeper.pid), self._seen)

    @property
    def pid(self) -> int:
        """The program's own process id, not its keeper's."""
        return self._seen.pid

    def is_running(self) -> bool:
        """Return whether it still runs (a paused one does)."""
        return self._seen.alive()

    def pause(self) -> None:
        """Freeze it and all it started; returns when all of them stand still."""
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
                while process.status() not in _STILL:
                    time.sleep(_POLL_SECONDS)

    def resume(self) -> None:
        """Let it go on."""
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def stop(self) -> None:
        """Ask it to end in good order; returns when it is gone."""
        self.resume()
        self._release()

    def kill(self) -> None:
        """End it as a power cut would; returns when it is gone."""
        kill(self._family())
        self._release()

    def _family(self) -> list[psutil.Process]:
        process = self._seen.process()
        return [] if process is None else family(process)

    def _release(self) -> None:
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        try:
            self._keeper.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        if self._keeper.stdout is not None:
            self._keeper.stdout.close()
        # A keeper that was itself killed has left the program to us.
        kill(self._family())

    def _pid_from_keeper(self, launch: Launch) -> int:
        assert self._keeper.stdout is not None
        answer = json.loads(self._keeper.stdout.readline() or '{"error": "its keeper ended"}')
        if "error" in answer:
            self._keeper.wait()
            raise Unavailable(f"{launch.command[0]} could not be started: {answer['error']}")
        return int(answer["pid"])
