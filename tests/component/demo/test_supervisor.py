"""The supervisor: starts, finds, restarts and ends programs, and says which one is lost and why."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from services.demo.supervisor import ServiceLost, Supervisor
from services.kit.clock import monotonic

WELL = """
import http.server, os, pathlib, signal, sys
class Probe(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *words): pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = http.server.HTTPServer(("127.0.0.1", int(os.environ.get("CARE_WELL_PORT", "0"))), Probe)
pathlib.Path(os.environ["CARE_WELL_ADDRESS_FILE"]).write_text(f"http://127.0.0.1:{server.server_port}")
server.serve_forever()
"""
ILL = "import sys; print('the database does not answer', flush=True); sys.exit({code})"

Watching = Callable[..., Supervisor]


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    opened: list[Supervisor] = []

    def begin(**programs: str) -> Supervisor:
        commands = {name: (sys.executable, "-c", text) for name, text in programs.items()}
        supervisor = Supervisor({}, tmp_path, services=tuple(programs), commands=commands)
        opened.append(supervisor)
        return supervisor.start()

    yield begin
    for supervisor in opened:
        supervisor.close()


def until(holds: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        if holds():
            return True
        threading.Event().wait(0.02)
    return False


def pid_at(address: str) -> int:
    try:
        return int(httpx.get(f"{address}/livez", timeout=1).text)
    except httpx.HTTPError:
        return 0


def test_a_service_is_found_by_the_address_it_tells(watching: Watching) -> None:
    supervisor = watching(well=WELL)
    supervisor.wait_until_live()
    assert psutil.pid_exists(pid_at(supervisor.address("well")))


def test_a_killed_service_comes_back_at_its_old_address_and_is_counted(watching: Watching) -> None:
    supervisor = watching(well=WELL)
    supervisor.wait_until_live()
    address = supervisor.address("well")
    first = pid_at(address)
    supervisor.kill("well")
    assert until(lambda: pid_at(address) not in (0, first))
    supervisor.check()
    assert supervisor.restarts == {"well": 1}


def test_a_paused_service_is_not_restarted(watching: Watching) -> None:
    supervisor = watching(well=WELL)
    supervisor.wait_until_live()
    supervisor.send_signal("well", signal.SIGSTOP)
    assert not until(lambda: supervisor.restarts["well"] > 0, seconds=0.5)
    supervisor.send_signal("well", signal.SIGCONT)
    assert pid_at(supervisor.address("well"))


def test_a_service_whose_dependency_is_missing_is_given_up_after_three_times(
    watching: Watching,
) -> None:
    supervisor = watching(ill=ILL.format(code=75))
    with pytest.raises(ServiceLost, match=r"exit code 75(.|\n)*the database does not answer"):
        supervisor.wait_until_live()
    assert supervisor.restarts == {"ill": 2}


def test_wrong_settings_are_not_tried_again(watching: Watching) -> None:
    supervisor = watching(ill=ILL.format(code=2))
    with pytest.raises(ServiceLost, match="exit code 2"):
        supervisor.wait_until_live()
    assert supervisor.restarts == {"ill": 0}


def test_other_deaths_are_borne_longer_but_not_for_ever(watching: Watching) -> None:
    supervisor = watching(ill=ILL.format(code=70))
    with pytest.raises(ServiceLost, match="exit code 70"):
        supervisor.wait_until_live()
    assert supervisor.restarts == {"ill": 5}


def test_a_service_that_never_told_its_address_is_named(watching: Watching) -> None:
    supervisor = watching(mute="import time; time.sleep(60)")
    with pytest.raises(ServiceLost, match="mute did not tell its address"):
        supervisor.address("mute")


def test_nothing_is_left_running(watching: Watching) -> None:
    supervisor = watching(well=WELL, other=WELL.replace("WELL", "OTHER"))
    supervisor.wait_until_live()
    pids = [pid_at(supervisor.address(name)) for name in ("well", "other")]
    supervisor.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_settings_reach_the_service(tmp_path: Path) -> None:
    program = "import os, sys; print('prefix', os.environ['CARE_TOPIC_PREFIX']); sys.exit(2)"
    supervisor = Supervisor(
        {"CARE_TOPIC_PREFIX": "demo-x-"},
        tmp_path,
        services=("told",),
        commands={"told": (sys.executable, "-c", program)},
    ).start()
    try:
        with pytest.raises(ServiceLost, match="prefix demo-x-"):
            supervisor.wait_until_live()
    finally:
        supervisor.close()
