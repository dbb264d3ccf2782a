"""What the pod of tools runs: nothing, until it is told to end."""

import signal
import subprocess
import sys

import pytest

from services.cli import waiting


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_it_waits_and_ends_well_once_it_is_told_to(told: signal.Signals) -> None:
    command = [sys.executable, "-m", waiting.__name__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "kubectl exec" in process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.send_signal(told)

        assert process.wait(10) == 0
