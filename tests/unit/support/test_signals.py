"""A test that presses Ctrl-C does not depend on how the tests were started."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.signals import ctrl_c_works

ASK = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"


@pytest.fixture
def in_the_background() -> Iterator[None]:
    """SIGINT ignored, as `nohup … &` leaves it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def is_deaf() -> bool:
    """Whether a child started now ignores SIGINT."""
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


@pytest.mark.usefixtures("in_the_background")
def test_a_child_started_in_here_can_be_ended_with_ctrl_c() -> None:
    assert is_deaf()
    with ctrl_c_works():
        assert not is_deaf()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
