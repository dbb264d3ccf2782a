"""What Kafka and PostgreSQL have in common here: a port, a folder, a log, and being asked to run."""

import os
import time
from abc import ABC, abstractmethod
from pathlib import Path

from services.kit.exits import Unavailable
from services.local.leftovers import Ledger
from services.local.ports import free_port, require_free
from services.local.program import Launch, Program

READY_SECONDS = 60
"""Far more than a start takes; a loaded machine is no reason to give up."""

_POLL_SECONDS = 0.02
_PORT_ATTEMPTS = 3
_LOG_LINES = 3
_KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZDIR")


class PortTaken(Unavailable):
    """Somebody else was faster to listen on the chosen port."""


class Part(ABC):
    """One of the two.  Stopped and started again it has the same port and the same data."""

    name: str

    def __init__(self, ledger: Ledger, port: int | None) -> None:
        self._ledger = ledger
        self._port_is_set = port is not None
        self.port = free_port() if port is None else require_free(port, self.name)
        self._program: Program | None = None

    @property
    def folder(self) -> Path:
        """Where it keeps everything it writes."""
        return self._ledger.folder / self.name

    @property
    def log(self) -> Path:
        """What it printed, all starts one after the other."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int:
        """The process id of the running program; raises Unavailable where it is stopped."""
        return self._running().pid

    def is_running(self) -> bool:
        """Return whether the program runs (a paused one does)."""
        return self._program is not None and self._program.is_running()

    def start(self) -> None:
        """Start it, or start it again; returns when it answers.

        Raises:
            Unavailable: it does not come up; the message carries the end of its log.
        """
        if self.is_running():
            return
        for attempt in range(_PORT_ATTEMPTS):
            try:
                self._start_once()
                break
            except PortTaken:
                if attempt == _PORT_ATTEMPTS - 1:
                    raise
                # Only at the first start is the port still ours to choose.
                if not self._port_is_set:
                    self.port = free_port()

    def stop(self) -> None:
        """End it in good order; its data stays as long as the folder does."""
        if self._program is not None:
            self._program.stop()
            self._program = None

    def kill(self) -> None:
        """End it as a power cut would."""
        self._running().kill()
        self._program = None

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._running().pause()

    def resume(self) -> None:
        """Let it go on after a pause."""
        self._running().resume()

    def last_words(self) -> str:
        """Return the end of its log in one line."""
        return _end_of(self._printed(0))

    def _make_folder(self, owner: int) -> None:
        """Make the folder for this user id alone; raises Unavailable where another one's is there."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        made_by = {path.stat().st_uid for path in (self.folder, *self.folder.glob("data"))}
        if made_by - {owner, os.geteuid()}:
            raise Unavailable(
                f"{self.folder} was made by another user: run as the same one, or choose another folder"
            )
        os.chown(self.folder, owner, -1)

    @abstractmethod
    def _prepare(self) -> Launch:
        """Make what the program needs in its folder; return how to run it."""

    @abstractmethod
    def _answers(self, program: Program, printed: str) -> bool:
        """Return whether it is ready, from what it printed since this start or from its files."""

    def _start_once(self) -> None:
        launch = self._prepare()
        before = self.log.stat().st_size if self.log.exists() else 0
        self._program = Program(launch, self._ledger)
        try:
            self._wait(self._program, before)
        except BaseException:
            self.stop()
            raise
        self._port_is_set = True

    def _wait(self, program: Program, before: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers(program, printed := self._printed(before)):
            if not program.is_running():
                raise self._failure("ended before it was ready", self._printed(before))
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready after {READY_SECONDS} seconds", printed)
            time.sleep(_POLL_SECONDS)

    def _printed(self, before: int) -> str:
        with self.log.open("rb") as log:
            log.seek(before)
            return log.read().decode("utf-8", "replace")

    def _failure(self, what: str, printed: str) -> Unavailable:
        kind = PortTaken if "already in use" in printed else Unavailable
        return kind(f"{self.name} {what}; it said: {_end_of(printed)}")

    def _running(self) -> Program:
        if self._program is None:
            raise Unavailable(f"{self.name} is stopped: start it first")
        return self._program


def _end_of(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return " | ".join(lines[-_LOG_LINES:]) or "nothing"


def plain_environment() -> dict[str, str]:
    """Return the few variables a program needs; others (JAVA_TOOL_OPTIONS, PGPORT) would change it."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
