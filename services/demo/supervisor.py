"""Keeps the services running the way Kubernetes would: starts, watches, restarts, ends them."""

import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from services.demo.child import Child
from services.kit.clock import monotonic
from services.kit.exits import EXIT_UNAVAILABLE, EXIT_USAGE

SERVICES = ("ingest", "churn_predictor", "outreach", "metrics")

READY_SECONDS = 90.0
_POLL_SECONDS = 0.1
_STEADY_SECONDS = 20.0
"""A service that ran this long has recovered; what came before no longer counts."""

_MOST_DEATHS = {EXIT_UNAVAILABLE: 3, EXIT_USAGE: 1}
_MOST_OTHER_DEATHS = 6
"""More than the three lives after which the predictor sets a deadly record aside."""


class ServiceLost(Exception):
    """A service does not come up or stay up; the message holds its last words."""


@dataclass(slots=True)
class _Post:
    """One service's place: who holds it now, and how it went so far."""

    name: str
    child: Child
    started: float
    deaths: int = 0
    restarts: int = 0
    address: str | None = None


class Supervisor:
    """The four services of one deployment."""

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        *,
        services: Sequence[str] = SERVICES,
        commands: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Remember what to run.

        Args:
            environment: Settings all services share; the process' own environment comes below it.
            folder: Where logs and addresses are written.
            services: Which to run.
            commands: Service → command, where it is not `python -m services.<name>`.
        """
        self._environment = {**os.environ, **environment}
        # A child must find the same `services` package that runs here, whatever its folder.
        self._home = Path(__file__).resolve().parents[2]
        self._folder = folder
        self._services = tuple(services)
        self._commands = dict(commands or {})
        self._posts: dict[str, _Post] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._failure: ServiceLost | None = None
        self._guard = threading.Thread(target=self._keep_guard, name="supervisor", daemon=True)

    def start(self) -> "Supervisor":
        """Start every service and the guard; return itself.

        Raises:
            Unavailable: a program cannot be started.
        """
        (self._folder / "logs").mkdir(parents=True, exist_ok=True)
        (self._folder / "addresses").mkdir(parents=True, exist_ok=True)
        for name in self._services:
            self._address_file(name).unlink(missing_ok=True)
            self._log(name).unlink(missing_ok=True)
            self._posts[name] = _Post(name, self._launch(name, None), monotonic())
        self._guard.start()
        return self

    def wait_until_live(self) -> None:
        """Return when every service answers its liveness probe.

        Raises:
            ServiceLost: one did not in time, or does not stay up.
        """
        deadline = monotonic() + READY_SECONDS
        waiting = list(self._services)
        while waiting:
            self.check()
            waiting = [name for name in waiting if not self._answers(name)]
            if waiting and monotonic() > deadline:
                raise ServiceLost(self._lost(waiting[0], "does not answer /livez"))
            self._closing.wait(_POLL_SECONDS if waiting else 0)

    def check(self) -> None:
        """Return where all is well; raises ServiceLost where a service was given up."""
        if self._failure is not None:
            raise self._failure

    def address(self, name: str) -> str:
        """Return http://host:port of a service; raises ServiceLost where it never told."""
        known = self._known_address(name)
        if known is None:
            raise ServiceLost(self._lost(name, "did not tell its address"))
        return known

    def send_signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one service: SIGKILL, SIGSTOP, SIGCONT and so on."""
        with self._lock:
            self._posts[name].child.signal(number)

    def kill(self, name: str) -> None:
        """End one service as a power cut would; it is started again."""
        self.send_signal(name, signal.SIGKILL)

    @property
    def restarts(self) -> dict[str, int]:
        """How often each service died and was started again."""
        with self._lock:
            return {name: post.restarts for name, post in self._posts.items()}

    def close(self) -> None:
        """End every service in good order."""
        self._closing.set()
        if self._guard.is_alive():
            self._guard.join()
        for post in self._posts.values():
            post.child.ask_to_end()
        for post in self._posts.values():
            post.child.wait_until_gone()

    def _launch(self, name: str, address: str | None) -> Child:
        prefix = f"CARE_{name.upper()}"
        environment = {
            **self._environment,
            f"{prefix}_ADDRESS_FILE": str(self._address_file(name)),
            "PYTHONUNBUFFERED": "1",
        }
        if address is not None:
            # Who talks to it must find it again after a restart.
            environment[f"{prefix}_PORT"] = str(urlsplit(address).port)
        command = self._commands.get(name, (sys.executable, "-m", f"services.{name}"))
        return Child(command, environment, folder=self._home, log=self._log(name))

    def _keep_guard(self) -> None:
        while not self._closing.wait(_POLL_SECONDS):
            with self._lock:
                for post in self._posts.values():
                    if post.child.exit_code() is not None and self._failure is None:
                        self._replace(post)

    def _replace(self, post: _Post) -> None:
        code = post.child.exit_code()
        lived = monotonic() - post.started
        post.deaths = 1 if lived > _STEADY_SECONDS else post.deaths + 1
        if post.deaths >= _MOST_DEATHS.get(code or 0, _MOST_OTHER_DEATHS):
            self._failure = ServiceLost(self._lost(post.name, f"ended with exit code {code}"))
            return
        address = self._known_address(post.name)
        post.child.wait_until_gone()
        post.child = self._launch(post.name, address)
        post.started = monotonic()
        post.restarts += 1

    def _answers(self, name: str) -> bool:
        address = self._known_address(name)
        if address is None:
            return False
        try:
            return httpx.get(f"{address}/livez", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def _known_address(self, name: str) -> str | None:
        file = self._address_file(name)
        text = file.read_text(encoding="utf-8").strip() if file.exists() else ""
        return text or None

    def _lost(self, name: str, what: str) -> str:
        words = self._posts[name].child.last_words() or "(it said nothing)"
        return f"{name} {what}; its log, {self._log(name)}, ends with:\n{words}"

    def _address_file(self, name: str) -> Path:
        return (self._folder / "addresses" / name).resolve()

    def _log(self, name: str) -> Path:
        return (self._folder / "logs" / f"{name}.log").resolve()
