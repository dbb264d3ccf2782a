"""The past loaded into real Kafka through the real door, before the real predictor begins."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import care
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.kit.clock import SystemClock
from tests.factories import DAY, HOUR, handed_over, placed, promised, scanned
from tests.support.door import open_door
from tests.support.service import running
from tests.support.topics import Deployment

pytestmark = pytest.mark.connected


def history(now: datetime) -> list[Event[Any]]:
    """A promise broken long ago, one to be broken in two days, and an order beyond the horizon."""

    def order(who: str, bought: datetime, promise: datetime) -> list[Event[Any]]:
        ids: dict[str, Any] = {"shipment": f"sh-{who}", "order": f"o-{who}"}
        return [
            placed(f"o-{who}", customer=who, at=bought),
            promised(**ids, by=promise, customer=who, at=bought),
            handed_over(**ids, customer=who, at=bought + DAY),
        ]

    return [
        *order("c-old", now - 60 * DAY, now - 50 * DAY),
        *order("c-new", now - 5 * DAY, now + 2 * DAY),
        placed("o-late", customer="c-late", at=now - 401 * DAY),
    ]


@pytest.fixture
def load(deployment: Deployment, tmp_path: Path) -> Callable[..., Result]:
    """The command, over a file with a bad line in its midst."""
    now = SystemClock().now()
    lines = [event.encode() for event in history(now)]
    lines.insert(2, b'{"specversion": "1.0", "type": "care.order.placed.v1"}')
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"\n".join(lines))

    def call(address: str, *words: str) -> Result:
        place = ("--bootstrap", deployment.bootstrap, "--prefix", deployment.prefix)
        told = ("--partitions", str(deployment.partitions), "--ingest", address, "--json", *words)
        return CliRunner().invoke(care, ["backfill", str(path), *place, *told], prog_name="care")

    return call


def counts(done: Result) -> dict[str, int]:
    told: dict[str, Any] = json.loads(done.stdout)
    return {name: told[name] for name in ("accepted", "duplicate", "rejected", "late")}


def test_the_past_raises_no_alarm_and_what_is_promised_ahead_does(
    deployment: Deployment, load: Callable[..., Result], tmp_path: Path
) -> None:
    environment = deployment.environment(CARE_CHURN_PREDICTOR_SESSION_SECONDS="6")
    with open_door(deployment.environment(CARE_CLOCK="system"), tmp_path) as (_, address):
        first, again = load(address), load(address)

        assert (first.exit_code, again.exit_code) == (1, 1)
        assert counts(first) == {"accepted": 7, "duplicate": 0, "rejected": 1, "late": 1}
        assert counts(again) == {"accepted": 0, "duplicate": 7, "rejected": 1, "late": 0}
        (rejection,) = json.loads(first.stdout)["rejections"]
        assert rejection["line"] == 3
        assert "/id: Field required" in rejection["why"]

        begin = SystemClock().now()
        with running("churn_predictor", environment, tmp_path / "log") as service:
            deployment.await_barrier(deployment.tick(begin))
            assert deployment.values(t.PROBLEMS) == []
            applied = [(v["topic"], v["applied"]) for v in deployment.values(t.ACCOUNTS)]
            # Simulated time has not begun when these are read: nobody can tell yet what is late.
            assert sum(count for topic, count in applied if topic == "purchases") == 3
            assert sum(count for topic, count in applied if topic == "deliveries") == 4

            refused = load(address)
            assert refused.exit_code == 2
            assert "time has begun" in refused.stderr
            meant = load(address, "--after-first-tick")
            assert counts(meant)["duplicate"] == 7

            for day in range(1, 6):
                # The carrier is heard of: what is silent about the promise is not merely unread.
                at = begin + day * DAY
                deployment.publish(scanned("sh-x", "o-x", customer="c-x", at=at - HOUR))
                deployment.await_barrier(deployment.tick(at))
            assert service.terminate() == 0

    opened = [v for v in deployment.values(t.PROBLEMS) if v["type"].endswith("opened.v1")]
    assert {(v["partitionkey"], v["data"]["kind"]) for v in opened} >= {("c-new", "delivery_delay")}
    assert {v["partitionkey"] for v in opened} == {"c-new"}
