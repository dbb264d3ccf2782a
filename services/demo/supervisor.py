"""Keeps the services running the way Kubernetes would: starts, watches, restarts, ends them."""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from services.demo.child import Child
from services.kit.clock import monotonic
from services.kit.exits import EXIT_UNAVAILABLE, EXIT_USAGE

SERVICES = ("ingest", "churn_predictor", "outreach", "metrics")

READY_SECONDS = 90.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many deaths in a row are too many."""

    of_code: Mapping[int, int] = field(default_factory=lambda: {EXIT_UNAVAILABLE: 3, EXIT_USAGE: 1})
    """Exit code → deaths after which the service is given up."""
    others: int = 6
    """More than the three lives after which the predictor sets a deadly record aside."""
    steady_seconds: float = 20.0
    """A service that ran this long has recovered; what came before no longer counts."""


class ServiceLost(Exception):
    """A service does not come up or stay up; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of one process."""

    name: str
    code: int
    """Exit code; negative: ended by that signal."""


@dataclass(slots=True)
class _Post:
    """One process' place: who holds it now, and how it went so far."""

    name: str
    child: Child
    started: float
    is_kept: bool = True
    """Whether who dies here is replaced."""
    deaths: int = 0
    restarts: int = 0


class Supervisor:
    """The services of one deployment, each at a post of its own.

    A post is named after its service; further replicas are `<service>-2`, `<service>-3` and so on,
    each with an address, a log and a folder of its own.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        *,
        services: Sequence[str] = SERVICES,
        commands: Mapping[str, Sequence[str]] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Remember what to run.

        Args:
            environment: Settings all services share; the process' own environment comes below it.
            folder: Where logs and addresses are written.
            services: The posts to fill at the start.
            commands: Service → command, where it is not `python -m services.<name>`.
            limits: When a service is given up.
        """
        self._environment = {**os.environ, **environment}
        # A child must find the same `services` package that runs here, whatever its folder.
        self._home = Path(__file__).resolve().parents[2]
        self._folder = folder
        self._services = tuple(services)
        self._commands = dict(commands or {})
        self._limits = limits or Limits()
        self._posts: dict[str, _Post] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._failure: ServiceLost | None = None
        self._ends: list[End] = []
        self._guard = threading.Thread(target=self._keep_guard, name="supervisor", daemon=True)

    def start(self) -> "Supervisor":
        """Start every service and the guard; return itself.

        Raises:
            Unavailable: a program cannot be started.
        """
        (self._folder / "logs").mkdir(parents=True, exist_ok=True)
        (self._folder / "addresses").mkdir(parents=True, exist_ok=True)
        for name in self._services:
            self.begin(name)
        self._guard.start()
        return self

    def wait_until_live(self, *names: str) -> None:
        """Return when these services, or all that are up from the start, answer their liveness probe.

        Raises:
            ServiceLost: one did not in time, or does not stay up.
        """
        deadline = monotonic() + READY_SECONDS
        waiting = list(names or self._services)
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

    def tell(self, setting: str, value: str) -> None:
        """Give whoever starts from now on another setting."""
        with self._lock:
            self._environment[setting] = value

    def begin(self, name: str, *, is_kept: bool = True) -> None:
        """Fill a post: a new one, or one whose holder was halted; returns before it is live.

        `is_kept` says whether who dies there is replaced.

        Raises:
            Unavailable: the program cannot be started.
        """
        with self._lock:
            if name in self._posts:
                self._refill(self._posts[name])
                self._posts[name].is_kept = is_kept
                return
            self._clear(name)
            self._posts[name] = _Post(name, self._launch(name, None), monotonic(), is_kept)

    def halt(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal, and leave the post empty until `begin`; return how the process ended.

        A process that does not obey is killed in the end.
        """
        with self._lock:
            post = self._posts[name]
            post.is_kept = False
        post.child.signal(number)
        post.child.wait_until_gone()
        return self.exit_code(name) or 0

    def exit_code(self, name: str) -> int | None:
        """Return how the last holder of a post ended; None while it runs."""
        with self._lock:
            return self._posts[name].child.exit_code()

    def last_words(self, name: str) -> str:
        """Return the last lines of a service's log."""
        with self._lock:
            return self._posts[name].child.last_words()

    def folder(self, name: str) -> Path:
        """Return where a service keeps what outlives its process: its FOLDER setting."""
        return (self._folder / "work" / name).resolve()

    @property
    def restarts(self) -> dict[str, int]:
        """How often each service died and was started again."""
        with self._lock:
            return {name: post.restarts for name, post in self._posts.items()}

    @property
    def ends(self) -> tuple[End, ...]:
        """Every end that nobody had asked for by `halt`, in order."""
        with self._lock:
            return tuple(self._ends)

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
        service = name.partition("-")[0]
        prefix = f"CARE_{service.upper()}"
        environment = {
            **self._environment,
            f"{prefix}_ADDRESS_FILE": str(self._address_file(name)),
            f"{prefix}_FOLDER": str(self.folder(name)),
            "PYTHONUNBUFFERED": "1",
        }
        if address is not None:
            # Who talks to it must find it again after a restart.
            environment[f"{prefix}_PORT"] = str(urlsplit(address).port)
        command = self._commands.get(service, (sys.executable, "-m", f"services.{service}"))
        return Child(command, environment, folder=self._home, log=self.log(name))

    def _keep_guard(self) -> None:
        while not self._closing.wait(_POLL_SECONDS):
            with self._lock:
                for post in self._posts.values():
                    if post.is_kept and self._failure is None:
                        self._look_after(post)

    def _look_after(self, post: _Post) -> None:
        code = post.child.exit_code()
        if code is None:
            return
        self._ends.append(End(post.name, code))
        limits, lived = self._limits, monotonic() - post.started
        post.deaths = 1 if lived > limits.steady_seconds else post.deaths + 1
        if post.deaths >= limits.of_code.get(code, limits.others):
            self._failure = ServiceLost(self._lost(post.name, f"ended with exit code {code}"))
            return
        self._refill(post)
        post.restarts += 1

    def _refill(self, post: _Post) -> None:
        address = self._known_address(post.name)
        post.child.wait_until_gone()
        post.child = self._launch(post.name, address)
        post.started = monotonic()

    def _clear(self, name: str) -> None:
        """Remove what an earlier deployment left of this post."""
        self._address_file(name).unlink(missing_ok=True)
        self.log(name).unlink(missing_ok=True)
        shutil.rmtree(self.folder(name), ignore_errors=True)

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
        return f"{name} {what}; its log, {self.log(name)}, ends with:\n{words}"

    def _address_file(self, name: str) -> Path:
        return (self._folder / "addresses" / name).resolve()

    def log(self, name: str) -> Path:
        """Return where a service's output goes."""
        return (self._folder / "logs" / f"{name}.log").resolve()
