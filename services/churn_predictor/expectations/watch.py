"""One thing that may go wrong for one customer: since when, by when, and what would end it."""

from dataclasses import dataclass
from datetime import datetime

from services.churn_predictor.facts import Stamp
from services.churn_predictor.parcels import Parcel
from services.contracts.problems import Actor, DecisionPoint, ProblemKind, Tier


@dataclass(frozen=True, slots=True)
class Step:
    """A deadline, and how bad it is that it passed."""

    tier: Tier
    deadline: datetime
    feeds: tuple[str, ...] = ()
    """Whose silence would explain that we heard nothing; none: an event is the trouble, no absence."""
    point: DecisionPoint | None = None
    """Where the complaint risk of the parcel is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """See `docs/expectations.md`."""

    kind: ProblemKind
    subject: str
    anchor: Stamp
    """What started the clock.  A later one ends what was said since the earlier."""
    steps: tuple[Step, ...] = ()
    """By rising deadline."""
    ended: Stamp | None = None
    """What met the promise or made it void."""
    renewed: Stamp | None = None
    """What ended the time before the anchor; None: the anchor itself."""
    order_id: str | None = None
    promised_by: datetime | None = None
    actor: Actor = Actor.US
    grounds: tuple[Stamp | None, ...] = ()
    """What it rests on; empty: the anchor."""
    parcel: Parcel | None = None
    """Where it is about one."""

    @property
    def name(self) -> str:
        """The name of its episodes in the state."""
        return f"{self.kind}|{self.subject}"


def carrier_feed(carrier: str) -> str:
    """Return the name of a carrier's feed."""
    return f"carrier:{carrier}"


def scans_feed(carrier: str) -> str:
    """Return the name under which a carrier's checkpoints are heard."""
    return f"{SCANS}{carrier}"


def publisher_feed(source: str) -> str:
    """Return the name of a publisher's feed."""
    return f"{_PUBLISHER}{source}"


def is_publisher(feed: str) -> bool:
    """Return whether this is the name of a publisher's feed."""
    return feed.startswith(_PUBLISHER)


_PUBLISHER = "publisher:"
SCANS = "scans:"
"""What never told a checkpoint proves nothing by telling none."""
