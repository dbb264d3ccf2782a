"""How much is played while the stream is disturbed."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One size of shop, and how long things stay broken in it."""

    name: str
    customers: int
    days: int
    step: timedelta
    freeze_seconds: float
    """How long a worker or the broker stands still."""
    long_freeze_seconds: float
    """How long a worker that has another beside it, or the broker, stands still at the worst."""
    patience_seconds: float = 300.0
    """How long one step may take before the run is given up."""
    session_seconds: float = 6.0
    """Silence after which a worker is out of its group; the broker of the laptop allows a second."""
    partitions: int = 4
    """Three workers cannot share them evenly: one of them has more."""


FULL = Load(
    name="full",
    customers=1000,
    days=14,
    step=timedelta(hours=6),
    freeze_seconds=20.0,
    long_freeze_seconds=60.0,
)
QUICK = Load(
    name="quick",
    customers=500,
    days=7,
    step=timedelta(hours=6),
    freeze_seconds=6.0,
    long_freeze_seconds=9.0,
    patience_seconds=120.0,
    session_seconds=3.0,
)
TINY = Load(
    name="tiny",
    customers=100,
    days=5,
    step=timedelta(hours=6),
    freeze_seconds=5.0,
    long_freeze_seconds=6.0,
    patience_seconds=60.0,
    session_seconds=3.0,
)
"""For `make test`."""

LOADS = {load.name: load for load in (FULL, QUICK, TINY)}
