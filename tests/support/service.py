"""A service as a child process, the way a platform runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services.kit.settings import DEPLOYMENT_VARIABLE, DEVELOPMENT

LEAVE_SECONDS = 30


class Service:
    """One running `python -m services.<name>`; its output goes to a file."""

    def __init__(
        self, name: str, environment: Mapping[str, str], log: Path, module: str | None = None
    ) -> None:
        self.name = name
        self._module = module or f"services.{name}"
        self.log = log
        self._environment = {**_clean(os.environ), **environment}
        self.process = self._start()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """End it with SIGTERM and return its exit code."""
        self.process.terminate()
        return self.process.wait(LEAVE_SECONDS)

    def pause(self) -> None:
        """Freeze it."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start it again after it ended."""
        self.process = self._start()

    def output(self) -> str:
        """Return everything it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", self._module]
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)


@contextmanager
def running(
    name: str, environment: Mapping[str, str], log: Path, module: str | None = None
) -> Iterator[Service]:
    """Yield a service that is gone afterwards, however the test ends.

    `module` is run in place of `services.<name>`, for a service that a test has tampered with.
    """
    service = Service(name, environment, log, module)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.resume()
            service.kill()


def run_to_end(
    name: str, environment: Mapping[str, str], seconds: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run a service that is expected to give up by itself; return how it ended."""
    command = [sys.executable, "-m", f"services.{name}"]
    return subprocess.run(
        command,
        env={**_clean(os.environ), **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out settings of the person who runs the tests."""
    mine = ("CARE_", "KAFKA_", "DATABASE_URL")
    rest = {name: value for name, value in environment.items() if not name.startswith(mine)}
    return rest | {DEPLOYMENT_VARIABLE: DEVELOPMENT}
