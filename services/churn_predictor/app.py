"""Puts the predictor together: checks what it depends on, then hands its partitions to Faust."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path

import faust
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from services.churn_predictor.exchange import Owners
from services.churn_predictor.features import FROM_HISTORIES
from services.churn_predictor.identities import UNKEYED, Suppression
from services.churn_predictor.partition import Partition
from services.churn_predictor.rules import Model, Rules
from services.churn_predictor.scoring import UnusableModel, model_digest, read_scorecard
from services.churn_predictor.settings import HistoriesUse, Settings
from services.churn_predictor.silence import Listener
from services.churn_predictor.telemetry import Telemetry
from services.churn_predictor.ticker import Ticker
from services.churn_predictor.vault import Deployment, TopicIds, Vault
from services.churn_predictor.worker import GROUP, SOURCES, Worker
from services.contracts import topics as t
from services.contracts.problems import RiskKind
from services.contracts.tolerances import Tolerances, UnusableTolerances, read_tolerances
from services.kit import address_file, kafka_clients
from services.kit.clock import Clock, SystemClock
from services.kit.exits import Unavailable
from services.kit.faust_slices import SliceApp, create_app
from services.kit.health import HealthServer
from services.kit.kafka_access import check_access
from services.kit.kafka_admin import check_topics
from services.kit.kafka_clients import partition_of
from services.kit.logs import get
from services.kit.records import read_event
from services.kit.settings import ClockSource
from services.kit.stores import open_store
from services.kit.suppression_keys import read_keys
from services.kit.suspects import Suspects
from services.kit.tracing import Spans
from services.kit.watchdog import Watchdog, broker_answers

_log = get(__name__)

_OUTSIDE_SESSIONS = 6.0
"""How many session times this worker may be outside its group; a rebalance takes one or two."""
_KEYS_PLACED = 50_000
"""Keys of histories whose partition is remembered: computing it takes as long as counting it."""
_FEEDS_KNOWN = 10_000
"""Feeds whose partition is not computed again at each tick."""
_REFUSALS = (TopicAuthorizationFailedError, GroupAuthorizationFailedError)
_WRITTEN = (t.PROBLEMS, t.ASSESSMENTS, t.CUSTOMER_RISKS, t.FEEDS, t.ACCOUNTS, t.FACTS_CHANGELOG)


def load_rules(settings: Settings) -> Rules:
    """Return what this deployment decides by.

    Raises:
        Unavailable: a file is not there, or not what it should be; the message says what is wrong.
    """
    return Rules(
        complaint=_model(settings.model, "MODEL", RiskKind.COMPLAINT),
        lapse=_model(settings.lapse_model, "LAPSE_MODEL", RiskKind.LAPSE),
        tolerances=_tolerances(settings.tolerances),
    )


def _model(path: Path, setting: str, kind: RiskKind) -> Model:
    raw = _content(path, setting)
    try:
        card = read_scorecard(raw)
    except UnusableModel as error:
        raise Unavailable(f"{path} is no scorecard: {error}") from None
    if card.kind is not kind:
        raise Unavailable(
            f"{path} is a model of {card.kind} risk: set CARE_CHURN_PREDICTOR_{setting} to one of {kind} risk"
        )
    return Model(card, model_digest(raw))


def _tolerances(path: Path | None) -> Tolerances:
    if path is None:
        return Tolerances()
    try:
        return read_tolerances(_content(path, "TOLERANCES"))
    except UnusableTolerances as error:
        raise Unavailable(f"{path} holds no tolerances: {error}") from None


def suppression(settings: Settings) -> Suppression:
    """Return how this deployment remembers erased and merged ids.

    Raises:
        Unavailable: the file is not there, or a key in it is too short to be a secret.
    """
    path = settings.suppression_key_file
    if path is None:
        return UNKEYED
    return Suppression(tuple(secret.encode() for secret in read_keys(path)))


def _content(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unavailable(
            f"cannot read {path} ({error.strerror}): set CARE_CHURN_PREDICTOR_{setting}"
        ) from None


def find_topics(settings: Settings) -> TopicIds:
    """Return the ids of all topics this service reads or writes, once they are as they must be.

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
    return {name: topic.topic_id for name, topic in found.items()}


def listener(number: int, partitions: int, rules: Rules) -> Listener:
    """Return who reports silent feeds in this partition: those whose names belong to it."""

    @lru_cache(_FEEDS_KNOWN)
    def owns(feed: str) -> bool:
        return partition_of(feed.encode(), partitions) == number

    return Listener(number, owns, rules.tolerances)


def open_vault(settings: Settings, rules: Rules) -> Vault:
    """Return the place where partitions come from, empty."""
    prefix, bootstrap = settings.topic_prefix, settings.kafka_bootstrap_servers
    stores, counting = own_folder(settings) / "store", owners(settings, rules)
    hashing = suppression(settings)
    return Vault(
        Deployment(bootstrap, prefix, settings.partitions),
        f"{prefix}{GROUP}",
        new_partition=lambda number, values: Partition(
            number,
            rules,
            read_event,
            values,
            listener(number, settings.partitions, rules),
            counting,
            hashing,
        ),
        open_store=lambda number, topic_id: open_store(
            settings.store, stores / str(number), topic_id
        ),
        find_topics=lambda: find_topics(settings),
    )


def owners(settings: Settings, rules: Rules) -> Owners:
    """Return who counts which history in this deployment, and whether this worker's customers use them."""
    use = settings.histories
    is_looked_at = not rules.features.isdisjoint(FROM_HISTORIES)

    @lru_cache(_KEYS_PLACED)
    def owner(key: str) -> int:
        return partition_of(key.encode(), settings.partitions)

    are_used = use is HistoriesUse.ON or (use is HistoriesUse.AUTO and is_looked_at)
    return Owners(settings.partitions, owner, are_used)


def own_folder(settings: Settings) -> Path:
    """Return the folder of this deployment's worker on this machine."""
    return settings.folder / f"{settings.topic_prefix}{GROUP}"


def run(settings: Settings, spans: Spans) -> None:
    """Work until told to stop."""
    rules = load_rules(settings)
    check_access(settings.kafka_bootstrap_servers, "churn_predictor", settings.topic_prefix)
    find_topics(settings)
    clock = SystemClock() if settings.clock is ClockSource.SYSTEM else None
    with ExitStack() as stack:
        stack.callback(spans.close)
        telemetry = Telemetry(is_ticking=clock is not None)
        _show_models(rules, telemetry)
        _warn_without_key(settings)
        stack.enter_context(_health(settings, telemetry))
        vault = open_vault(settings, rules)
        suspects = Suspects(own_folder(settings) / "notes")
        worker = Worker(vault.deployment, vault, telemetry, clock, suspects, spans)
        if clock is not None:
            stack.enter_context(_ticking(settings, worker, clock, telemetry))
        app = create_app(
            f"{settings.topic_prefix}{GROUP}",
            settings.kafka_bootstrap_servers,
            [topic.physical(settings.topic_prefix) for topic in SOURCES],
            worker,
            partitions=settings.partitions,
            session_seconds=settings.session_seconds,
            member=settings.member,
            folder=settings.folder / "faust",
        )
        stack.enter_context(_watched(settings, app))
        _work(app)


def _work(app: SliceApp) -> None:
    """Let Faust work until it is told to stop; it ends the process, but for what it was not allowed."""
    host = faust.Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False)
    host.spinner = None  # it would write control characters into the log
    try:
        host.execute_from_commandline()
    except SystemExit:
        if isinstance(host.crash_reason, _REFUSALS):
            raise kafka_clients.forbidden(host.crash_reason) from None
        raise


def _show_models(rules: Rules, telemetry: Telemetry) -> None:
    telemetry.scores_with(rules)
    for model in rules.models:
        _log.info(
            "model_loaded",
            kind=model.card.kind,
            name=model.card.name,
            version=model.card.version,
            digest=model.digest,
        )


def _warn_without_key(settings: Settings) -> None:
    if settings.suppression_key_file is None:
        _log.warning("suppression_key_missing", set="CARE_CHURN_PREDICTOR_SUPPRESSION_KEY_FILE")


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


@contextmanager
def _watched(settings: Settings, app: SliceApp) -> Iterator[None]:
    watchdog = Watchdog(
        app.is_member,
        lambda: broker_answers(settings.kafka_bootstrap_servers),
        _OUTSIDE_SESSIONS * settings.session_seconds,
    ).start()
    try:
        yield
    finally:
        watchdog.close()
