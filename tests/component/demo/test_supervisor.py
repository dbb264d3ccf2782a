"""The supervisor: starts, finds, restarts and ends programs, and says which one is lost and why."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from services.demo.supervisor import End, Limits, ServiceLost, Supervisor
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


def test_a_replica_has_a_post_of_its_own_and_its_service_settings(watching: Watching) -> None:
    supervisor = watching(well=WELL)
    supervisor.wait_until_live()

    supervisor.begin("well-2")
    supervisor.wait_until_live("well-2")

    assert pid_at(supervisor.address("well-2")) not in (0, pid_at(supervisor.address("well")))
    assert supervisor.folder("well-2") != supervisor.folder("well")
    assert supervisor.restarts == {"well": 0, "well-2": 0}


def test_a_halted_post_stays_empty_until_it_is_begun_again(watching: Watching) -> None:
    supervisor = watching(well=WELL)
    supervisor.wait_until_live()
    first = pid_at(supervisor.address("well"))

    assert supervisor.halt("well") == 0
    assert not until(lambda: pid_at(supervisor.address("well")) != 0, seconds=0.5)
    supervisor.begin("well")
    supervisor.wait_until_live()

    assert pid_at(supervisor.address("well")) not in (0, first)
    assert supervisor.restarts == {"well": 0}
    assert supervisor.ends == ()


def test_how_a_post_was_halted_is_told(watching: Watching) -> None:
    supervisor = watching(well=WELL)
    supervisor.wait_until_live()
    assert supervisor.halt("well", signal.SIGKILL) == -signal.SIGKILL
    assert supervisor.exit_code("well") == -signal.SIGKILL


def test_who_is_not_kept_is_not_replaced_and_leaves_its_words(watching: Watching) -> None:
    supervisor = watching(well=WELL, ill=WELL.replace("WELL", "ILL"))
    supervisor.wait_until_live()
    supervisor.halt("ill", signal.SIGKILL)
    supervisor.begin("ill", is_kept=False)
    supervisor.wait_until_live("ill")

    supervisor.kill("ill")

    assert until(lambda: supervisor.exit_code("ill") == -signal.SIGKILL)
    assert not until(lambda: supervisor.restarts["ill"] > 0, seconds=0.3)
    supervisor.check()


def test_limits_are_set_by_who_expects_deaths(tmp_path: Path) -> None:
    commands = {"ill": (sys.executable, "-c", ILL.format(code=75))}
    limits = Limits(of_code={75: 6})
    supervisor = Supervisor({}, tmp_path, services=("ill",), commands=commands, limits=limits)
    try:
        with pytest.raises(ServiceLost, match="exit code 75"):
            supervisor.start().wait_until_live()
        assert supervisor.ends == (End("ill", 75),) * 6
    finally:
        supervisor.close()


def test_what_an_earlier_deployment_left_in_the_folder_of_a_post_is_gone(tmp_path: Path) -> None:
    left = tmp_path / "work" / "well" / "store"
    left.mkdir(parents=True)
    supervisor = Supervisor(
        {}, tmp_path, services=("well",), commands={"well": (sys.executable, "-c", WELL)}
    ).start()
    supervisor.close()
    assert not left.exists()
