"""A kept program ends when its owner does, whether it wants to or not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from services.kit.exits import Unavailable
from services.local import keeper
from services.local.leftovers import Ledger
from services.local.program import Launch, Program

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def launch(folder: Path, *command: str) -> Launch:
    return Launch(
        command=command,
        folder=folder,
        log=folder / "log",
        environment={"PATH": os.environ["PATH"]},
        stop_signals=(signal.SIGTERM,),
    )


def start(folder: Path, *command: str) -> Program:
    return Program(launch(folder, *command), Ledger.open(folder, throwaway=True))


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: not is_there(pid), f"process {pid} is still there")


def wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


def is_there(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_its_environment_is_on_no_command_line(tmp_path: Path) -> None:
    order = replace(launch(tmp_path, "sleep", "60"), environment={"SECRET": "hunter2"})
    program = Program(order, Ledger.open(tmp_path, throwaway=True))
    process = psutil.Process(program.pid)
    kept_by = process.parent()

    assert kept_by is not None
    # In the middle of exec it has neither arguments nor environment.
    wait_until(lambda: process.cmdline() == ["sleep", "60"], "it has not begun")
    assert process.environ()["SECRET"] == "hunter2"
    assert not any("hunter2" in word for p in (process, kept_by) for word in p.cmdline())
    program.stop()


def test_it_ends_when_asked(tmp_path: Path) -> None:
    program = start(tmp_path, "sleep", "60")
    assert program.is_running()

    program.stop()

    assert not program.is_running()


def test_it_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.unit.local.test_keeper import start\n"
        "print(start(Path(sys.argv[1]), 'sleep', '60').pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()

    wait_until_gone(pid)


def test_it_ends_even_when_its_keeper_was_killed(tmp_path: Path) -> None:
    program = start(tmp_path, "sleep", "60")
    psutil.Process(program.pid).parent().kill()  # type: ignore[union-attr]

    program.stop()

    assert not program.is_running()


def test_a_paused_program_runs_and_can_be_stopped(tmp_path: Path) -> None:
    program = start(tmp_path, "sleep", "60")
    program.pause()
    assert psutil.Process(program.pid).status() == psutil.STATUS_STOPPED
    assert program.is_running()

    program.stop()

    assert not program.is_running()


def test_a_program_that_ignores_the_signal_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "SECONDS_PER_SIGNAL", 0.2)
    order = launch(tmp_path, sys.executable, "-c", STUBBORN).as_order()
    program = keeper.start(order, {})
    deadline = time.monotonic() + 5
    while "ready" not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.02)

    keeper.stop(program, order["stop_signals"])

    assert program.returncode == -signal.SIGKILL


def test_a_program_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"^/no/such/program could not be started: .*No such"):
        start(tmp_path, "/no/such/program")
