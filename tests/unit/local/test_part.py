"""A part is up when it says so, and tells its last words when it never does."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kit.exits import Unavailable
from services.local import part
from services.local.leftovers import Ledger
from services.local.part import Part
from services.local.ports import LOOPBACK
from services.local.program import Launch, Program


class Shell(Part):
    """A part that is a line of shell, ready when it prints `listening`."""

    name = "shell"

    def __init__(self, ledger: Ledger, line: str, port: int | None = None) -> None:
        super().__init__(ledger, port)
        self.line = line
        self.ports: list[int] = []

    def _prepare(self) -> Launch:
        self.folder.mkdir(exist_ok=True)
        self.ports.append(self.port)
        return Launch(
            command=("sh", "-c", self.line),
            folder=self.folder,
            log=self.log,
            environment=part.plain_environment(),
            stop_signals=(signal.SIGTERM,),
        )

    def _answers(self, program: Program, printed: str) -> bool:
        return "listening" in printed


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path, throwaway=True)
    yield opened
    opened.close()


def test_it_is_up_once_it_says_so(ledger: Ledger) -> None:
    shell = Shell(ledger, "echo listening; exec sleep 60")
    shell.start()
    try:
        assert shell.is_running()
    finally:
        shell.stop()
    assert not shell.is_running()


def test_what_it_said_before_a_restart_does_not_count(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(ledger, "echo listening; exec sleep 60")
    shell.start()
    shell.stop()
    shell.line = "exec sleep 60"
    monkeypatch.setattr(part, "READY_SECONDS", 0.2)

    with pytest.raises(Unavailable, match=r"was not ready after 0\.2 seconds"):
        shell.start()
    assert not shell.is_running()


def test_one_that_ends_at_once_is_told_with_its_last_words(ledger: Ledger) -> None:
    shell = Shell(ledger, "echo one; echo two; echo three; echo four >&2; exit 3")

    with pytest.raises(Unavailable, match=r"^shell ended before .*said: two \| three \| four$"):
        shell.start()


def test_a_port_that_somebody_else_took_is_exchanged(ledger: Ledger) -> None:
    shell = Shell(ledger, "echo Address already in use; exit 1")

    with pytest.raises(Unavailable, match="already in use"):
        shell.start()
    assert len(set(shell.ports)) == len(shell.ports) == 3


def test_a_port_that_was_set_stays(ledger: Ledger) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
    shell = Shell(ledger, "echo Address already in use; exit 1", port)

    with pytest.raises(Unavailable, match="already in use"):
        shell.start()
    assert set(shell.ports) == {port}


def test_a_port_stays_over_a_restart(ledger: Ledger) -> None:
    shell = Shell(ledger, "echo listening; exec sleep 60")
    for _ in range(2):
        shell.start()
        shell.stop()

    assert shell.ports[0] == shell.ports[1]


def test_a_stopped_part_cannot_be_paused(ledger: Ledger) -> None:
    with pytest.raises(Unavailable, match="shell is stopped: start it first"):
        Shell(ledger, "true").pause()


def test_the_persons_own_settings_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1m")
    monkeypatch.setenv("PGPORT", "1")

    assert {"JAVA_TOOL_OPTIONS", "PGPORT"}.isdisjoint(part.plain_environment())
