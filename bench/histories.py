"""What histories cost: the same orders, steps and broker with them off and on, in turn.

A round: a fresh deployment and one worker that lives through the orders in steps of twelve simulated
hours, published while it is paused.  What is measured is its CPU time from the first tick to the last.

    python -m bench.histories --customers 1000 --rounds 1
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from string import ascii_uppercase
from tempfile import TemporaryDirectory
from typing import Any

import click
import psutil

from services.contracts import topics as t
from services.contracts.contacts import SurveyAnswered, SurveyKind
from services.contracts.deliveries import (
    CheckpointStatus,
    ShipmentCheckpoint,
    ShipmentDelivered,
    ShipmentHandedOver,
    ShipmentPromised,
)
from services.contracts.envelope import Event, Fact
from services.contracts.purchases import OrderApproved, OrderLine, OrderPlaced
from services.local import parts
from tests.support.topics import Deployment

HOME = Path(__file__).resolve().parents[1]
START = datetime(2026, 3, 2, tzinfo=UTC)
ORDERS_EACH = 4
STEP = timedelta(hours=12)
_SELLERS, _PRODUCTS, _CATEGORIES = 500, 3_000, 70
_PATIENCE_SECONDS = 600.0
_SESSION_SECONDS = "120"
"""Longer than the worker is ever paused."""


def story(customers: int) -> Iterator[Event[Any]]:
    """Yield every event by time: orders from purchase to the answer about them."""
    for order in range(ORDERS_EACH):
        for stage in range(len(_facts("", 0))):
            at = START + timedelta(days=7 * order) + stage * STEP
            for number in range(customers):
                customer = f"c-{number:06}"
                order_id = f"{customer}-o{order}"
                fact = _facts(order_id, number * 31 + order * 7, at)[stage]
                yield Event[Any](
                    id=f"{order_id}-{stage}",
                    source="/shop",
                    type=fact.TYPE,
                    time=at,
                    partitionkey=customer,
                    data=fact,
                )


def _facts(order_id: str, n: int, at: datetime = START) -> Sequence[Fact]:
    order_id = order_id or "o"
    names = {"order_id": order_id, "shipment_id": f"{order_id}-s"}
    line = OrderLine(
        product_id=f"p-{n % _PRODUCTS}",
        seller_id=f"s-{n % _SELLERS}",
        category=f"cat-{n % _CATEGORIES}",
        price_minor=4900,
    )
    promise = ShipmentPromised(
        **names,
        promised_by=at + timedelta(days=5),
        ship_by=at + timedelta(days=2),
        carrier="swift-parcel",
        origin_region=f"BR-{ascii_uppercase[n % 8]}",
        destination_region=f"BR-{ascii_uppercase[n % 26]}",
    )
    return (
        OrderPlaced(order_id=order_id, currency="EUR", freight_minor=490, lines=(line,)),
        promise,
        OrderApproved(order_id=order_id),
        ShipmentHandedOver(**names, carrier="swift-parcel"),
        ShipmentCheckpoint(**names, carrier="swift-parcel", status=CheckpointStatus.IN_TRANSIT),
        ShipmentDelivered(**names, carrier="swift-parcel"),
        SurveyAnswered(
            survey_id=f"v-{order_id}", kind=SurveyKind.CSAT, score=1 + n % 5, order_id=order_id
        ),
    )


def measure(use: str, bootstrap: str, told: Sequence[Event[Any]], folder: Path) -> str:
    """Run one round and return what it took, in words."""
    deployment = Deployment(bootstrap, f"bench-{secrets.token_hex(3)}-")
    environment = {
        **os.environ,
        **deployment.environment(),
        "CARE_CHURN_PREDICTOR_HISTORIES": use,
        "CARE_CHURN_PREDICTOR_FOLDER": str(folder / deployment.prefix),
        "CARE_CHURN_PREDICTOR_SESSION_SECONDS": _SESSION_SECONDS,
    }
    command = [sys.executable, "-m", "services.churn_predictor"]
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(command, env=environment, cwd=HOME, stdout=quiet, stderr=quiet)
    try:
        _pass(deployment, START)
        process = psutil.Process(child.pid)
        before = process.cpu_times()
        _live(deployment, child, told)
        after, rss = process.cpu_times(), process.memory_info().rss
    finally:
        child.kill()
        child.wait()
    spent = after.user + after.system - before.user - before.system
    found = (
        f"{len(told) / spent:6.0f} events per CPU second  {rss / 2**20:5.0f} MiB  "
        f"histories {_mib(deployment, t.HISTORIES):6.1f} MiB  "
        f"changelog {_mib(deployment, t.FACTS_CHANGELOG):6.1f} MiB"
    )
    deployment.close()
    return found


def _live(
    deployment: Deployment, child: "subprocess.Popen[bytes]", told: Sequence[Event[Any]]
) -> None:
    at = START
    for at, events in groupby(told, key=lambda event: event.time + STEP):
        child.send_signal(signal.SIGSTOP)
        deployment.publish(*events)
        child.send_signal(signal.SIGCONT)
        _pass(deployment, at)
    for _ in range(2):
        # What was told last is answered at one, and used at the other.
        _pass(deployment, at)


def _pass(deployment: Deployment, at: datetime) -> None:
    deployment.await_barrier(deployment.tick(at), seconds=_PATIENCE_SECONDS)


def _mib(deployment: Deployment, topic: t.Topic) -> float:
    return sum(len(record.value or b"") for record in deployment.records(topic)) / float(2**20)


@click.command()
@click.option("--customers", default=1_000, show_default=True)
@click.option("--rounds", default=1, show_default=True)
def main(customers: int, rounds: int) -> None:
    """Compare a worker that counts histories with one that does not."""
    told = sorted(story(customers), key=lambda event: event.time)
    with parts.running() as found, TemporaryDirectory() as folder:
        for number in range(rounds):
            for use in ("off", "on"):
                took = measure(use, found.kafka_bootstrap, told, Path(folder))
                click.echo(f"round {number + 1}  {use:3}  {len(told)} events  {took}")


if __name__ == "__main__":
    main()
