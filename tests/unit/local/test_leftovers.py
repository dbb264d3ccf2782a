"""What a killed owner left is ended; nothing else ever is."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from services.kit.exits import Unavailable
from services.local import leftovers
from services.local.leftovers import Ledger, Record, reap
from services.local.processes import Seen

Sleeper = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """Starts processes that only sleep, with the given words on their command line."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: object) -> "subprocess.Popen[bytes]":
        code = "import time; time.sleep(60)"
        process = subprocess.Popen([sys.executable, "-c", code, *map(str, words)])
        started.append(process)
        # For a moment after its start the kernel shows no command line.
        while not psutil.Process(process.pid).cmdline():
            time.sleep(0.001)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / f"{leftovers.PREFIX}x"
    made.mkdir()
    return made


def record(folder: Path, *programs: Seen, throwaway: bool = True) -> None:
    """What an owner that is gone has left: a record, and a lock that nobody holds."""
    (folder / "owner.lock").touch()
    (folder / "parts.json").write_text(Record(1, throwaway, programs).as_json())


def test_programs_of_a_gone_owner_are_ended_and_their_folder_removed(
    folder: Path, sleeper: Sleeper
) -> None:
    program = Seen.of(sleeper(folder / "data").pid)
    record(folder, program)

    assert reap((folder.parent,)) == [folder]
    assert not program.alive()
    assert not folder.exists()


def test_a_living_owner_keeps_everything(folder: Path, sleeper: Sleeper) -> None:
    program = sleeper(folder / "data")
    ledger = Ledger.open(folder, throwaway=True)
    ledger.add(Seen.of(program.pid))

    assert reap((folder.parent,)) == []
    assert program.poll() is None
    assert folder.exists()


def test_a_process_that_took_over_the_pid_is_left_alone(folder: Path, sleeper: Sleeper) -> None:
    stranger = sleeper(folder / "data")
    record(folder, replace(Seen.of(stranger.pid), created=1.0))

    reap((folder.parent,))

    assert stranger.poll() is None


def test_a_process_that_does_not_name_the_folder_is_left_alone(
    folder: Path, sleeper: Sleeper
) -> None:
    stranger = sleeper("/somewhere/else")
    record(folder, Seen.of(stranger.pid))

    reap((folder.parent,))

    assert stranger.poll() is None


def test_the_next_owner_of_a_kept_folder_ends_what_was_left(folder: Path, sleeper: Sleeper) -> None:
    program = Seen.of(sleeper(folder / "data").pid)
    record(folder, program, throwaway=False)

    Ledger.open(folder, throwaway=False).close()

    assert not program.alive()


def test_a_folder_has_one_owner(folder: Path) -> None:
    ledger = Ledger.open(folder, throwaway=False)

    with pytest.raises(Unavailable, match=f"in use by process {os.getpid()}"):
        Ledger.open(folder, throwaway=False)
    ledger.close()
    Ledger.open(folder, throwaway=False).close()


def test_a_kept_folder_stays(folder: Path, sleeper: Sleeper) -> None:
    program = Seen.of(sleeper(folder / "data").pid)
    record(folder, program, throwaway=False)

    reap((folder.parent,))

    assert not program.alive()
    assert folder.exists()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"owner_pid": 1, "throwaway": true}'])
def test_a_folder_with_an_unreadable_record_is_left_alone(folder: Path, text: str) -> None:
    (folder / "parts.json").write_text(text)

    assert reap((folder.parent,)) == []
    assert folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_record_names_no_victims(folder: Path, sleeper: Sleeper) -> None:
    program = sleeper(folder / "data")
    record(folder, Seen.of(program.pid))
    os.chown(folder / "parts.json", 65534, 65534)

    assert reap((folder.parent,)) == []
    assert program.poll() is None


def test_a_ledger_names_its_owner_and_what_was_started(folder: Path, sleeper: Sleeper) -> None:
    ledger = Ledger.open(folder, throwaway=True)
    program = Seen.of(sleeper().pid)
    ledger.add(program)

    assert leftovers.read(folder) == Record(os.getpid(), throwaway=True, programs=(program,))
