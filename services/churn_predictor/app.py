"""Puts the predictor together: checks what it depends on, then hands its partitions to Faust."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import faust
from pydantic import ValidationError

from services.churn_predictor.scoring import Scorecard
from services.churn_predictor.settings import Settings
from services.churn_predictor.telemetry import Telemetry
from services.churn_predictor.ticker import Ticker
from services.churn_predictor.worker import GROUP, SOURCES, Deployment, Worker
from services.contracts import topics as t
from services.kit import address_file
from services.kit.clock import Clock, SystemClock
from services.kit.exits import Unavailable
from services.kit.faust_slices import create_app
from services.kit.health import HealthServer
from services.kit.kafka_admin import check_topics
from services.kit.logs import get
from services.kit.settings import ClockSource
from services.kit.suspects import Suspects

_log = get(__name__)

_WRITTEN = (t.PROBLEMS, t.ASSESSMENTS, t.CUSTOMER_RISKS, t.FEEDS, t.ACCOUNTS, t.FACTS_CHANGELOG)


def load_scorecard(path: Path) -> Scorecard:
    """Return the scorecard in this file.

    Raises:
        Unavailable: there is none, or it is not one; the message says what is wrong.
    """
    try:
        return Scorecard.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Unavailable(
            f"cannot read the scorecard {path} ({error.strerror}): set CARE_CHURN_PREDICTOR_MODEL"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Unavailable(f"{path} is no scorecard: {first['loc']}: {first['msg']}") from None


def open_deployment(settings: Settings) -> Deployment:
    """Return the deployment once all its topics are as they must be.

    Raises:
        Unavailable: no broker, a topic missing, or a wrong number of partitions.
    """
    letters = (t.dead_letter(topic) for topic in SOURCES)
    found = check_topics(
        settings.kafka_bootstrap_servers,
        (*SOURCES, *_WRITTEN, *letters),
        partitions=settings.partitions,
        prefix=settings.topic_prefix,
    )
    return Deployment(
        settings.kafka_bootstrap_servers,
        settings.topic_prefix,
        settings.partitions,
        {topic.name: found[topic.name].topic_id for topic in SOURCES},
    )


def run(settings: Settings) -> None:
    """Work until told to stop."""
    card = load_scorecard(settings.model)
    deployment = open_deployment(settings)
    clock = SystemClock() if settings.clock is ClockSource.SYSTEM else None
    with ExitStack() as stack:
        telemetry = Telemetry(is_ticking=clock is not None)
        stack.enter_context(_health(settings, telemetry))
        suspects = Suspects(settings.folder / f"{settings.topic_prefix}{GROUP}")
        worker = Worker(deployment, card, telemetry, clock, suspects)
        if clock is not None:
            stack.enter_context(_ticking(settings, worker, clock, telemetry))
        app = create_app(
            f"{settings.topic_prefix}{GROUP}",
            settings.kafka_bootstrap_servers,
            [topic.physical(settings.topic_prefix) for topic in SOURCES],
            worker,
            partitions=settings.partitions,
            session_seconds=settings.session_seconds,
            folder=settings.folder / "faust",
        )
        host = faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False)
        host.spinner = None  # it would write control characters into the log
        host.execute_from_commandline()


@contextmanager
def _health(settings: Settings, telemetry: Telemetry) -> Iterator[None]:
    server = HealthServer(
        telemetry.registry, telemetry.live, telemetry.ready, settings.host, settings.port
    ).start()
    address = address_file.write(settings.address_file, *server.address)
    _log.info("listening", address=address)
    try:
        yield
    finally:
        server.close()


@contextmanager
def _ticking(
    settings: Settings, worker: Worker, clock: Clock, telemetry: Telemetry
) -> Iterator[None]:
    ticker = Ticker(
        settings.kafka_bootstrap_servers,
        settings.topic_prefix,
        settings.partitions,
        lambda: worker.partitions,
        clock,
        settings.tick_seconds,
        telemetry.turned,
    ).start()
    try:
        yield
    finally:
        ticker.close()
