"""A publisher sends wrong promise dates for ten thousand orders: how many customers hear of it.

The real predictor and outreach on a real Kafka, PostgreSQL and mail server, in simulated time.  All dates lie
two days ahead and are wrong, so a day later all parcels count as late, at once.

    python -m bench.wrong_promises --orders 10000
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.table import Table

from services.contracts.topics import OUTREACH, PROBLEMS
from services.local import parts
from services.outreach import breaker, migrate
from services.outreach.database import open_engine
from tests.factories import DAY, HOUR, START, placed, promised
from tests.support.mail import Sink, listening
from tests.support.outreach import environment, profile
from tests.support.service import running
from tests.support.topics import Deployment

_WRONG = START + 2 * DAY
_LATE = _WRONG + DAY
_PATIENCE_SECONDS = 600.0
_PLAYBOOK = "delivery_late"


@dataclass
class Moment:
    """How things stand after a tick."""

    what: str
    problems: int
    mails: int
    decisions: Counter[str]


@dataclass
class Company:
    """The deployment, driven by hand."""

    deployment: Deployment
    sink: Sink
    alive: int = 0

    def reach(self, at: datetime, what: str) -> Moment:
        """Let it become this moment, with a publisher that lives; return how things stand."""
        self.alive += 1
        self.deployment.publish(placed(f"o-alive-{self.alive}", customer="alive", at=at - HOUR / 2))
        number = self.deployment.tick(at)
        self.deployment.await_barrier(number, OUTREACH, _PATIENCE_SECONDS)
        decided = (
            value["data"]
            for value in self.deployment.values(OUTREACH)
            if value["type"].endswith("outreach.decided.v1")
        )
        outcomes = Counter(data.get("suppression") or data["outcome"] for data in decided)
        return Moment(
            what,
            sum("opened" in v["type"] for v in self.deployment.values(PROBLEMS)),
            len(self.sink.mails),
            outcomes,
        )


@contextmanager
def company(folder: Path) -> Iterator[tuple[Company, str]]:
    """Yield a company with predictor and outreach at work, and its database's address."""
    sink = Sink()
    with parts.running(environment={}) as found, listening(sink):
        migrate.upgrade(found.database_url)
        deployment = Deployment(found.kafka_bootstrap, "bench-")
        names = environment(deployment, found.database_url, sink.port)
        with (
            running("churn_predictor", names, folder / "predictor.log"),
            running("outreach", names, folder / "outreach.log"),
        ):
            yield Company(deployment, sink), found.database_url
            deployment.close()


def play(orders: int, folder: Path) -> list[Moment]:
    """Return how things stand, moment by moment."""
    with company(folder) as (made, database_url):
        names = [f"c-{n}" for n in range(orders)]
        made.deployment.publish(*(profile(name, START, time_zone="UTC") for name in names))
        moments = [made.reach(START, "before")]
        made.deployment.publish(
            *(placed(f"o-{n}", customer=n, at=START, event_id=f"p-{n}") for n in names),
            *(
                promised(f"sh-{n}", f"o-{n}", _WRONG, customer=n, at=START, event_id=f"s-{n}")
                for n in names
            ),
        )
        moments.append(made.reach(_WRONG + 12 * HOUR, "the wrong day is over"))
        noon = _LATE + 12 * HOUR
        moments.append(made.reach(noon, "all count as late"))
        moments += [made.reach(noon + n * HOUR, f"{n} h later") for n in (1, 3, 25)]
        _reject(database_url, noon + 25 * HOUR)
        moments.append(made.reach(noon + 26 * HOUR, "a person rejected them"))
        return moments


def _reject(database_url: str, at: datetime) -> None:
    engine = open_engine(database_url, "bench")
    with engine.begin() as connection:
        breaker.resolve(connection, _PLAYBOOK, 0, "bench", at)
    engine.dispose()


@click.command()
@click.option("--orders", default=10_000, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(orders: int, as_json: bool) -> None:
    """Play it and print how things stood."""
    with TemporaryDirectory() as folder:
        moments = play(orders, Path(folder))
    if as_json:
        click.echo(json.dumps([vars(moment) for moment in moments]))
        return
    outcomes = sorted({outcome for moment in moments for outcome in moment.decisions})
    table = Table("when", "problems", "mails", *outcomes, title=f"{orders:,} wrong dates")
    for moment in moments:
        counts = (str(moment.decisions[outcome]) for outcome in outcomes)
        table.add_row(moment.what, str(moment.problems), str(moment.mails), *counts)
    Console().print(table)


if __name__ == "__main__":
    main()
