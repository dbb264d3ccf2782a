"""What a replica shows: its connections, what its ledger holds, and not too many series."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from services.contracts import events
from services.contracts.people import Channel
from services.kit.process_metrics import process_registry
from services.metrics.figures.outreach_steps import OutreachSteps
from services.outreach import ledger, telemetry
from services.outreach.api import app as api
from services.outreach.api import metering as api_metering
from services.outreach.channels.breaker import Phase
from services.outreach.database import MOST_CONNECTIONS
from services.outreach.pages import metering as pages_metering
from services.outreach.tables import OUTBOX
from tests.component.outreach.desk import NOON, Desk
from tests.factories import HOUR
from tests.support.mail import Manner
from tests.support.outreach import opened, profile
from tests.support.series import MOST_SERIES, OF_EVERY_PROCESS, service_of, shown

pytestmark = pytest.mark.connected


def as_told(desk: Desk) -> dict[str, int]:
    """Return what follows from all that is on its way to the topic."""
    with desk.engine.connect() as connection:
        values = connection.execute(select(OUTBOX.c.value).order_by(OUTBOX.c.seq)).scalars()
        told = [events.read(value) for value in values]
    steps = OutreachSteps()
    for event in told:
        steps.fold(0, event)
    return {"waiting": len(steps.waiting), "unfinished": len(steps.unfinished)}


def in_ledger(desk: Desk) -> dict[str, int]:
    """Return what the ledger shows at a scrape."""
    registry = telemetry.registry_of(desk.engine, lambda: None)
    name = "care_outreach_ledger_steps"
    found = {
        state: registry.get_sample_value(name, {"state": state})
        for state in ("waiting", "unfinished")
    }
    return {state: int(n) for state, n in found.items() if n is not None}


def test_ledger_and_topic_tell_the_same_of_what_is_not_over(desk: Desk) -> None:
    """Of three that wait one is not taken yet and tried again later; then all leave."""
    desk.learn(*(profile(name) for name in ("c-1", "c-2", "c-3")))
    desk.learn(*(opened(name, NOON) for name in ("c-1", "c-2", "c-3")))
    assert in_ledger(desk) == as_told(desk) == {"waiting": 0, "unfinished": 0}

    desk.decide()
    assert in_ledger(desk) == as_told(desk) == {"waiting": 3, "unfinished": 0}

    mannered = desk.channel.manner_of
    desk.channel.manner_of = lambda _: Manner.BUSY_AT_RECIPIENT
    with desk.engine.begin() as connection:
        found = ledger.waiting(connection, desk.out.rules, None, [Channel.EMAIL], NOON)
    desk.sender.attempt(found[0], lambda: NOON)
    assert in_ledger(desk) == as_told(desk) == {"waiting": 2, "unfinished": 1}

    desk.channel.manner_of = mannered
    desk.send(NOON + HOUR)
    assert in_ledger(desk) == as_told(desk) == {"waiting": 0, "unfinished": 0}


def test_connections_in_use_are_shown_by_pool(desk: Desk) -> None:
    registry = CollectorRegistry()
    telemetry.ReplicaMeter(registry).watch("outreach", desk.engine)

    def shown_as(state: str) -> float | None:
        labels = {"pool": "outreach", "state": state}
        return registry.get_sample_value("care_outreach_database_connections", labels)

    with desk.engine.connect(), desk.engine.connect():
        assert shown_as("in_use") == 2
    assert shown_as("in_use") == 0
    assert shown_as("most") == MOST_CONNECTIONS


def test_no_more_connections_are_opened_than_are_shown_as_the_most(desk: Desk) -> None:
    pool: Any = desk.engine.pool

    assert pool.size() + pool._max_overflow == MOST_CONNECTIONS


def test_a_replica_shows_fewer_series_than_a_pod_may_and_what_every_process_tells(
    desk: Desk,
) -> None:
    """With pages and the desk's API in it, every channel's provider, and each series there may be."""
    registry = process_registry("outreach")
    telemetry.StartMeter(registry)
    replica = telemetry.ReplicaMeter(registry)
    for pool in ("outreach", "care-pages", "care-api"):
        replica.watch(pool, desk.engine)
    pages_metering.Meter(registry)
    api_metering.Meter(registry, api._names())
    telemetry.registry_of(
        desk.engine, lambda: NOON, lambda: dict.fromkeys(Channel, Phase.OPEN), registry
    )

    assert len(shown(registry)) < MOST_SERIES
    assert set(shown(registry)) >= OF_EVERY_PROCESS
    assert service_of(registry) == {"outreach"}
