"""Version N beside N + 1 on real Kafka and PostgreSQL: nothing is lost, and nobody is written to twice."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.churn_predictor.identities import MOVE_KEY
from services.churn_predictor.state import FORMAT
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.people import CustomerMerged
from services.kit.dead_letters import REASON, read_header
from services.kit.kafka_clients import partition_of
from services.metrics.decode import READ_TOPICS, decode
from services.metrics.fold import Unread
from tests.factories import HOUR, START, delivered, event, handed_over, placed, promised
from tests.faults.predictor_newer import ADDED, NEW_TYPE
from tests.support.mail import Sink, listening
from tests.support.outreach import environment, profile, query
from tests.support.service import Service, run_to_end, running
from tests.support.topics import PARTITIONS, Deployment, is_barrier, wait_for

pytestmark = [pytest.mark.connected, pytest.mark.long, pytest.mark.timeout(900)]

PEOPLE = 8
STEPS = 10
NEWER = "tests.faults.predictor_newer"
JOINS, LEAVES = 3, 4
"""At which step the newer predictor joins, and the older one leaves."""
STAYS = next(n for n in map("q-{}".format, range(99)) if partition_of(n.encode(), PARTITIONS) == 0)
"""The id into which one is merged in the end: that waits in the first partition, which is looked at first."""
NEW_EVENT = (
    b'{"specversion":"1.0","id":"n-1","source":"/shop","type":"care.order.wrapped.v1",'
    b'"time":"2026-03-02T10:00:00Z","partitionkey":"c-1","data":{"paper":"red"}}'
)


def story(step: int) -> list[Event[Any]]:
    """Every other parcel is late; some arrive in the end, and one customer is merged into another."""
    at = START + step * 12 * HOUR
    told: list[Event[Any]] = [] if step else [profile(f"c-{n}") for n in range(PEOPLE)]
    for n in range(PEOPLE):
        who: dict[str, Any] = {"customer": f"c-{n}", "at": at - HOUR}
        names: dict[str, Any] = {"shipment": f"sh-{n}", "order": f"o-{n}"}
        if step == 1:
            told += [placed(f"o-{n}", event_id=f"p-{n}", **who)]
            promised_by = START + (18 + 6 * n) * HOUR
            told += [promised(**names, by=promised_by, event_id=f"s-{n}", **who)]
            told += [handed_over(**names, event_id=f"h-{n}", **who)]
        if step == 2 + n % 4 and n % 2:
            told += [delivered(**names, event_id=f"d-{n}", **who)]
    if step == STEPS - 1:
        told += [event(CustomerMerged(into=STAYS), customer="c-1", at=at, event_id="m-1")]
    return told


@contextmanager
def of(deployment: Deployment, log: Path, module: str | None = None) -> Iterator[Service]:
    """A predictor of this deployment, of this version or the next."""
    told = {**deployment.environment(), "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6"}
    with running("churn_predictor", told, log, module) as service:
        yield service


def play(deployment: Deployment, database: str, sink: Sink, logs: Path, *, newer: bool) -> None:
    """Tell the story; with `newer` the next version's predictor takes over on the way."""
    told = environment(deployment, database, sink.port)
    with ExitStack() as stack:
        outreach = stack.enter_context(running("outreach", told, logs / "outreach"))
        predictors = [stack.enter_context(of(deployment, logs / "old"))]
        for step in range(STEPS):
            if newer and step == JOINS:
                predictors.append(stack.enter_context(of(deployment, logs / "new", NEWER)))
            if newer and step == LEAVES:
                assert predictors[0].terminate() == 0
                deployment.put(t.PURCHASES, NEW_EVENT, b"c-1")
            tell(deployment, *story(step), more=newer and step >= JOINS)
            deployment.await_barrier(
                deployment.tick(START + step * 12 * HOUR), t.OUTREACH, seconds=180
            )
        wait_for(lambda: waiting(deployment), "the merge to wait for the tick after the last")
        assert outreach.terminate() == 0
        assert predictors[-1].terminate() == 0


def tell(deployment: Deployment, *events: Event[Any], more: bool) -> None:
    """Publish as this version does, or as a publisher that knows a field more."""
    for one in events:
        if not more:
            deployment.publish(one)
            continue
        told = json.loads(one.encode()) | {ADDED: "by a publisher"}
        told["data"][ADDED] = 7
        from services.contracts.events import TOPIC_OF

        deployment.put(
            TOPIC_OF[type(one.data)], json.dumps(told).encode(), one.partitionkey.encode()
        )


def waiting(deployment: Deployment) -> list[int]:
    """Return the formats of the merges that wait in the state."""
    found = deployment.records(t.FACTS_CHANGELOG)
    return [json.loads(r.value)["format"] for r in found if r.value and r.key.startswith(MOVE_KEY)]


def problems(deployment: Deployment) -> list[tuple[str, str, str]]:
    """Return id, type and customer of everything said of problems that this version knows."""
    told = deployment.values(t.PROBLEMS)
    return sorted((e["id"], e["type"], e["partitionkey"]) for e in told if e["type"] != NEW_TYPE)


def decisions(database: str) -> list[tuple[Any, ...]]:
    """Return what outreach decided and did."""
    return query(database, "SELECT decision_id, customer_id, outcome FROM decisions ORDER BY 1")


def test_old_readers_and_new_writers_and_the_other_way_round(
    kafka_bootstrap: str, topic_prefix: str, database: str, sink: Sink, tmp_path: Path
) -> None:
    mixed = Deployment(kafka_bootstrap, f"{topic_prefix}mixed-")
    play(mixed, database, sink, tmp_path, newer=True)

    states = [r.value for r in mixed.records(t.FACTS_CHANGELOG) if r.value and r.key[:1] == b"c"]
    assert any(json.loads(value).get(ADDED) for value in states)
    assert waiting(mixed) == [FORMAT + 1]
    new = [e for e in mixed.values(t.PROBLEMS) if e["type"] == NEW_TYPE]
    assert new
    letters = mixed.records(t.by_name("problems-dlq"))
    assert [read_header(r.headers, REASON) for r in letters] == ["unknown_type"] * len(new)
    assert sorted(json.loads(r.value)["id"] for r in letters) == sorted(e["id"] for e in new)
    (gift,) = mixed.records(t.by_name("purchases-dlq"))
    assert (gift.value, read_header(gift.headers, REASON)) == (NEW_EVENT, "unknown_type")
    _accounts_balance(mixed)
    _metrics_reads_all_but(mixed, {NEW_TYPE, "care.order.wrapped.v1"})

    refused = run_to_end(
        "churn_predictor",
        {**mixed.environment(), "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "6"},
    )
    assert refused.returncode == 75
    line = f"a newer version wrote this state, in format {FORMAT + 1}"
    assert line in refused.stderr + refused.stdout
    said, decided = problems(mixed), decisions(database)
    written = sorted(sink.steps())
    mixed.close()

    calm = Deployment(kafka_bootstrap, f"{topic_prefix}calm-")
    with _another(database) as fresh, listening(Sink()) as quiet:
        play(calm, fresh, quiet, _folder(tmp_path / "calm"), newer=False)
        assert problems(calm) == said
        assert decisions(fresh) == decided
        assert sorted(quiet.steps()) == written
    calm.close()
    assert written
    assert len(set(written)) == len(written)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@contextmanager
def _another(database: str) -> Iterator[str]:
    """The same tables, empty, once more."""
    from services.outreach.tables import METADATA
    from tests.component.outreach.desk import execute

    names = ", ".join(table.name for table in METADATA.sorted_tables)
    execute(database, f"TRUNCATE {names} CASCADE")
    yield database


def _accounts_balance(deployment: Deployment) -> None:
    latest = {(v["topic"], v["partition"]): v for v in deployment.values(t.ACCOUNTS)}
    for topic in t.PREDICTOR_SOURCES:
        of_topic = [a for (name, _), a in latest.items() if name == topic.name]
        outcomes = ("applied", "duplicate", "late", "dead_lettered")
        counted = sum(a[outcome] for a in of_topic for outcome in outcomes)
        assert counted == len(deployment.records(topic)), topic.name


def _metrics_reads_all_but(deployment: Deployment, types: set[str]) -> None:
    """What the metrics service cannot read is counted as such, and is nothing else than these."""
    unread = [
        json.loads(record.value)["type"]
        for topic in READ_TOPICS
        for record in deployment.records(topic)
        if isinstance(decode(topic, record), Unread) and not is_barrier(record)
    ]
    assert set(unread) == types
