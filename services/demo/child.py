"""One service as a process of its own, which ends with us however we end."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.kit.exits import Unavailable
from services.local import keeper

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGTERM)
"""Twice, because a service may need longer than one patience of its keeper to drain."""

_GONE_SECONDS = (len(_STOP_SIGNALS) + 2) * keeper.SECONDS_PER_SIGNAL
_LOG_LINES = 5
_LOG_BYTES = 8192


class Child:
    """A running program under a keeper, its output in a log file."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, folder: Path, log: Path
    ) -> None:
        """Start it.

        Raises:
            Unavailable: it cannot be started.
        """
        self._log = log
        self._keeper = keeper.hire(_order(command, folder, log), environment)
        self.pid = self._pid(command)

    def exit_code(self) -> int | None:
        """Return how it ended (negative: by that signal); None while it runs."""
        code = self._keeper.poll()
        return code if code is None or code < 128 else code - 256

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where it is gone."""
        # The pid stays ours while the keeper, which has not waited for it yet, is alive.
        if self._keeper.poll() is None:
            os.kill(self.pid, number)

    def ask_to_end(self) -> None:
        """Tell it to drain and end; returns at once."""
        if self._keeper.stdin is not None and not self._keeper.stdin.closed:
            self._keeper.stdin.close()

    def wait_until_gone(self) -> None:
        """Return when it has ended; it is killed where it does not obey."""
        try:
            self._keeper.wait(_GONE_SECONDS)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._keeper.wait()
        if self._keeper.stdout is not None:
            self._keeper.stdout.close()

    def last_words(self) -> str:
        """Return the last lines of its log."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - _LOG_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])

    def _pid(self, command: Sequence[str]) -> int:
        assert self._keeper.stdout is not None
        answer = json.loads(self._keeper.stdout.readline() or '{"error": "its keeper ended"}')
        if "error" in answer:
            self._keeper.wait()
            raise Unavailable(f"{' '.join(command)} could not be started: {answer['error']}")
        return int(answer["pid"])


def _order(command: Sequence[str], folder: Path, log: Path) -> dict[str, Any]:
    return {
        "command": list(command),
        "folder": str(folder),
        "log": str(log),
        "stop_signals": [int(number) for number in _STOP_SIGNALS],
        "uid": None,
        "gid": None,
    }
