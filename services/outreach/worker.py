"""Puts the parts together and turns the loop until it is told to stop.  No decision is made here."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from uuid import UUID

import structlog
from jinja2 import FileSystemLoader
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import AuthorizationError, KafkaError
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from services.contracts.access import OUTREACH_GROUP
from services.contracts.outreach import Mode
from services.contracts.people import Channel
from services.contracts.topics import OUTREACH, TOPICS, dead_letter
from services.kit import address_file
from services.kit.clock import Clock, SystemClock, monotonic
from services.kit.exits import EXIT_USAGE, Unavailable, leave
from services.kit.health import HealthServer, Verdict
from services.kit.kafka_access import check_access
from services.kit.kafka_admin import check_topics
from services.kit.kafka_clients import (
    CLOSE_SECONDS,
    close_producer,
    forbidden,
    open_consumer,
    open_producer,
)
from services.kit.process_metrics import process_registry
from services.kit.settings import ClockSource
from services.kit.tick_clock import TickClock
from services.kit.tracing import NO_SPANS, Spans
from services.outreach import agenda, erasure, ledger, migrate, positions, telemetry
from services.outreach.allow_list import AllowList
from services.outreach.api.app import create_api
from services.outreach.api.backend import Backend
from services.outreach.api.settings import PREFIX as API_PREFIX
from services.outreach.api.settings import ApiSettings
from services.outreach.backoff import AT_ONCE, PATIENT
from services.outreach.batch import SOURCES
from services.outreach.channels.breaker import Phase
from services.outreach.comparison import Comparison, SaidTopic
from services.outreach.database import open_engine, reaching
from services.outreach.group import Membership
from services.outreach.heard import Bounds, Watch
from services.outreach.hearing import Hearing
from services.outreach.knowledge import Rules, StepName
from services.outreach.live import LiveLoop
from services.outreach.messages import Templates, WrongTemplate
from services.outreach.outbox import NotPublished, Publisher
from services.outreach.pages.api import create_pages
from services.outreach.pages.links import Links
from services.outreach.pages.secret_file import SecretFile
from services.outreach.pages.settings import PREFIX as PAGES_PREFIX
from services.outreach.pages.settings import PagesSettings
from services.outreach.playbook import Catalogue, WrongPlaybook, catalogue_of, parse
from services.outreach.review import uses_of
from services.outreach.routes import Route
from services.outreach.routing import routes_of
from services.outreach.sender import Outbound
from services.outreach.serving import WebServer
from services.outreach.settings import Settings
from services.outreach.signals import Signal
from services.outreach.suppression import SETTING, Keys
from services.outreach.ticked import TickedLoop
from services.outreach.waiting import waiting_for

_STUCK_AFTER_SECONDS = 300.0
_TICKED_FETCH_WAIT_MS = 20
_FLUSH_SECONDS = 1.0
"""Short: what was not acknowledged stays in the outbox, and is published at the next start."""


class Loop(Protocol):
    """One of the two ways in which time passes."""

    def turn(self) -> None:
        """Do what there is to do, and return soon."""

    def circuits(self) -> Mapping[Channel, Phase]:
        """Return where each channel's provider stands; nothing where time is simulated."""

    def close(self) -> None:
        """Finish what is under way."""


class Worker:
    """One replica of outreach."""

    def __init__(
        self,
        settings: Settings,
        owner: UUID,
        log: structlog.typing.FilteringBoundLogger,
        pages: PagesSettings | None = None,
        api: ApiSettings | None = None,
        spans: Spans = NO_SPANS,
    ) -> None:
        self._spans = spans
        self._settings = settings
        self._pages = pages
        self._api = api
        self._owner = owner
        self._log = log
        self._stop = threading.Event()
        self._turned_at = monotonic()
        self._membership: Membership | None = None
        self._loop: LiveLoop | TickedLoop | None = None
        self._registry = process_registry("outreach")
        self._meter = telemetry.ReplicaMeter(self._registry)
        self._files = telemetry.FileFaults(self._registry)
        self._on_not_helped: tuple[StepName, ...] = ()
        self._rules: Rules | None = None

    def stop(self, *_: object) -> None:
        """Ask `run` to return; also a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Work until stopped.

        Raises:
            Unavailable: something it depends on is missing, now or at the start.
        """
        engine = open_engine(self._settings.database_url)
        self._meter.watch("outreach", engine)
        bootstrap = self._settings.kafka_bootstrap_servers
        try:
            with reaching(engine), ExitStack() as stack:
                self._check(engine)
                loop = self._open(engine, stack)
                stack.enter_context(self._serving(engine))
                while not self._stop.is_set():
                    begun = monotonic()
                    loop.turn()
                    self._turned_at = monotonic()
                    self._meter.turned(self._turned_at - begun)
        except AuthorizationError as error:
            raise forbidden(error) from error
        except (KafkaError, NotPublished) as error:
            raise Unavailable(
                f"Kafka at {bootstrap} stopped answering ({type(error).__name__}): start it again, "
                "then this service"
            ) from error
        finally:
            engine.dispose()

    def _check(self, engine: Engine) -> None:
        settings = self._settings
        wanted = [*SOURCES.values(), OUTREACH]
        wanted += [letter for t in SOURCES.values() if (letter := dead_letter(t)) in TOPICS]
        check_access(settings.kafka_bootstrap_servers, "outreach", settings.topic_prefix)
        found = check_topics(
            settings.kafka_bootstrap_servers,
            wanted,
            partitions=settings.partitions,
            prefix=settings.topic_prefix,
        )
        migrate.check(engine)
        positions.check_topic_ids(engine, {name: found[name] for name in SOURCES})
        self._comparison(engine).run()

    def _comparison(self, engine: Engine) -> Comparison:
        settings = self._settings
        at = SaidTopic(settings.kafka_bootstrap_servers, settings.topic_prefix, settings.partitions)
        return Comparison(engine, at, self._log)

    def _open(self, engine: Engine, stack: ExitStack) -> Loop:
        """Open what the loop works with, so that leaving `stack` closes it in the right order."""
        stack.callback(self._spans.close)
        settings, is_ticked = self._settings, self._settings.clock is ClockSource.TICKS
        outbound = replace(
            outbound_of(settings, self._owner, routes_of(settings, self._files.watch)),
            links=self._links(),
            keys=self._keys(engine),
            spans=self._spans,
        )
        for route in outbound.routes.values():
            stack.callback(route.close)
        if self._pages is None:
            refuse_surveys(outbound.rules)
        self._rules = outbound.rules
        if isinstance(outbound.rules.listed, AllowList):
            self._files.watch(outbound.rules.listed.file)
        self._tell_of_unknown_steps(engine, outbound.rules)
        playbooks = outbound.rules.catalogue.values()
        self._on_not_helped = waiting_for(Signal.NOT_HELPED, playbooks)
        bootstrap, prefix = settings.kafka_bootstrap_servers, settings.topic_prefix
        producer = open_producer(bootstrap)
        stack.callback(close_producer, producer, _FLUSH_SECONDS)
        consumer = open_consumer(
            bootstrap,
            f"{prefix}{OUTREACH_GROUP}",
            # One partition number of every topic must have one owner: ranges give that.
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=settings.session_seconds * 1000,
            heartbeat_interval_ms=settings.session_seconds * 1000 // 4,
            fetch_max_wait_ms=_TICKED_FETCH_WAIT_MS if is_ticked else 500,
        )
        membership = Membership(consumer, engine, self._owner, prefix, self._log)
        stack.callback(consumer.close, autocommit=False, timeout_ms=CLOSE_SECONDS * 1000)
        publisher = Publisher(engine, producer, prefix, self._comparison(engine).run)
        self._membership = membership
        if is_ticked:
            self._loop = TickedLoop(engine, membership, publisher, outbound, self._log)
        else:
            hearing = self._open_hearing(engine, stack)
            outbound = replace(outbound, ears=hearing)
            self._loop = LiveLoop(
                engine, membership, publisher, outbound, SystemClock(), self._log, hearing
            )
        stack.callback(self._loop.close)
        membership.join()
        return self._loop

    def _open_hearing(self, engine: Engine, stack: ExitStack) -> Hearing:
        """Listen with a consumer of its own: another thread asks it."""
        settings = self._settings
        consumer = open_consumer(settings.kafka_bootstrap_servers)
        stack.callback(consumer.close, autocommit=False, timeout_ms=CLOSE_SECONDS * 1000)
        bounds = Bounds(patience_seconds=settings.contacts_patience_seconds)
        watch = Watch(monotonic(), tuple(range(settings.partitions)), bounds)
        meter = telemetry.StartMeter(self._registry)
        return Hearing(consumer, engine, watch, settings.topic_prefix, meter, self._log)

    def _links(self) -> Callable[[], Links] | None:
        if self._pages is None:
            return None
        base_url, secrets = self._pages.base_url, SecretFile(self._pages.secrets_file)
        self._files.watch(secrets.file)
        return lambda: Links(base_url, secrets.current())

    def _keys(self, engine: Engine) -> Keys | None:
        """Return the keys of who was erased.

        Raises:
            Unavailable: somebody was, and there are none: they would be written to again.
        """
        keys = erasure.keys_for(engine, self._settings.suppression_key_file)
        if keys is None:
            self._log.warning("outreach_without_suppression_key", setting=SETTING)
        return keys

    def _tell_of_unknown_steps(self, engine: Engine, rules: Rules) -> None:
        with engine.connect() as connection:
            undecided = agenda.unknown(connection, rules.known_steps)
            unsent = ledger.unknown(connection, rules.known_steps)
        if undecided or unsent:
            # They wait for a version that has their playbook and step; sends until their use-by.
            self._log.warning("outreach_unknown_steps", undecided=undecided, unsent=unsent)

    @contextmanager
    def _serving(self, engine: Engine) -> Iterator[None]:
        settings = self._settings
        registry = telemetry.registry_of(
            engine,
            lambda: self._loop.decided_until if self._loop else None,
            lambda: self._loop.circuits() if self._loop else {},
            self._registry,
        )
        health = HealthServer(registry, self._is_live, self._is_ready, settings.host, settings.port)
        health.start()
        stack = ExitStack()
        stack.callback(health.close)
        try:
            if self._pages is not None:
                self._open_pages(self._pages, registry, stack)
            if self._api is not None and self._rules is not None:
                self._open_api(self._api, self._rules, registry, stack)
        except BaseException:
            stack.close()
            raise
        self._log.info(
            "outreach_started",
            address=address_file.write(settings.address_file, *health.address),
            mode=settings.mode.value,
            clock=settings.clock.value,
        )
        try:
            yield
        finally:
            stack.close()
            self._log.info("outreach_stopped")

    def _open_pages(
        self, pages: PagesSettings, registry: CollectorRegistry, stack: ExitStack
    ) -> None:
        """Serve the customers' pages, on connections of their own: who looks delays nobody who sends."""
        engine = self._open_engine("care-pages", stack)
        clock = self._open_clock(stack)
        partitions = self._settings.partitions
        app = create_pages(engine, pages, partitions, clock.now, registry, self._on_not_helped)
        server = WebServer(app, pages.host, pages.port, PAGES_PREFIX).start()
        stack.callback(server.close)
        host, port = server.address
        self._log.info("outreach_pages_started", address=f"http://{host}:{port}")

    def _open_api(
        self, api: ApiSettings, rules: Rules, registry: CollectorRegistry, stack: ExitStack
    ) -> None:
        """Serve the desk's API, on connections of its own too."""
        engine = self._open_engine("care-api", stack)
        backend = Backend(engine, rules, self._open_clock(stack).now)
        app = create_api(backend, api, registry)
        self._files.watch(app.keys)
        server = WebServer(app, api.host, api.port, API_PREFIX).start()
        stack.callback(server.close)
        host, port = server.address
        self._log.info("outreach_api_started", address=f"http://{host}:{port}")

    def _open_engine(self, application: str, stack: ExitStack) -> Engine:
        engine = open_engine(self._settings.database_url, application)
        stack.callback(engine.dispose)
        self._meter.watch(application, engine)
        return engine

    def _open_clock(self, stack: ExitStack) -> Clock:
        settings = self._settings
        if settings.clock is not ClockSource.TICKS:
            return SystemClock()
        ticks = TickClock(
            settings.kafka_bootstrap_servers,
            partitions=settings.partitions,
            prefix=settings.topic_prefix,
        ).start()
        stack.callback(ticks.close)
        return ticks

    def _is_live(self) -> Verdict:
        age = monotonic() - self._turned_at
        return Verdict(age < _STUCK_AFTER_SECONDS, f"the loop turned {age:.0f} s ago")

    def _is_ready(self) -> Verdict:
        partitions = self._membership.partitions if self._membership else ()
        return Verdict(bool(partitions), f"{len(partitions)} partitions assigned")


def outbound_of(settings: Settings, owner: UUID, routes: Mapping[Channel, Route]) -> Outbound:
    """Return what the sender works with; a wrong playbook or template ends the process, code 2."""
    templates = Templates(FileSystemLoader(settings.templates))
    try:
        catalogue = load_playbooks(settings.playbooks)
        templates.check(uses_of(catalogue.values()))
    except (WrongPlaybook, WrongTemplate) as error:
        leave(str(error), EXIT_USAGE)
    rules = Rules(catalogue, settings.policy(), settings.mode, frozenset(routes))
    return Outbound(
        rules=replace(rules, listed=_listed(settings, rules)),
        templates=templates,
        routes=routes,
        backoff=AT_ONCE if settings.clock is ClockSource.TICKS else PATIENT,
        sender_address=settings.from_address,
        owner=owner,
        patience=settings.patience,
    )


def refuse_surveys(rules: Rules) -> None:
    """End the process, code 2, where a survey would be sent that nobody could answer."""
    for name, step in (*rules.steps_in(Mode.LIMITED), *rules.steps_in(Mode.LIVE)):
        found = rules.catalogue[name].step(step)
        if found is not None and found.survey is not None:
            leave(
                f"{name}: its step {step} asks a survey and there are no pages to answer it on: set "
                "CARE_OUTREACH_PAGES_BASE_URL, or its mode to shadow",
                EXIT_USAGE,
            )


def _listed(settings: Settings, rules: Rules) -> Collection[str]:
    """Return who is written to where a mode is limited."""
    if settings.limited_to_file is not None:
        return AllowList(settings.limited_to_file)
    limited = rules.steps_in(Mode.LIMITED)
    if limited:
        leave(
            f"{limited[0][0]} is limited and nobody is listed: name a file with customers' ids in "
            "CARE_OUTREACH_LIMITED_TO_FILE",
            EXIT_USAGE,
        )
    return frozenset()


def load_playbooks(folder: Path) -> Catalogue:
    """Return the playbooks in this folder.

    Raises:
        WrongPlaybook: there is none, or one cannot be used.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise WrongPlaybook(f"no playbook (*.yaml) in {folder}")
    return catalogue_of(parse(file.read_text(encoding="utf-8"), file.name) for file in files)
