"""Problems that open steadily, for one new customer each."""

import threading

from services.kit.clock import SystemClock
from tests.faults.outreach.evidence import Wanted
from tests.faults.outreach.world import World
from tests.support.outreach import now_ish, opened, step


class SteadyLoad:
    """Opens a problem every so often, in a thread of its own, until it is told to stop."""

    def __init__(self, world: World, customers: list[str], every_seconds: float) -> None:
        self.wanted: list[Wanted] = []
        self._world = world
        self._customers = customers
        self._every_seconds = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> "SteadyLoad":
        """Begin; return itself."""
        self._thread.start()
        return self

    def stop(self) -> list[Wanted]:
        """Open no more; return what is wanted by then.  Raises what ended the thread."""
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self.wanted

    def _run(self) -> None:
        try:
            for customer in self._customers:
                self.wanted.append(open_one(self._world, customer))
                if self._stop.wait(self._every_seconds):
                    return
        except BaseException as error:  # noqa: BLE001 - `stop` raises it again
            self._failure = error


def open_one(world: World, customer: str) -> Wanted:
    """Open one customer's problem, and return the step it makes due."""
    at = SystemClock().now()
    world.company.deployment.publish(opened(customer, now_ish()))
    return Wanted(*step(customer), customer, at)
