"""Which rows there are.  One more is a function from a scene to an outcome, and a line here."""

from collections.abc import Callable, Mapping

from tests.faults.ingest import fuzz, outages, strangers
from tests.faults.ingest.scene import Scene
from tests.faults.outreach.outcome import Outcome

ROWS: Mapping[str, Callable[[Scene], Outcome]] = {
    "broker_away": outages.away,
    "broker_frozen": outages.frozen,
    "slow_clients": strangers.slow,
    "many_connections": strangers.many,
    "large_bodies": strangers.large,
    "fuzz": fuzz.run,
}
"""Name → what runs it, in the order in which they are run."""
