"""A file that a platform mounts and may change while the service runs: secrets, keys, providers."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from services.kit import logs
from services.kit.exits import Unavailable

T = TypeVar("T")
_Stamp = tuple[int, int, int, int]

_log = logs.get(__name__)


class UnreadableFile(Exception):
    """The file cannot be read as text; `reason`, which follows its name, holds no word of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_text(path: Path) -> str:
    """Return what the file holds.

    Raises:
        UnreadableFile: it is not there, may not be read, or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableFile(_reason(error)) from None
    except UnicodeDecodeError:
        raise UnreadableFile("is no text") from None


def read_lines(path: Path) -> tuple[str, ...]:
    """Return the lines that are not empty, without the spaces around them; see `read_text`."""
    return tuple(line.strip() for line in read_text(path).splitlines() if line.strip())


def faults_of(error: ValidationError) -> str:
    """Return where a document is wrong, and what kind of fault each is; never what stands there."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in found
    )


class WatchedFile(Generic[T]):
    """What a file says, read again once the file changes.  For many threads.

    A file that is wrong by now is told once in the log, and by `is_at_fault` as long as it is.

    Args:
        path: Of the file; a link that comes to name another file is a change.
        read: Returns what the file says; raises `Unavailable`, without a secret in its message.
        called: What it is, for the log lines `<called>_read` and `<called>_unreadable`.
        instead: What a file that is wrong by now says; None: what was known before stays in force.

    Raises:
        Unavailable: the file cannot be used at the start.
    """

    def __init__(
        self, path: Path, read: Callable[[Path], T], called: str, instead: T | None = None
    ) -> None:
        self._path = path
        self._name = os.fspath(path)
        self._read = read
        self.called = called
        """What it is, as in the log."""
        self._is_at_fault = False
        self._instead = instead
        self._lock = threading.Lock()
        # Before it is read: what is written meanwhile is a change.
        self._stamp = _stamp(self._name)
        self._known = read(path)

    def current(self) -> T:
        """Return what the file says, or what stands in for it where it is wrong by now."""
        with self._lock:
            stamp = _stamp(self._name)
            if stamp != self._stamp:
                self._stamp = stamp
                self._read_again()
            return self._known

    def is_at_fault(self) -> bool:
        """Return whether the file is wrong as it lies there now, so that something else is in force."""
        self.current()
        return self._is_at_fault

    def _read_again(self) -> None:
        try:
            self._known = self._read(self._path)
        except Unavailable as error:
            self._is_at_fault = True
            if self._instead is not None:
                self._known = self._instead
            _log.error(f"{self.called}_unreadable", because=str(error))
        else:
            self._is_at_fault = False
            _log.info(f"{self.called}_read")


def _stamp(name: str) -> _Stamp | None:
    """Return what differs once somebody has written to it, replaced it or changed who may read it."""
    try:
        # Each request asks: `Path.stat` would take twice as long.
        found = os.stat(name)  # noqa: PTH116
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _reason(error: OSError) -> str:
    words = os.strerror(error.errno) if error.errno else type(error).__name__
    return f"cannot be read ({words})"
