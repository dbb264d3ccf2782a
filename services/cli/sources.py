"""What `care train` and `care evaluate` learn from: recorded files, or a deployment's own topics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click

from services.churn_predictor.train.purchases import Purchases, midnight
from services.churn_predictor.train.replay import Case
from services.cli import lapse, on_topics, records
from services.cli.deployment import Place
from services.cli.tolerances import tolerances
from services.contracts.problems import RiskKind
from services.contracts.tolerances import Tolerances
from services.contracts.topics import DEFAULT_PARTITIONS
from services.kit.progress import Tell

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "--olist", "folder", type=click.Path(path_type=Path), metavar="DIR",
        help="Folder with the Olist files (.csv or .csv.gz): the risk of a complaint.",
    ),
    click.option(
        "--purchases", "bought", type=click.Path(path_type=Path), metavar="FILE",
        help="CSV (or .csv.gz) with the columns customer, date and amount: the risk of a lapse.",
    ),
    click.option(
        "--topics", "risk", type=click.Choice([kind.value for kind in RiskKind]),
        help="The events on a deployment's own topics, and which risk to look at.",
    ),
    click.option(
        "--bootstrap", envvar="KAFKA_BOOTSTRAP_SERVERS", metavar="HOST:PORT,…", show_envvar=True,
        help="Kafka's address, for --topics.",
    ),
    click.option(
        "--prefix", envvar="CARE_TOPIC_PREFIX", default="", show_envvar=True,
        help="Put before every topic name, for --topics.",
    ),
    click.option(
        "--partitions", envvar="CARE_PARTITIONS", type=click.IntRange(min=1),
        default=DEFAULT_PARTITIONS, show_default=True, show_envvar=True,
        help="Partitions of every topic, for --topics.",
    ),
    tolerances,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One of the three, as it was named on the command line."""

    folder: Path | None
    bought: Path | None
    risk: str | None
    bootstrap: str | None
    prefix: str
    partitions: int
    tolerances: Tolerances | None

    def __post_init__(self) -> None:
        """Refuse a command line that names none of them, or more than one.

        Raises:
            click.UsageError: it does, or does not say where the topics are.
        """
        if sum(each is not None for each in (self.folder, self.bought, self.risk)) != 1:
            raise click.UsageError("name one of --olist, --purchases and --topics")
        if self.risk is not None and not self.bootstrap:
            raise click.UsageError("--topics needs --bootstrap or KAFKA_BOOTSTRAP_SERVERS")

    @property
    def kind(self) -> RiskKind:
        """Which risk can be learned from it."""
        if self.risk is not None:
            return RiskKind(self.risk)
        return RiskKind.COMPLAINT if self.bought is None else RiskKind.LAPSE

    @property
    def option(self) -> str:
        """What names it on the command line."""
        if self.risk is not None:
            return f"--topics {self.risk}"
        return "--olist" if self.bought is None else "--purchases"

    @property
    def is_topics(self) -> bool:
        """Whether it is a deployment's own topics."""
        return self.risk is not None

    def midnight(self, day: date) -> datetime:
        """Return when this day began: where the recorded shop is, or in UTC."""
        return midnight(day) if self.is_topics else records.midnight(day)

    def cases(self, tell: Tell) -> Sequence[Case]:
        """Return a case for every order; leaves with one line where there is none to read."""
        if self.folder is not None:
            return records.read_cases(self.folder, tell, self.tolerances)
        return on_topics.read_cases(self._place, tell, self.tolerances)

    def purchases(self, tell: Tell) -> Purchases:
        """Return who bought when; leaves with one line where there is nothing to read."""
        if self.bought is not None:
            return lapse.read_file(self.bought, tell)
        return on_topics.read_bought(self._place, tell)

    @property
    def _place(self) -> Place:
        return Place(self.bootstrap or "", self.prefix, self.partitions)


def source(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a source; it is called with one as `source`."""

    @wraps(command)
    def with_source(**given: Any) -> Any:
        named = {each.name: given.pop(each.name) for each in fields(Source)}
        return command(source=Source(**named), **given)

    decorated: Callable[..., Any] = with_source
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
