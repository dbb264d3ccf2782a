"""A deployment moved to more partitions in the middle of a story ends as one that was not moved."""

import os
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.contracts.topics import TOPICS
from services.demo.run import Options
from services.demo.stage import Cast, Stage
from services.kit.kafka_admin import find_topics
from services.shop.parameters import ShopParameters
from tests.support.moved import Played, command, go_on, moved, pause, play, rows
from tests.support.topics import wait_for

pytestmark = [
    pytest.mark.connected,
    pytest.mark.timeout(3600),
    pytest.mark.usefixtures("on_the_tests_parts"),
]

OPTIONS = Options(
    seed=3, parameters=ShopParameters(customers=200, days=10), step=timedelta(hours=12)
)
AT = timedelta(days=8)
BEFORE, AFTER = 4, 8
if os.environ.get("CARE_TEST_MOVE") == "full":
    # `make partitions-check`: the size that the guide speaks of.
    OPTIONS = Options(
        seed=3, parameters=ShopParameters(customers=1000, days=14), step=timedelta(hours=12)
    )
    BEFORE, AFTER = 12, 24


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """What happens where nothing is moved."""
    return play(_options(tmp_path_factory.mktemp("calm")))


def test_what_is_moved_in_the_middle_ends_as_what_is_not(calm: Played, tmp_path: Path) -> None:
    """With problems open, contacts sent and others waiting; the command is killed once on its way."""
    seen: dict[str, Any] = {}

    def between(stage: Stage) -> int:
        pause(stage)
        answer = httpx.post(f"{stage.services.address('ingest')}/v1/events", content=b"{}")
        seen["paused"] = answer.status_code, answer.headers["retry-after"]
        seen["under way"] = _under_way(stage)
        seen["planned"] = moved(stage, BEFORE, AFTER, "--dry-run")
        _kill_on_the_way(stage)
        seen["moved"] = moved(stage, BEFORE, AFTER, "--yes")
        seen["again"] = moved(stage, BEFORE, AFTER, "--yes")
        go_on(stage, AFTER)
        return AFTER

    found = play(_options(tmp_path), AT, between)

    assert seen["paused"] == (503, "30")
    assert min(seen["under way"].values()) > 0, seen["under way"]
    assert seen["planned"]["entries"] > 0
    assert seen["moved"]["wrong"] == []
    assert seen["moved"]["digest"] == seen["planned"]["digest"]
    assert (seen["again"]["entries"], seen["again"]["wrong"]) == (0, [])
    assert found.lives.misplaced == []
    assert (found.misplaced, calm.misplaced) == ({}, {})
    assert found.lives.states == calm.lives.states
    assert found.decided == calm.decided
    assert found.sent == calm.sent
    report, undisturbed = found.report, calm.report
    assert report.faults == ()
    assert report.contacts == undisturbed.contacts
    assert report.contacts.double == 0
    assert report.problems == undisturbed.problems
    assert report.decisions_digest == undisturbed.decisions_digest
    assert report.metrics == undisturbed.metrics
    assert _outcomes(report.events) == _outcomes(undisturbed.events)
    assert report.events.balances
    assert report.profiles.balances


def _options(folder: Path) -> Options:
    return replace(OPTIONS, folder=folder, cast=Cast(partitions=BEFORE))


def _outcomes(ledgered: Any) -> tuple[int, ...]:
    return ledgered.accepted, ledgered.applied, ledgered.late, ledgered.dead_lettered


def _under_way(stage: Stage) -> dict[str, int]:
    counts = {
        "problems": "SELECT count(*) FROM problems WHERE ended_at IS NULL",
        "sent": "SELECT count(*) FROM sends WHERE state = 'sent'",
        "waiting": "SELECT count(*) FROM agenda WHERE due_at IS NOT NULL",
    }
    return {name: int(rows(stage, statement)[0][0]) for name, statement in counts.items()}


def _kill_on_the_way(stage: Stage) -> None:
    """End one move with SIGKILL after it has begun, and before it is over."""
    name = f"{stage.topic_prefix}churn-predictor-facts-changelog"
    process = command(stage, BEFORE, AFTER, "--yes")
    wait_for(
        lambda: find_topics(stage.kafka_bootstrap)[name].partitions == AFTER, "the move to begin"
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    found = find_topics(stage.kafka_bootstrap)
    counts = {found[topic.physical(stage.topic_prefix)].partitions for topic in TOPICS}
    assert counts == {BEFORE, AFTER}, "it was over before it could be killed"
