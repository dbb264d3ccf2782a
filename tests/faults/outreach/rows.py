"""Which rows there are.  One more is a module with `run(scene) -> Outcome`, and a line here."""

from collections.abc import Callable, Mapping

from tests.faults.outreach import kills, smtp_faults, two_replicas
from tests.faults.outreach.outcome import Outcome
from tests.faults.outreach.world import Scene

Run = Callable[[Scene], Outcome]

ROWS: Mapping[str, Run] = {
    "kills": kills.run,
    "two_replicas": two_replicas.run,
    "smtp_faults": smtp_faults.run,
}
"""Name → what runs it, in the order in which they are run."""
