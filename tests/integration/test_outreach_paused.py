"""The kill switch on the whole service: it takes effect at once, and simulated time goes on beside it."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from services.kit.clock import SystemClock
from services.outreach import pauses
from services.outreach.database import open_engine
from services.outreach.pauses import EVERYTHING, Pause
from tests.factories import HOUR, START
from tests.support.mail import Sink
from tests.support.outreach import (
    Company,
    environment,
    here,
    live,
    now_ish,
    opened,
    profile,
    query,
    states,
    step,
)
from tests.support.service import running
from tests.support.topics import wait_for

pytestmark = pytest.mark.connected

NOON = START + 12 * HOUR
EFFECTIVE_WITHIN = timedelta(seconds=2)
LOOKS = timedelta(seconds=3)
"""In this time every sender has looked for work more than once."""


def pause(database: str) -> datetime:
    """Pause everything; return when that was committed, at the latest."""
    engine = open_engine(database)
    with engine.begin() as connection:
        now = SystemClock().now()
        pauses.pause(connection, Pause(EVERYTHING, now, "ada", "wrong dates"))
    engine.dispose()
    return SystemClock().now()


def resume(database: str) -> None:
    engine = open_engine(database)
    with engine.begin() as connection:
        pauses.resume(connection, EVERYTHING, "ada", SystemClock().now())
    engine.dispose()


def goes_wrong(company: Company, *customers: str) -> None:
    company.deployment.publish(*(here(customer) for customer in customers))
    company.deployment.publish(*(opened(customer, now_ish()) for customer in customers))


def test_a_pause_takes_effect_within_two_seconds_and_what_it_held_leaves_afterwards(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    before, after = ([f"{when}-{n}" for n in range(30)] for when in ("before", "after"))
    with running("outreach", live(company.deployment, database, sink.port), tmp_path / "log"):
        goes_wrong(company, *before)
        wait_for(lambda: len(sink.mails) > 2, "the first mails")
        paused_at = pause(database)
        goes_wrong(company, *after)
        wait_for(lambda: sum(states(database).values()) == 60, "every decision")
        wait_for(lambda: SystemClock().now() > paused_at + EFFECTIVE_WITHIN + LOOKS, "some looks")

        (last_started,) = query(database, "SELECT max(started_at) FROM sends")[0]
        assert last_started <= paused_at + EFFECTIVE_WITHIN
        assert states(database)["pending"] >= 30

        resume(database)
        wait_for(lambda: states(database) == {"sent": 60}, "the mails that waited")

    assert sorted(sink.steps()) == sorted(step(customer) for customer in (*before, *after))


def test_simulated_time_goes_on_while_it_is_paused_and_what_waits_leaves_at_the_next_barrier(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    with running(
        "outreach", environment(company.deployment, database, sink.port), tmp_path / "log"
    ):
        pause(database)
        customers = ("c-1", "c-2")
        company.deployment.publish(*(profile(customer) for customer in customers))
        company.deployment.publish(*(opened(customer, NOON) for customer in customers))
        echoes = company.echoes(company.reach(NOON))
        (use_by,) = query(database, "SELECT min(use_by) FROM sends")[0]

        # No echo asks to come back to an instant that is over.
        assert {echo.next_due for echo in echoes.values()} <= {use_by, None}
        assert min(echo.next_due for echo in echoes.values() if echo.next_due) == use_by
        company.echoes(company.reach(NOON + HOUR))
        assert sink.mails == []

        resume(database)
        company.echoes(company.reach(NOON + 2 * HOUR))
        assert states(database) == {"sent": 2}


def test_in_simulated_time_what_stays_paused_fails_at_its_use_by(
    company: Company, sink: Sink, database: str, tmp_path: Path
) -> None:
    with running(
        "outreach", environment(company.deployment, database, sink.port), tmp_path / "log"
    ):
        pause(database)
        company.deployment.publish(profile("c-1"), opened("c-1", NOON))
        company.echoes(company.reach(NOON))
        (use_by,) = query(database, "SELECT use_by FROM sends")[0]

        echoes = company.echoes(company.reach(use_by))

    assert {echo.next_due for echo in echoes.values()} == {None}
    assert query(database, "SELECT state, reason FROM sends") == [("failed", "use_by")]
    assert sink.mails == []
