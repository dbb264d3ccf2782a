"""The predictor on real Kafka: killed, paused, poisoned, and started without what it needs."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.stream import Account
from services.contracts.trace_context import of_headers
from services.kit.clock import SystemClock
from services.kit.dead_letters import REASON, read_header
from services.kit.kafka_admin import apply_topics, delete_topics
from services.kit.transactions import TransactionalWriter
from services.metrics.figures.pipeline import unaccounted
from tests.factories import DAY, HOUR, START, delivered, handed_over, placed, promised, scanned
from tests.support.service import Service, run_to_end, running
from tests.support.topics import Deployment, by_customer, is_barrier, wait_for

pytestmark = pytest.mark.connected

CUSTOMERS = 40
PROMISE = START + 5 * DAY
SYSTEM = "/carriers/dhl"


@pytest.fixture
def predictor(deployment: Deployment, tmp_path: Path) -> Iterator[Service]:
    with running("churn_predictor", settings(deployment), tmp_path / "log") as service:
        yield service


def settings(deployment: Deployment, **more: str) -> dict[str, str]:
    return {**deployment.environment(**more), "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6"}


def story(step: int) -> list[Event[Any]]:
    """Return what happens in one step of twelve hours, the same at every telling."""
    at = START + step * 12 * HOUR
    told = []
    for n in range(CUSTOMERS):
        who: dict[str, Any] = {"customer": f"c-{n}", "at": at - HOUR}
        names: dict[str, Any] = {"shipment": f"sh-{n}", "order": f"o-{n}"}
        if step == 1:
            told += [placed(f"o-{n}", event_id=f"p-{n}", **who)]
            told += [promised(**names, by=PROMISE, event_id=f"s-{n}", **who)]
        if step == 2 + n % 11:
            told += [handed_over(**names, event_id=f"h-{n}", **who)]
        if step == 5 + n % 13:
            told += [delivered(**names, event_id=f"d-{n}", **who)]
    return told


def tell(deployment: Deployment, service: Service, kills: frozenset[int]) -> dict[str, Any]:
    """Tell the whole story; kill the predictor in the middle of these steps; return what it said."""
    deployment.await_barrier(deployment.tick(START))
    for step in range(1, 20):
        deployment.publish(*story(step))
        number = deployment.tick(START + step * 12 * HOUR)
        if step in kills:
            service.kill()
            service.restart()
        deployment.await_barrier(number)
    accounts = {v["topic"] + str(v["partition"]): v for v in deployment.values(t.ACCOUNTS)}
    return {
        "problems": by_customer(deployment.values(t.PROBLEMS)),
        "assessments": by_customer(deployment.values(t.ASSESSMENTS)),
        "traces": sorted(
            (json.loads(record.value)["id"], of_headers(record.headers))
            for topic in (t.PROBLEMS, t.ASSESSMENTS)
            for record in deployment.records(topic)
            if not is_barrier(record)
        ),
        "accounts": accounts,
    }


def test_kills_change_nothing_of_what_is_said(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Undisturbed with everything in memory, and killed with a store on disk and a name in its group."""
    told = []
    for store, kills in (("memory", frozenset[int]()), ("rocksdb", frozenset({4, 11}))):
        deployment = Deployment(kafka_bootstrap, f"{topic_prefix}{store}-")
        environment = settings(
            deployment,
            CARE_CHURN_PREDICTOR_STORE=store,
            CARE_CHURN_PREDICTOR_FOLDER=str(tmp_path / "folder"),
            # As it runs in a cluster.
            **({"CARE_CHURN_PREDICTOR_MEMBER": "predictor-0"} if store == "rocksdb" else {}),
        )
        with running("churn_predictor", environment, tmp_path / store) as service:
            told.append(tell(deployment, service, kills))
        deployment.close()
    calm, killed = told

    assert len(calm["problems"]) > 10
    assert None not in {trace for _, trace in calm["traces"]}
    assert killed == calm
    events = [a for a in calm["accounts"].values() if a["topic"] in ("purchases", "deliveries")]
    assert sum(a["applied"] for a in events) == sum(len(story(step)) for step in range(1, 20))


def test_an_outage_of_a_carriers_system_is_one_notice_also_across_a_kill(
    deployment: Deployment, predictor: Service
) -> None:
    """Scanned once a day for five weeks, in all partitions, and never again."""
    deployment.await_barrier(deployment.tick(START))
    for day in range(1, 46):
        at = START + day * DAY
        if day < 36:
            deployment.publish(
                *(
                    scanned(f"sh-{n}", f"o-{n}", customer=f"c-{n}", source=SYSTEM, at=at - HOUR)
                    for n in range(8)
                )
            )
        number = deployment.tick(at)
        if day == 37:
            predictor.kill()
            predictor.restart()
        deployment.await_barrier(number)

    marks = {(v["kind"], v["feed"]) for v in deployment.values(t.FEEDS) if "feed" in v}
    assert ("feed", f"publisher:{SYSTEM}") in marks
    assert {feed for kind, feed in marks if kind == "silent"} == {"carrier:dhl"}


def test_a_backlog_raises_no_false_alarm_by_the_machines_clock(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Promises fall due while the predictor is away; all but one were kept in time."""
    tolerances = tmp_path / "tolerances.json"
    tolerances.write_text('{"feed_settle": 1}')
    address = tmp_path / "address"
    environment = settings(
        deployment,
        CARE_CLOCK="system",
        CARE_CHURN_PREDICTOR_TOLERANCES=str(tolerances),
        CARE_CHURN_PREDICTOR_ADDRESS_FILE=str(address),
    )
    with running("churn_predictor", environment, tmp_path / "log") as service:
        wait_for(lambda: _ticking(deployment) == deployment.partitions, "each one's first tick")
        # Promised behind the first tick: what was broken before it raises no alarm.
        now = SystemClock().now()
        due = now + timedelta(seconds=8)
        service.kill()
        names = [f"{n:03}" for n in range(300)]
        told = [promised(f"sh-{n}", by=due, customer=f"c-{n}", at=now) for n in names]
        kept = [delivered(f"sh-{n}", customer=f"c-{n}", at=due - HOUR / 3600) for n in names[1:]]
        deployment.publish(*told, *kept)
        # The feed was heard after the deadline, so nothing but the backlog holds alarms back.
        deployment.publish(placed(customer="c-x", at=due + timedelta(seconds=2)))
        wait_for(lambda: SystemClock().now() > due + timedelta(seconds=2), "the promised instant")
        service.restart()
        wait_for(lambda: deployment.values(t.PROBLEMS), "the one alarm that is true")
        wait_for(lambda: _applied(deployment) == 600, "the whole backlog")
        # Those that waited through the outage are measured by the life that decided about them.
        wait_for(lambda: 0 < _decided_about(address) <= len(told) + len(kept) + 1, "the seconds")

    assert {v["partitionkey"] for v in deployment.values(t.PROBLEMS)} == {"c-000"}


def _decided_about(address: Path) -> float:
    """Return of how many events the running worker has measured how long they waited for a decision."""
    with urlopen(f"{address.read_text().strip()}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    name = "care_event_to_decision_seconds_count "
    return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def _ticking(deployment: Deployment) -> int:
    """Return how many partitions have seen a tick."""
    return len({v["partition"] for v in deployment.values(t.FEEDS) if v["kind"] == "tick"})


def _applied(deployment: Deployment) -> int:
    latest = {
        (v["topic"], v["partition"]): v["applied"]
        for v in deployment.values(t.ACCOUNTS)
        if v["topic"] != "ticks"
    }
    return sum(latest.values())


def test_poison_is_dead_lettered_with_its_reason_and_the_next_event_is_handled(
    deployment: Deployment, predictor: Service
) -> None:
    good = placed(at=START + HOUR)
    future = placed("o-future", at=START + HOUR + timedelta(hours=25))
    deployment.await_barrier(deployment.tick(START + HOUR))
    for poison in (b"{", good.encode().replace(b"order.placed", b"order.lost"), future.encode()):
        deployment.put(t.PURCHASES, poison, b"c-1")
    deployment.put(t.PURCHASES, good.encode().replace(b"p-0", b"x" * 1024 * 1024), b"c-1")
    deployment.publish(good)
    deployment.await_barrier(deployment.tick(START + 2 * HOUR))

    letters = deployment.records(t.dead_letter(t.PURCHASES))

    assert [read_header(r.headers, REASON) for r in letters] == [
        "not_json",
        "unknown_type",
        "future",
        "invalid",
    ]
    assert letters[0].value == b"{"
    assert _applied(deployment) == 1
    assert predictor.terminate() == 0


def test_a_record_that_ends_three_lives_is_set_aside_and_all_others_are_applied(
    deployment: Deployment, tmp_path: Path
) -> None:
    environment = settings(deployment, CARE_CHURN_PREDICTOR_FOLDER=str(tmp_path / "notes"))
    orders = [f"o-{n}" for n in range(5)] + ["deadly"] + [f"o-{n}" for n in range(5, 9)]
    module = "tests.faults.predictor_dying"
    with running("churn_predictor", environment, tmp_path / "log", module) as service:
        deployment.await_barrier(deployment.tick(START))
        deployment.publish(*(placed(order, at=START) for order in orders))
        deployment.tick(START + HOUR)
        for _ in range(3):
            assert service.process.wait(60) == 139
            service.restart()
        deployment.await_barrier(1)

    (letter,) = deployment.records(t.dead_letter(t.PURCHASES))
    assert read_header(letter.headers, REASON) == "deadly"
    assert b"deadly" in letter.value
    assert _applied(deployment) == len(orders) - 1


def test_a_worker_without_partitions_takes_over_from_one_that_dies(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Nothing was ever revoked from it, so its flow is open when partitions come."""
    deployment = Deployment(kafka_bootstrap, topic_prefix, partitions=1)
    with running("churn_predictor", settings(deployment), tmp_path / "first") as first:
        deployment.await_barrier(deployment.tick(START))
        deployment.publish(placed("o-1", at=START))
        with running("churn_predictor", settings(deployment), tmp_path / "second") as second:
            wait_for(lambda: "listening" in second.output(), "the second worker")
            deployment.await_barrier(deployment.tick(START + HOUR))
            deployment.publish(*(placed(f"o-{n}", at=START) for n in range(2, 40)))
            number = deployment.tick(START + 2 * HOUR)
            first.kill()
            deployment.await_barrier(number)

            assert _applied(deployment) == 39
            assert second.terminate() == 0
    deployment.close()


def test_a_publishers_transactions_hold_no_tick_up(
    deployment: Deployment, predictor: Service
) -> None:
    """The end of a partition lies behind a marker that no reader ever sees."""
    writer = TransactionalWriter(deployment.bootstrap, f"{deployment.prefix}publisher")
    name = t.PURCHASES.physical(deployment.prefix)
    for partition in range(deployment.partitions):
        writer.write(name, partition, b"c-1", placed(at=START).encode())
        writer.commit()

    deployment.await_barrier(deployment.tick(START + HOUR))

    assert _applied(deployment) + len(deployment.records(t.dead_letter(t.PURCHASES))) == 4
    told = [Account.model_validate(value) for value in deployment.values(t.ACCOUNTS)]
    assert any(account.absent for account in told)
    assert {unaccounted(account) for account in told} == {0}
    assert predictor.terminate() == 0


def test_a_topic_made_anew_under_a_running_worker_ends_it_and_the_next_start_says_what_to_do(
    deployment: Deployment, predictor: Service
) -> None:
    deployment.await_barrier(deployment.tick(START))
    deployment.publish(*(placed(f"o-{n}", at=START) for n in range(3)))
    deployment.await_barrier(deployment.tick(START + HOUR))

    delete_topics(deployment.bootstrap, [t.PURCHASES.physical(deployment.prefix)])
    apply_topics(deployment.bootstrap, partitions=deployment.partitions, prefix=deployment.prefix)
    deployment.publish(placed("o-other", at=START))

    assert predictor.process.wait(90) == 75
    # Whichever it meets first: no topic, another topic's id, or the offsets of another topic.
    told = ("topics are missing", "was made anew", "went back from offset 3 to 0", "all topics of")
    assert any(reason in predictor.output() for reason in told)
    ended = run_to_end("churn_predictor", settings(deployment))
    assert ended.returncode == 75
    assert "was made anew since this state was written" in ended.stderr


def test_no_broker_ends_with_75_and_one_line() -> None:
    ended = run_to_end("churn_predictor", {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})

    assert ended.returncode == 75
    assert "Kafka does not answer at 127.0.0.1:9" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


def test_missing_topics_end_with_75_and_say_how_to_make_them(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    ended = run_to_end(
        "churn_predictor",
        {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "CARE_TOPIC_PREFIX": topic_prefix},
    )

    assert ended.returncode == 75
    assert "care topics apply" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


def test_a_wrong_partition_count_ends_with_75_and_names_both_numbers(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    apply_topics(kafka_bootstrap, partitions=2, prefix=topic_prefix)

    ended = run_to_end(
        "churn_predictor",
        {
            "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
            "CARE_TOPIC_PREFIX": topic_prefix,
            "CARE_PARTITIONS": "4",
        },
    )

    assert ended.returncode == 75
    assert "has 2 partitions and this service expects 4" in ended.stderr


def test_missing_settings_end_with_2_and_name_the_variable() -> None:
    ended = run_to_end("churn_predictor", {})

    assert ended.returncode == 2
    assert "KAFKA_BOOTSTRAP_SERVERS" in ended.stderr
