"""Are the scores of the stream those of training and evaluation?  Both, order by order, on real Kafka.

    python -m bench.streamed_scores --olist <folder> --model build/complaint-risk.json
    python -m bench.streamed_scores --orders 500 --json

Recorded orders (or, without --olist, those of a simulated shop) are told by the time of their events to
a predictor that runs as a service, and to the code of `care evaluate`.  Compared are the probability and
every value a score rests on, at every decision point of every parcel.  At a date that passes (a timer) the
stream says nothing where the parcel was over, or its feed not heard, by the next look: those are counted.
"""

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from services.churn_predictor.scoring import Scorecard, read_scorecard, score
from services.churn_predictor.settings import Settings
from services.churn_predictor.train.replay import replay
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.events import read
from services.contracts.problems import RiskKind
from services.contracts.purchases import OrderPlaced
from services.contracts.tolerances import Tolerances
from services.local import parts
from services.recorded.olist import read_orders, told_about
from services.shop.presets import PRESETS
from services.shop.shop import open_shop
from tests.support.service import running
from tests.support.topics import Deployment

_PATIENCE_SECONDS = 600.0

Name = tuple[str, str]
"""Shipment and decision point."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One score, and the values that it rests on."""

    probability: float
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Compared:
    """What both said at one decision point."""

    point: str
    both: int
    only_offline: int
    """The parcel was over, or its feed not heard, when the stream looked."""
    only_streamed: int
    unequal: int
    """More than 1e-9 apart, or resting on other values."""
    largest_difference: float
    """Of the probabilities."""


def compare(streamed: Mapping[Name, Scored], offline: Mapping[Name, Scored]) -> list[Compared]:
    """Return the comparison for each decision point, by its name."""
    names: dict[str, set[Name]] = defaultdict(set)
    for name in streamed.keys() | offline.keys():
        names[name[1]].add(name)
    return [_compared(point, names[point], streamed, offline) for point in sorted(names)]


def _compared(
    point: str,
    names: Iterable[Name],
    streamed: Mapping[Name, Scored],
    offline: Mapping[Name, Scored],
) -> Compared:
    seen: Counter[str] = Counter()
    largest = 0.0
    for name in names:
        if name not in streamed or name not in offline:
            seen["only streamed" if name in streamed else "only offline"] += 1
            continue
        ours, theirs = streamed[name], offline[name]
        apart = abs(ours.probability - theirs.probability)
        largest = max(largest, apart)
        seen["both"] += 1
        seen["unequal"] += apart > 1e-9 or ours.values != theirs.values
    return Compared(
        point, seen["both"], seen["only offline"], seen["only streamed"], seen["unequal"], largest
    )


def offline(events: Sequence[Event[Any]], card: Scorecard) -> dict[Name, Scored]:
    """Return every score up to the last event as training and evaluation compute it."""
    found = {}
    for case in replay(events, Tolerances()):
        for snapshot in (each for each in case.snapshots if each.at <= events[-1].time):
            result = score(card, snapshot.point, snapshot.values, None)
            values = {part.feature: part.value for part in result.contributions}
            name = case.shipment_id, snapshot.point.value
            found[name] = Scored(result.probability, values)
    return found


def streamed(assessments: Iterable[Mapping[str, Any]]) -> dict[Name, Scored]:
    """Return every score of a complaint as the topic has it."""
    return {
        (data["subject"], data["decision_point"]): Scored(
            data["probability"],
            {part["feature"]: part.get("value") for part in data["contributions"]},
        )
        for data in (each["data"] for each in assessments)
        if data["kind"] == RiskKind.COMPLAINT
    }


def recorded(folder: Path, orders: int) -> list[Event[Any]]:
    """Return the events of the last so many recorded orders, by time."""
    told = (event for order in read_orders(folder, last=orders) for event in told_about(order))
    return sorted(told, key=_at)


def simulated(orders: int) -> list[Event[Any]]:
    """Return the events of a simulated shop up to the last so many orders, by time, each once."""
    shop = open_shop(PRESETS["demo"], seed=1)
    told = {
        (event.source, event.id): event
        for publication in shop.advance(shop.end, ()).publications
        if not publication.refusable
        for event in [read(publication.body)]
    }
    return sorted(_of_first_orders(sorted(told.values(), key=_at), orders), key=_at)


def _of_first_orders(events: Sequence[Event[Any]], orders: int) -> Iterator[Event[Any]]:
    placed = [event for event in events if isinstance(event.data, OrderPlaced)][:orders]
    customers = {event.partitionkey for event in placed}
    return (event for event in events if event.partitionkey in customers)


def _at(event: Event[Any]) -> datetime:
    return event.time


def stream(
    events: Sequence[Event[Any]], model: Path, bootstrap: str, step: timedelta, folder: Path
) -> list[dict[str, Any]]:
    """Tell the events to a predictor in steps of simulated time; return what it assessed."""
    deployment = Deployment(bootstrap, "scores-")
    environment = {
        **deployment.environment(),
        "CARE_CHURN_PREDICTOR_HISTORIES": "on",
        "CARE_CHURN_PREDICTOR_MODEL": str(model.resolve()),
        "CARE_CHURN_PREDICTOR_FOLDER": str(folder / "state"),
    }
    with running("churn_predictor", environment, folder / "predictor.log"):
        _play(events, deployment, step)
    found = deployment.values(t.ASSESSMENTS)
    deployment.close()
    return found


def _play(events: Sequence[Event[Any]], deployment: Deployment, step: timedelta) -> None:
    """Tick wherever something happens or is due, until the last event has been looked at."""
    at, told = events[0].time - step, 0
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("streaming", total=len(events))
        while True:
            due = _pass(deployment, at)
            if due is not None and due <= at:
                # Told, asked and answered takes some ticks, of which none need time.
                continue
            if told == len(events):
                return
            ahead = min(each for each in (due, events[told].time) if each is not None)
            at += -(-(ahead - at) // step) * step
            until = bisect_right(events, at, key=_at)
            deployment.publish(*events[told:until])
            told = until
            progress.update(task, completed=told)


def _pass(deployment: Deployment, at: datetime) -> datetime | None:
    """Let a tick take effect; return when there is something to look at again without an event."""
    reached = deployment.await_barrier(deployment.tick(at), seconds=_PATIENCE_SECONDS)
    return min((each.next_due for each in reached if each.next_due is not None), default=None)


def _table(found: Iterable[Compared]) -> Table:
    table = Table(
        "decision point", "both", "only offline", "only streamed", "unequal", "largest difference"
    )
    for each in found:
        numbers = (each.both, each.only_offline, each.only_streamed, each.unequal)
        table.add_row(each.point, *map(str, numbers), f"{each.largest_difference:.1e}")
    return table


@click.command(help=__doc__)
@click.option(
    "--olist", type=click.Path(path_type=Path, exists=True), help="Folder of recorded orders."
)
@click.option("--model", type=click.Path(path_type=Path, exists=True), help="Else the shipped one.")
@click.option("--orders", default=5_000, show_default=True)
@click.option("--step-hours", default=3, show_default=True, help="Simulated time between looks.")
@click.option("--json", "as_json", is_flag=True)
def main(
    *, olist: Path | None, model: Path | None, orders: int, step_hours: int, as_json: bool
) -> None:
    """Stream, compute, compare; exit code 1 where they differ."""
    path = model or Path(Settings.model_fields["model"].default)
    events = recorded(olist, orders) if olist else simulated(orders)
    expected = offline(events, read_scorecard(path.read_bytes()))
    with parts.running() as found, TemporaryDirectory() as folder:
        said = stream(
            events, path, found.kafka_bootstrap, timedelta(hours=step_hours), Path(folder)
        )
    compared = compare(streamed(said), expected)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in compared], indent=2))
    else:
        Console(width=120).print(_table(compared))
    raise SystemExit(1 if any(each.unequal or each.only_streamed for each in compared) else 0)


if __name__ == "__main__":
    main()
