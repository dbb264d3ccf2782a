"""What a killed owner leaves behind, and its removal; never touches what it did not record itself.

Each folder of parts holds a lock, which its owner keeps for as long as it lives, and a record of the
programs that were started from it.  Where the lock is free, whatever of them still runs is killed,
if start time and command line agree as well.
"""

import fcntl
import json
import os
import shutil
import stat
import threading
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TextIO

from services.kit.exits import Unavailable
from services.local.processes import Seen, family, kill, mentions

PREFIX = "care-parts-"
_RECORD = "parts.json"
_LOCK = "owner.lock"


@dataclass(frozen=True, slots=True)
class Record:
    """Whose folder this is, whether it goes with its owner, and what was started from it."""

    owner_pid: int
    throwaway: bool
    programs: tuple[Seen, ...] = ()

    def as_json(self) -> str:
        """Return the record as it is written."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """Return the record; raises ValueError, KeyError or TypeError for anything else."""
        found = json.loads(text)
        return cls(
            owner_pid=int(found["owner_pid"]),
            throwaway=bool(found["throwaway"]),
            programs=tuple(Seen(**program) for program in found["programs"]),
        )


@dataclass(slots=True)
class Ledger:
    """The record of one folder, kept while its owner lives; both parts start at once, hence a mutex."""

    folder: Path
    record: Record
    _lock: TextIO
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, folder: Path, *, throwaway: bool) -> "Ledger":
        """Make this process the owner of the folder; return the ledger.

        Raises:
            Unavailable: the folder has an owner.
        """
        lock = (folder / _LOCK).open("w")
        if not _locked(lock):
            lock.close()
            found = read(folder)
            owner = f"process {found.owner_pid}" if found else "another process"
            raise Unavailable(f"{folder} is in use by {owner}: end it, or choose another folder")
        # Only now, so that whoever finds a record finds the lock taken.
        if (left := read(folder)) is not None:
            end_programs(folder, left)
        ledger = cls(folder, Record(os.getpid(), throwaway), lock)
        ledger._write()
        return ledger

    def add(self, *programs: Seen) -> None:
        """Write down programs that were started."""
        with self._mutex:
            alive = [program for program in self.record.programs if program.alive()]
            self.record = replace(self.record, programs=(*alive, *programs))
            self._write()

    def close(self) -> None:
        """Forget it: nothing that was started runs any more."""
        (self.folder / _RECORD).unlink(missing_ok=True)
        self._lock.close()

    def _write(self) -> None:
        target = self.folder / _RECORD
        fresh = target.with_suffix(".new")
        fresh.write_text(self.record.as_json())
        fresh.replace(target)


def read(folder: Path) -> Record | None:
    """Return the folder's record, or None where there is none that this user wrote."""
    path = folder / _RECORD
    try:
        # Anybody may put a folder under /tmp: a record of another user's would choose our victims.
        if not _ours(folder) or not _ours(path):
            return None
        return Record.from_json(path.read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return None


def end_programs(folder: Path, record: Record) -> None:
    """Kill what was started from this folder and still runs."""
    for seen in record.programs:
        process = seen.process()
        if process is not None and mentions(process, folder):
            kill(family(process))


def reap(bases: tuple[Path, ...]) -> list[Path]:
    """End the programs of every folder whose owner is gone and remove the folder; return those."""
    gone: list[Path] = []
    for folder in sorted({found for base in bases for found in base.glob(f"{PREFIX}*")}):
        record = read(folder)
        if record is None or _has_owner(folder):
            continue
        end_programs(folder, record)
        if record.throwaway:
            shutil.rmtree(folder, ignore_errors=True)
        gone.append(folder)
    return gone


def _has_owner(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open() as lock:
            return not _locked(lock)
    except OSError:
        return False


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _ours(path: Path) -> bool:
    status = path.lstat()
    return status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode)
