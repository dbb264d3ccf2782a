"""A tick over a million open expectations costs what those cost that are due.

One partition is filled as the worker fills it: events are applied, ticks take effect, states lie in its
store as bytes.  Then it is begun anew from that store, as after a restart, and its ticks are measured in
turn with those of partitions that hold the due customers alone.  A tick is here what the worker does
between two commits, without Kafka: whoever is due is looked at, and what changed goes into the store.

    python -m bench.open_expectations --customers 200000 --parcels 4 --due 100
"""

import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from services.churn_predictor.expectations.every import watches
from services.churn_predictor.partition import Partition
from services.churn_predictor.silence import Listener
from services.churn_predictor.state import CustomerState
from services.contracts.deliveries import ShipmentPromised
from services.contracts.envelope import Event, Fact
from services.contracts.purchases import OrderLine, OrderPlaced
from services.kit.records import read_event
from services.kit.stores import MemoryStore
from tests.unit.churn_predictor.stream import ALONE, RULES, TOPIC_IDS, Stream

START = datetime(2026, 3, 2, tzinfo=UTC)
SHOP, UNHEARD = "/shop/orders", "/shop/unheard"
"""Who promises.  Of the second nothing is heard any more: what it promised waits to be believed."""

_SECOND, _HOUR, _DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
_FIRST_TURN = START + 2 * _HOUR
_MOST_ROUNDS = 20
"""A turn an hour: all of them before an absence is believed in spite of the silence."""
_ONE_WAITS_OF = 10
_CHUNK = 5_000
_REBUILDS = 3
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Town:
    """Who lives in the partition."""

    customers: int
    parcels: int
    """Promised to each of them, and not yet there."""
    due: int
    """How many customers' turn comes in one round."""
    rounds: int

    def turn(self, number: int) -> range:
        """Return whose turn comes in this round."""
        return range(number * self.due, (number + 1) * self.due)

    def promises(self, customer: int) -> tuple[str, Sequence[datetime]]:
        """Return who promised this customer's parcels, and their dates.

        Most are promised weeks ahead.  Those who have a turn are due in it with one parcel; of all
        others some wait, because the date of one has come and its publisher is silent.
        """
        ahead = START + 20 * _DAY + (customer * 7919) % (30 * 86_400) * _SECOND
        dates = [ahead + number * _DAY for number in range(self.parcels)]
        turn, at_risk = customer // self.due, RULES.tolerances.at_risk_before_promise
        if turn < self.rounds:
            return SHOP, [at_turn(turn) + at_risk, *dates[1:]]
        if customer % _ONE_WAITS_OF == 0:
            return UNHEARD, [START + 30 * _SECOND + at_risk, *dates[1:]]
        return SHOP, dates


def at_turn(number: int) -> datetime:
    """Return when somebody is due in this round."""
    return _FIRST_TURN + number * _HOUR


def _id(customer: int) -> str:
    return f"c-{customer:07}"


def story(town: Town, customer: int) -> Iterator[Event[Any]]:
    """Yield what happened to this customer: an order whose parcels are promised."""
    name = _id(customer)
    source, dates = town.promises(customer)
    lines = tuple(
        OrderLine(product_id=f"p-{n}", seller_id=f"s-{n}", price_minor=4900)
        for n in range(len(dates))
    )
    facts: list[Fact] = [OrderPlaced(order_id=f"{name}-o", currency="EUR", lines=lines)]
    facts += [
        ShipmentPromised(
            shipment_id=f"{name}-s{n}",
            order_id=f"{name}-o",
            promised_by=date,
            carrier="swift-parcel",
            time_zone="Europe/Berlin",
        )
        for n, date in enumerate(dates)
    ]
    for n, fact in enumerate(facts):
        yield Event[Any](
            id=f"{name}-{n}",
            source=source,
            type=fact.TYPE,
            time=START - _DAY,
            partitionkey=name,
            data=fact,
        )


def open_expectations(state: CustomerState, now: datetime) -> int:
    """Return how many watches of this customer have not ended and have a step ahead of `now`."""
    return sum(
        watch.ended is None and any(step.deadline > now for step in watch.steps)
        for watch in watches(state.facts, RULES.tolerances)
    )


@dataclass(slots=True)
class Hosted:
    """A partition with its store, as a worker has it."""

    store: MemoryStore = field(default_factory=MemoryStore)
    ends: dict[str, int] = field(default_factory=dict)
    number: int = -1
    stream: Stream = field(init=False)

    def __post_init__(self) -> None:
        """Begin with what the store has."""
        self.stream = Stream(open_partition(self.store), ends=self.ends, number=self.number)

    def begun_anew(self) -> "Hosted":
        """Return it as it is after a restart: nobody is decoded."""
        return Hosted(self.store, self.stream.ends, self.stream.number)

    def settle_in(self, town: Town, customers: Sequence[int]) -> int:
        """Apply these customers' events, look at all of them, and return how many expectations are open."""
        now, opened = START, 0
        self.tick(now)
        for number, begin in enumerate(range(0, len(customers), _CHUNK)):
            now = START + (60 + number) * _SECOND
            chunk = customers[begin : begin + _CHUNK]
            self.stream.give(*chain.from_iterable(story(town, each) for each in chunk))
            self.stream.tick(now)
            opened += sum(open_expectations(state, now) for state in self._known(chunk))
            self._commit()
        return opened

    def _known(self, customers: Iterable[int]) -> Iterator[CustomerState]:
        for customer in customers:
            known = self.stream.partition.customers.get(_id(customer))
            assert known is not None
            yield known

    def tick(self, at: datetime) -> int:
        """Let a tick take effect, commit, and return how many customers were looked at."""
        self.stream.tick(at)
        return self._commit()

    def _commit(self) -> int:
        partition = self.stream.partition
        changes = list(partition.changes())
        self.store.keep(changes, 0)
        partition.settle()
        # One of them is the partition's own.
        return len(changes) - 1


def open_partition(store: MemoryStore) -> Partition:
    """Return a partition that goes on from this store."""
    listener = Listener(0, lambda feed: True, RULES.tolerances)
    partition = Partition(0, RULES, read_event, store, listener, ALONE)
    partition.take_in(store.items())
    partition.trust(TOPIC_IDS)
    return partition


@dataclass(frozen=True, slots=True)
class Cost:
    """What one tick took."""

    cpu_seconds: float
    looked_at: int


def cost(hosted: Hosted, at: datetime) -> Cost:
    """Return what a tick at this instant takes."""
    began = time.process_time()
    looked_at = hosted.tick(at)
    return Cost(time.process_time() - began, looked_at)


Costs = dict[str, list[Cost]]
"""`due` or `nobody`, and whether in the `full` partition or `alone` → each round's."""


def compare(full: Hosted, alone: Sequence[Hosted]) -> Costs:
    """Measure a tick at which nobody is due, and one at which some are, in turn in both partitions."""
    costs: Costs = {}
    for number, small in enumerate(alone):
        both = [("full", full), ("alone", small)]
        for what, at in (("nobody", at_turn(number) - _HOUR / 2), ("due", at_turn(number))):
            for where, hosted in both if number % 2 else reversed(both):
                costs.setdefault(f"{what} {where}", []).append(cost(hosted, at))
    return costs


def index_bytes(store: MemoryStore) -> int:
    """Return how much memory a partition takes that was begun from this store and looked at nobody."""
    gc.collect()
    tracemalloc.start()
    # Kept until it was measured.
    partition = open_partition(store)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del partition
    return taken


def rebuild_seconds(store: MemoryStore) -> float:
    """Return the CPU time of beginning a partition from its store, the median of some."""
    took = []
    for _ in range(_REBUILDS):
        began = time.process_time()
        open_partition(store)
        took.append(time.process_time() - began)
    return statistics.median(took)


def measure(town: Town) -> dict[str, Any]:
    """Fill, restart and measure; return every figure."""
    filled = Hosted()
    began = time.process_time()
    opened = filled.settle_in(town, range(town.customers))
    took = time.process_time() - began
    alone = []
    for number in range(town.rounds):
        small = Hosted()
        small.settle_in(town, town.turn(number))
        alone.append(small.begun_anew())
    full = filled.begun_anew()
    del filled
    due, waiting = len(full.stream.partition.due), len(full.stream.partition.waiting)
    taken = index_bytes(full.store)
    return {
        "town": asdict(town),
        "open_expectations": opened,
        "entries_due": due,
        "entries_waiting": waiting,
        "store_mib": sum(len(key) + len(value) for key, value in full.store.items()) / _MIB,
        "fill_cpu_seconds": took,
        "index_mib": taken / _MIB,
        "index_bytes_per_entry": taken / (due + waiting),
        "rebuild_cpu_seconds": rebuild_seconds(full.store),
        **summary(compare(full, alone)),
    }


def summary(costs: Costs) -> dict[str, Any]:
    """Return medians in milliseconds and the ratio of full to alone, by what was measured."""
    milliseconds = {name: [1000 * c.cpu_seconds for c in found] for name, found in costs.items()}
    medians = {name: statistics.median(found) for name, found in milliseconds.items()}
    return {
        "looked_at": {name: sorted({c.looked_at for c in found}) for name, found in costs.items()},
        "milliseconds": milliseconds,
        "median_milliseconds": medians,
        "ratio": {what: medians[f"{what} full"] / medians[f"{what} alone"] for what in _MEASURED},
    }


_MEASURED = {"due": "{due} are due", "nobody": "nobody is due"}


def _table(found: Mapping[str, Any]) -> Table:
    table = Table("tick, CPU ms", "looked at", "full partition", "the due alone", "ratio")
    for what, words in _MEASURED.items():
        table.add_row(
            words.format(**found["town"]),
            ", ".join(map(str, found["looked_at"][f"{what} full"])),
            *(_spread(found["milliseconds"][f"{what} {where}"]) for where in ("full", "alone")),
            f"{found['ratio'][what]:.2f}",
        )
    return table


def _spread(milliseconds: Sequence[float]) -> str:
    middle = statistics.median(milliseconds)
    return f"{middle:.2f} ({min(milliseconds):.2f} to {max(milliseconds):.2f})"


def _words(found: Mapping[str, Any]) -> str:
    town = found["town"]
    return (
        f"{found['open_expectations']:,} open expectations: of {town['customers']:,} customers, "
        f"{town['parcels']} parcels each and when each will buy again\n"
        f"{found['entries_due']:,} index entries, one a customer, and {found['entries_waiting']:,} "
        f"who wait for a silent feed: {found['index_mib']:.1f} MiB, "
        f"{found['index_bytes_per_entry']:.0f} bytes each; the store {found['store_mib']:.0f} MiB\n"
        f"index rebuilt from the store in {found['rebuild_cpu_seconds']:.1f} s of CPU time, "
        f"store filled from events in {found['fill_cpu_seconds']:.0f} s"
    )


@click.command(epilog="Example: python -m bench.open_expectations --customers 50000 --rounds 5")
@click.option("--customers", type=click.IntRange(1), default=200_000, show_default=True)
@click.option("--parcels", type=click.IntRange(1), default=4, show_default=True, help="Of each.")
@click.option("--due", type=click.IntRange(1), default=100, show_default=True)
@click.option("--rounds", type=click.IntRange(1, _MOST_ROUNDS), default=15, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print every round and the medians as JSON.")
def main(*, customers: int, parcels: int, due: int, rounds: int, as_json: bool) -> None:
    """Measure ticks of one full partition against those of one that holds only who is due."""
    if customers < due * rounds:
        raise click.UsageError("every round needs customers of its own: fewer --due or --rounds")
    found = measure(Town(customers, parcels, due, rounds))
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    click.echo(_words(found))
    Console(width=110).print(_table(found))


if __name__ == "__main__":
    main()
