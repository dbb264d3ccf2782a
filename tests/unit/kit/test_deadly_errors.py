"""What an error inside a slice does to the process, and what a silent connection does not do."""

import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry

from services.kit.health import HealthServer, Verdict

_SCRIPT = """
from services.kit.exits import Unavailable
from services.kit.faust_slices import _deadly
with _deadly("a test"):
    raise {error}
print("went on")
"""


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        ("Unavailable('make the topic anew')", 75, "make the topic anew"),
        ("ValueError('a bug')", 70, "a bug"),
    ],
)
def test_an_error_in_a_slice_ends_the_process_at_once(error: str, code: int, told: str) -> None:
    command = [sys.executable, "-c", _SCRIPT.format(error=error)]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == code
    assert told in ended.stderr + ended.stdout
    assert "went on" not in ended.stdout
    assert ("Traceback" in ended.stderr + ended.stdout) == (code == 70)


def test_a_connection_that_asks_nothing_keeps_no_probe_waiting() -> None:
    def well() -> Verdict:
        return Verdict(True)

    server = HealthServer(CollectorRegistry(), well, well, "127.0.0.1", 0).start()
    host, port = server.address
    try:
        with socket.create_connection((host, port)):
            assert urlopen(f"http://{host}:{port}/livez", timeout=5).status == 200
    finally:
        server.close()
