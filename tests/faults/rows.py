"""Which rows there are: each disturbance with each store, more seeds where workers share the work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.disturbances import DISTURBANCES
from tests.faults.loads import FULL, Load

STORES = ("memory", "rocksdb")
_SEEDS_ALONE = (1,)
_SEEDS_TOGETHER = (1, 2, 3)

_QUICK = (
    "none/rocksdb",
    "kill/rocksdb",
    "empty_store/rocksdb",
    "deadly_record/memory",
    "broker_kill/rocksdb",
    "remade_topic/rocksdb",
    "kill_one/rocksdb",
    "freeze_one/memory",
    "joins_and_kills/rocksdb",
    "scale/memory",
)
"""The dangerous ones, with the stores in turn."""


class UnknownRow(Exception):
    """There is no such row; the message lists what there is."""


@dataclass(frozen=True, slots=True)
class Row:
    """One run of the whole pipeline, disturbed in one way."""

    disturbance: str
    store: str
    seed: int
    load: Load

    @property
    def name(self) -> str:
        """As a folder is called."""
        return f"{self.disturbance}-{self.store}-{self.seed}-{self.load.name}"


def planned(load: Load) -> tuple[Row, ...]:
    """Return the rows that are run with this load when nobody asks for one of them."""
    if load is not FULL:
        pairs = (name.split("/") for name in _QUICK)
        return tuple(Row(disturbance, store, 1, load) for disturbance, store in pairs)
    return tuple(_every(load))


def asked(name: str, seed: int | None, load: Load) -> tuple[Row, ...]:
    """Return the rows `<disturbance>` or `<disturbance>/<store>`; without a seed, with all of theirs.

    Raises:
        UnknownRow: no disturbance or store is called so.
    """
    disturbance, _, store = name.partition("/")
    if disturbance not in DISTURBANCES:
        raise UnknownRow(f"no disturbance {disturbance}; there are {', '.join(DISTURBANCES)}")
    if store and store not in STORES:
        raise UnknownRow(f"no store {store}; there are {', '.join(STORES)}")
    seeds = seeds_of(disturbance) if seed is None else (seed,)
    return tuple(
        Row(disturbance, s, n, load) for s in STORES if s == store or not store for n in seeds
    )


def seeds_of(disturbance: str) -> Sequence[int]:
    """Return the seeds a disturbance is run with."""
    together = DISTURBANCES[disturbance].most_workers > 1
    return _SEEDS_TOGETHER if together else _SEEDS_ALONE


def _every(load: Load) -> Iterator[Row]:
    for disturbance in DISTURBANCES:
        for store in STORES:
            for seed in seeds_of(disturbance):
                yield Row(disturbance, store, seed, load)
