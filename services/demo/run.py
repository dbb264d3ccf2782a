"""One whole demo: a stage, a world played on it, and the report of what happened."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from services.demo import gather
from services.demo.barriers import PATIENCE_SECONDS, Barriers
from services.demo.door import Door
from services.demo.figures import Report
from services.demo.glance import Glance
from services.demo.olist import RecordedShop
from services.demo.replay import Moments, Replayer, Step
from services.demo.report import Frame, build
from services.demo.stage import Cast, Say, Stage, standing
from services.demo.steps import check_step
from services.demo.tally import tally
from services.kit.clock import monotonic
from services.kit.topic_reader import TopicReader
from services.recorded.olist import read_orders
from services.shop.parameters import ShopParameters
from services.shop.shop import open_shop
from services.shop.timeline import World

INVENTED_SIMULATED = ("every customer, order, parcel, address and complaint is simulated",)
INVENTED_RECORDED = (
    "mail addresses and consents are invented for everybody",
    "the whole shop is one carrier with one parcel per order, because the files name no carrier",
    "orders without items are left out, and cancellations are not told: they have no time",
    "nobody reacts to our messages: complaints are the recorded first reviews of 1 or 2",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to play."""

    seed: int = 1
    parameters: ShopParameters = field(default_factory=ShopParameters)
    olist: Path | None = None
    """Folder with the Olist files; None: the simulated shop."""
    orders: int = 3000
    """Of the recorded shop: the last so many."""
    step: timedelta = timedelta(hours=1)
    folder: Path = Path("build/demo")
    patience_seconds: float = PATIENCE_SECONDS
    """How long a service may take to finish one step, restarts included."""
    cast: Cast = field(default_factory=Cast)
    """Who plays; tests let others play, and more of them."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How far the demo has got."""

    at: datetime
    start: datetime
    end: datetime
    events: int
    problems: int
    mails: int


def _unseen(sight: Sight) -> None:
    return


def _unsaid(text: str) -> None:
    return


def _undisturbed(stage: Stage) -> Moments:
    return Moments()


def _unheld(stage: Stage, report: Report) -> None:
    return


def _unleft(stage: Stage) -> None:
    return


@dataclass(frozen=True, slots=True)
class Audience:
    """Who looks on, and what they may do.  Tests disturb; people watch."""

    say: Say = _unsaid
    """Told what is being started or stopped, a line each."""
    see: Callable[[Sight], None] = _unseen
    """Told after each step."""
    disturb: Callable[[Stage], Moments] = _undisturbed
    """Given the stage before the first step; what it returns is called on the way."""
    hold: Callable[[Stage, Report], None] = _unheld
    """Called when all is done and everything is still up."""
    leave: Callable[[Stage], None] = _unleft
    """Called before anything is taken down, however the play ended."""


def run(options: Options, audience: Audience | None = None) -> Report:
    """Play the demo and return its report, which is also written to `report.json`.

    Raises:
        UnusableFiles: the Olist folder is not what it should be.
        Unavailable: Kafka or PostgreSQL cannot be started or reached.
        ServiceLost: a service does not come up or stay up.
        DoorClosed: ingest refused what is right or took what is wrong.
        NoEcho: a service did not finish a step.
    """
    audience = audience or Audience()
    began = monotonic()
    check_step(options.step)
    audience.say("preparing the shop")
    world = open_world(options)
    with standing(options.folder, audience.say, options.cast) as stage, _left(stage, audience):
        ticks = play(world, stage, options, audience)
        audience.say("reading back what happened")
        report = report_on(world, stage, options, ticks, lambda: monotonic() - began)
        (options.folder / "report.json").write_text(
            report.model_dump_json(indent=2) + "\n", encoding="utf-8"
        )
        audience.hold(stage, report)
    return report


@contextmanager
def _left(stage: Stage, audience: Audience) -> Iterator[None]:
    try:
        yield
    finally:
        audience.leave(stage)


def open_world(options: Options) -> World:
    """Return the simulated shop, or the recorded one where a folder is given."""
    if options.olist is None:
        return open_shop(options.parameters, options.seed)
    return RecordedShop(read_orders(options.olist, last=options.orders))


def play(world: World, stage: Stage, options: Options, audience: Audience) -> int:
    """Take the world through its time on this stage; return the number of ticks."""
    door = Door(
        stage.services.address("ingest"),
        key=stage.publishing_key,
        patience_seconds=options.patience_seconds,
    )
    barriers = Barriers(
        stage.kafka_bootstrap,
        prefix=stage.topic_prefix,
        partitions=stage.partitions,
        run=stage.topic_prefix.rstrip("-"),
        patience_seconds=options.patience_seconds,
    )
    glance = Glance(stage.services.address("metrics"))
    moments = _watched(audience.disturb(stage), world, stage, glance, audience)
    try:
        return Replayer(world, door, barriers, stage.mails, options.step, moments).run()
    finally:
        door.close()
        barriers.close()
        glance.close()


def _watched(
    moments: Moments, world: World, stage: Stage, glance: Glance, audience: Audience
) -> Moments:
    events = 0

    def after_echo(step: Step) -> None:
        nonlocal events
        moments.after_echo(step)
        events += step.events
        audience.see(
            Sight(
                step.at, world.start, world.end, events, glance.problems(), len(stage.mails.mails)
            )
        )

    def while_waiting() -> None:
        moments.while_waiting()
        stage.services.check()

    return replace(moments, after_echo=after_echo, while_waiting=while_waiting)


def report_on(
    world: World, stage: Stage, options: Options, ticks: int, elapsed: Callable[[], float]
) -> Report:
    """Return the report, made of what lies on the topics, in the ledger and in the mail sink."""
    reader = TopicReader(
        stage.kafka_bootstrap, prefix=stage.topic_prefix, partitions=stage.partitions
    )
    try:
        evidence = gather.collect(
            reader,
            database_url=stage.database_url,
            ingest=stage.services.address("ingest"),
            metrics=stage.services.address("metrics"),
            mails=tally(stage.mails.mails),
        )
    finally:
        reader.close()
    is_recorded = options.olist is not None
    frame = Frame(
        seed=options.seed,
        source="olist" if is_recorded else "simulated",
        start=world.start,
        end=world.end,
        ticks=ticks,
        wall_seconds=elapsed(),
        with_late_orders=is_recorded,
        restarts=stage.services.restarts,
        invented=INVENTED_RECORDED if is_recorded else INVENTED_SIMULATED,
    )
    return build(evidence, frame)
