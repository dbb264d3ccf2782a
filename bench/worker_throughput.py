"""How many events the predictor's worker applies per second of its own CPU time, in several variants.

All variants read the same events of the same broker, one after the other and in turn, so that a noisy
machine hits all of them.  A round: a fresh deployment holding all events, then a worker that starts,
applies them, lets one tick take effect over all customers, and is stopped.

    python -m bench.worker_throughput --events 200000 --rounds 3
    python -m bench.worker_throughput --before ../earlier-checkout --json
"""

import json
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import psutil

from services.contracts.deliveries import (
    CheckpointStatus,
    PromiseSource,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentHandedOver,
    ShipmentPromised,
)
from services.contracts.envelope import Event
from services.contracts.purchases import OrderLine, OrderPlaced
from services.kit.clock import monotonic
from services.local import parts
from tests.support.topics import Deployment

HOME = Path(__file__).resolve().parents[1]
START = datetime(2026, 3, 2, tzinfo=UTC)
ORDERS_EACH = 4
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the worker."""

    name: str
    module: str = "services.churn_predictor"
    home: Path = HOME
    settings: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement of one variant."""

    variant: str
    events: int
    cpu_seconds: float
    wall_seconds: float
    rss_mib: float

    @property
    def events_per_cpu_second(self) -> float:
        """Events applied per second of the worker's CPU time, its start included."""
        return self.events / self.cpu_seconds


def story(events: int) -> Iterator[Event[Any]]:
    """Yield about this many events: orders that are promised, handed over, scanned and delivered."""
    customers = events // (5 * ORDERS_EACH)
    for order in range(ORDERS_EACH):
        for stage in range(5):
            for number in range(customers):
                yield _event(f"c-{number:06}", order, stage)


def _event(customer: str, order: int, stage: int) -> Event[Any]:
    order_id, at = f"{customer}-o{order}", START + timedelta(days=7 * order, hours=12 * stage)
    names = {"order_id": order_id, "shipment_id": f"{order_id}-s"}
    line = OrderLine(product_id="p-1", seller_id="s-1", quantity=1, price_minor=4900)
    facts = (
        OrderPlaced(order_id=order_id, currency="EUR", freight_minor=490, lines=(line,)),
        ShipmentPromised(
            **names,
            promised_by=at + timedelta(days=5),
            ship_by=at + timedelta(days=2),
            promise_source=PromiseSource.COMPANY,
            carrier="swift-parcel",
        ),
        ShipmentHandedOver(**names, carrier="swift-parcel"),
        ShipmentCheckpoint(**names, carrier="swift-parcel", status=CheckpointStatus.IN_TRANSIT),
        ShipmentDelivered(**names, carrier="swift-parcel"),
    )
    fact = facts[stage]
    return Event[Any](
        id=f"{order_id}-{stage}",
        source="/shop",
        type=fact.TYPE,
        time=at,
        partitionkey=customer,
        data=fact,
    )


def measure(variant: Variant, bootstrap: str, told: Sequence[Event[Any]], folder: Path) -> Round:
    """Run one round and return what it took."""
    deployment = Deployment(bootstrap, f"bench-{secrets.token_hex(3)}-")
    try:
        # Time begins behind all events: none of them lies ahead of it.
        deployment.tick(START + timedelta(days=30))
        deployment.publish(*told)
        # Within the horizon: every customer is looked at once.
        last = deployment.tick(START + timedelta(days=60))
        environment = {
            **os.environ,
            **deployment.environment(**(variant.settings or {})),
            "CARE_CHURN_PREDICTOR_FOLDER": str(folder / deployment.prefix),
            "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6",
            "PYTHONPATH": os.pathsep.join((str(variant.home), str(HOME))),
        }
        return _watch(variant, environment, deployment, last, len(told))
    finally:
        deployment.close()


def _watch(
    variant: Variant, environment: Mapping[str, str], deployment: Deployment, last: int, events: int
) -> Round:
    began = monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", variant.module],
        env=environment,
        cwd=variant.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deployment.await_barrier(last, seconds=_PATIENCE_SECONDS)
        wall, process = monotonic() - began, psutil.Process(child.pid)
        spent, rss = process.cpu_times(), process.memory_info().rss
        child.terminate()
        child.wait(30)
    finally:
        child.kill()
    return Round(variant.name, events, spent.user + spent.system, wall, rss / 1024 / 1024)


def variants(before: Path | None) -> list[Variant]:
    """Return what is compared."""
    found = [
        Variant("now, memory"),
        Variant("now, memory, not fenced", module="bench.unfenced_worker"),
        Variant("now, RocksDB", settings={"CARE_CHURN_PREDICTOR_STORE": "rocksdb"}),
    ]
    return [*([Variant("before", home=before.resolve())] if before else []), *found]


def summary(rounds: Sequence[Round]) -> dict[str, dict[str, float]]:
    """Return the medians of each variant."""
    by_variant: dict[str, list[Round]] = {}
    for one in rounds:
        by_variant.setdefault(one.variant, []).append(one)
    return {
        name: {
            "events_per_cpu_second": statistics.median(o.events_per_cpu_second for o in found),
            "events_per_second": statistics.median(o.events / o.wall_seconds for o in found),
            "rss_mib": statistics.median(o.rss_mib for o in found),
        }
        for name, found in by_variant.items()
    }


@click.command()
@click.option("--events", default=200_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option(
    "--before",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="An earlier checkout to compare with.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every round and the medians as JSON.")
def main(events: int, rounds: int, before: Path | None, as_json: bool) -> None:
    """Compare variants of the predictor's worker on a broker of this machine."""
    told = list(story(events))
    measured: list[Round] = []
    with parts.running() as found, TemporaryDirectory() as folder:
        for number in range(rounds):
            for variant in variants(before):
                one = measure(variant, found.kafka_bootstrap, told, Path(folder))
                measured.append(one)
                click.echo(
                    f"round {number + 1}  {one.variant:26} {one.events_per_cpu_second:8.0f} events "
                    f"per CPU second  {one.wall_seconds:6.1f} s  {one.rss_mib:6.0f} MiB",
                    err=True,
                )
    result = {"rounds": [asdict(one) for one in measured], "medians": summary(measured)}
    click.echo(json.dumps(result if as_json else result["medians"], indent=2))


if __name__ == "__main__":
    main()
