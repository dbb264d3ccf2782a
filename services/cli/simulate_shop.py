"""`care simulate-shop`: invented customers who buy, wait, complain and leave, in a file or a deployment."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, BinaryIO, TextIO

import click
from rich.console import Console

from services.cli import options
from services.cli.lengths import OutageSpan, StepLength
from services.cli.progress import Reached, showing
from services.contracts.topics import DEFAULT_PARTITIONS
from services.demo.barriers import NoEcho
from services.demo.door import DoorClosed
from services.demo.elsewhere import Counts, Deployment, Observed, play_into, tell
from services.kit.clock import monotonic
from services.kit.exits import EXIT_USAGE, leave
from services.kit.plurals import counted
from services.shop.parameters import Outage, ShopParameters
from services.shop.presets import PRESETS
from services.shop.shop import Shop, open_shop

_EXIT_INTERRUPTED = 130
_MOST_CUSTOMERS = 1_000_000


class Address(click.ParamType):
    """A host and a port: `127.0.0.1:2525`."""

    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Return host and port; a usage error where it is no address."""
        found = re.fullmatch(r"([^\s:]+):(\d{1,5})", str(value))
        if not found or not 0 < int(found[2]) < 2**16:
            self.fail(f"{value!r} is no address: write HOST:PORT, as 127.0.0.1:2525", param, ctx)
        return found[1], int(found[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was asked for on the command line."""

    preset: str
    customers: int | None
    days: int | None
    seed: int
    step: timedelta
    true_effect: float | None
    outages: tuple[Outage, ...]
    out: BinaryIO | None
    truth: TextIO | None
    ingest: str | None
    api_key: str | None
    mail: tuple[str, int] | None
    bootstrap: str | None
    prefix: str
    partitions: int
    as_json: bool

    @property
    def parameters(self) -> ShopParameters:
        """The preset with what was asked for instead."""
        wishes: dict[str, Any] = {
            "customers": self.customers,
            "days": self.days,
            "true_effect": self.true_effect,
        }
        wanted = {name: wish for name, wish in wishes.items() if wish is not None}
        return replace(PRESETS[self.preset], outages=self.outages, **wanted)

    @property
    def deployment(self) -> Deployment | None:
        """Where the shop plays; None: nowhere, its events go to a file.

        Raises:
            UsageError: neither or both, or something that goes with it is missing.
        """
        if (self.out is None) == (self.ingest is None):
            raise click.UsageError("say where the shop plays: either --out FILE or --ingest URL")
        if self.ingest is None:
            if self.mail is not None:
                raise click.UsageError("--mail goes with --ingest: nobody writes to a file")
            return None
        if self.mail is None:
            raise click.UsageError("--ingest needs --mail: customers react to the mail they get")
        if not self.bootstrap:
            raise click.UsageError(
                "--ingest needs --bootstrap or KAFKA_BOOTSTRAP_SERVERS: the shop owns the time"
            )
        return Deployment(
            ingest=self.ingest.rstrip("/"),
            mail=self.mail,
            bootstrap=self.bootstrap,
            prefix=self.prefix,
            partitions=self.partitions,
            key=self.api_key,
        )


@click.command(
    name="simulate-shop",
    help=(
        "Play a simulated shop: the same one for the same seed, in simulated time. Now and then "
        "everything goes wrong in it that the services can notice: parcels, money, the desk.\n\n"
        "With --out every event is written as a line of JSON with its moment of sending, and no "
        "deployment is needed; nobody is written to, so nobody is soothed. With --ingest the shop "
        "plays in a running deployment and owns its time: start every service with CARE_CLOCK=ticks "
        "on topics without a tick, and outreach with CARE_OUTREACH_SMTP_HOST and "
        "CARE_OUTREACH_SMTP_PORT as --mail says; unreadable records are written past the door too. "
        "With --truth what only the shop knows is written for those who measure: what each "
        "customer was about to do, with which chance, told or not."
    ),
    epilog=(
        "\b\nExamples:\n"
        "  care simulate-shop --out shop.jsonl --truth truth.jsonl\n"
        "  care simulate-shop --preset load --customers 1000 --days 14 --out - | head\n"
        "  care simulate-shop --days 10 --outage swift-parcel:48:6 --true-effect 0.5 --out -\n"
        "  care simulate-shop --ingest http://127.0.0.1:8080 --mail 127.0.0.1:2525\n"
        "\n"
        "Exit codes: 0 played to the end, 1 a service refused or stood still, 2 wrong usage, "
        "75 Kafka, ingest or a topic is not there."
    ),
)
@click.option(
    "--preset", type=click.Choice(list(PRESETS)), default="demo", show_default=True,
    help="A lively month to look at, or a large shop with a large shop's shares.",
)  # fmt: skip
@click.option(
    "--customers", type=click.IntRange(1, _MOST_CUSTOMERS),
    help="Instead of the preset's number.",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1, 365), help="Instead of the preset's.")
@click.option("--seed", type=int, default=1, show_default=True, help="Which simulated shop.")
@click.option(
    "--step", type=StepLength(), default=timedelta(hours=1), show_default="1h",
    help="Simulated time played at once.",
)  # fmt: skip
@click.option(
    "--true-effect", type=click.FloatRange(0, 1),
    help="By how much a message that comes first lowers what lateness adds: 0 nothing, 1 all of it.",
)  # fmt: skip
@click.option(
    "--outage", "outages", type=OutageSpan(), multiple=True, metavar="CARRIER:START_HOUR:HOURS",
    help="This carrier's feed falls silent then and for so long; repeatable.",
)  # fmt: skip
@click.option("--out", type=click.File("wb", lazy=False), help="Where events go; - is stdout.")
@click.option("--truth", type=click.File("w", lazy=False), help="Where the truth goes.")
@click.option("--ingest", metavar="URL", help="The front door of a running deployment.")
@options.api_key
@click.option(
    "--mail", type=Address(), metavar="HOST:PORT",
    help="Where that deployment's outreach delivers its mail: the customers' letter boxes.",
)  # fmt: skip
@click.option(
    "--bootstrap", envvar="KAFKA_BOOTSTRAP_SERVERS", metavar="HOST:PORT,…", show_envvar=True,
    help="Kafka's address, for --ingest.",
)  # fmt: skip
@click.option(
    "--prefix", envvar="CARE_TOPIC_PREFIX", default="", show_envvar=True,
    help="Put before every topic name, for --ingest.",
)  # fmt: skip
@click.option(
    "--partitions", envvar="CARE_PARTITIONS", type=click.IntRange(min=1),
    default=DEFAULT_PARTITIONS, show_default=True, show_envvar=True,
    help="Partitions of every topic, for --ingest.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def simulate_shop(**told: Any) -> None:
    """Play the shop to its end and print a summary: on stderr where events go to stdout."""
    choice = Choice(**told)
    deployment = choice.deployment
    try:
        shop = open_shop(choice.parameters, choice.seed)
    except ValueError as error:
        leave(str(error), EXIT_USAGE)
    began = monotonic()
    played = _play(shop, choice, deployment)
    summary = {
        "seed": choice.seed,
        "customers": choice.parameters.customers,
        "start": shop.start.isoformat(),
        "end": shop.end.isoformat(),
        **played,
        "seconds": round(monotonic() - began, 1),
    }
    is_stdout_taken = choice.out is click.get_binary_stream("stdout")
    click.echo(_as_json(summary) if choice.as_json else _in_words(summary), err=is_stdout_taken)


def _play(shop: Shop, choice: Choice, deployment: Deployment | None) -> dict[str, int]:
    """Return what was said and done, by name."""
    try:
        with _watched(shop, choice, deployment) as world:
            if deployment is not None:
                ticks = play_into(deployment, world, choice.step)
                return {**asdict(world.counts), "ticks": ticks}
            if choice.out is not None:
                tell(world, choice.out, choice.step)
            return asdict(world.counts)
    except (DoorClosed, NoEcho) as error:
        leave(str(error), 1)
    except KeyboardInterrupt:
        leave("stopped", _EXIT_INTERRUPTED)


@contextmanager
def _watched(shop: Shop, choice: Choice, deployment: Deployment | None) -> Iterator[Observed]:
    counts = Counts()
    with showing(Console(stderr=True)) as shown:

        def see(at: datetime) -> None:
            told = counted(counts.events, "event")
            if deployment is not None:
                told += f", {counted(counts.mails, 'message')}"
            shown.see(Reached(at, shop.start, shop.end, told))

        yield Observed(shop, choice.truth, see, counts)


def _as_json(summary: Mapping[str, Any]) -> str:
    return json.dumps(summary, indent=2)


def _in_words(summary: Mapping[str, Any]) -> str:
    return "\n".join(f"{name.replace('_', ' '):<16}{value}" for name, value in summary.items())
