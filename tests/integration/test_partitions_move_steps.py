"""`care partitions move` on real Kafka: interrupted, refused where it must be, and with a step left out."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ConfigResource
from kafka.errors import MessageSizeTooLargeError
from sqlalchemy import select, text

from services.churn_predictor.relocating import Relocation
from services.cli.person_topics import Topics
from services.contracts import topics as t
from services.contracts.access import PREDICTOR_GROUP
from services.contracts.moved import is_moved
from services.kit.exits import Unavailable
from services.kit.kafka_admin import FoundTopic, check_topics, find_topics, members_of
from services.kit.kafka_clients import open_admin, partition_of
from services.kit.layouts import homes_of, layouts_of
from services.kit.transactions import TransactionalWriter
from services.outreach import outbox, positions
from services.outreach.batch import SOURCES
from services.outreach.database import open_engine
from services.outreach.outbox import Record
from services.outreach.tables import OUTBOX
from services.why.records import read_customer
from tests.factories import HOUR, START, placed
from tests.support.move_story import (
    HALF,
    LAYOUT,
    PEOPLE,
    STEPS,
    environment,
    grown,
    move,
    moves_on,
    old_home,
    said,
    states,
    tell,
)
from tests.support.outreach import profile
from tests.support.service import run_to_end, running
from tests.support.topics import Deployment, wait_for

pytestmark = [pytest.mark.connected, pytest.mark.long, pytest.mark.timeout(900)]

CALM = "calm-"


class Killed(Exception):
    """Stands for a process that is gone at this point."""


@pytest.fixture
def deployment(kafka_bootstrap: str, topic_prefix: str) -> Iterator[Deployment]:
    """Topics of the test's own, few partitions each."""
    made = Deployment(kafka_bootstrap, topic_prefix, LAYOUT.before)
    yield made
    made.close()


@pytest.fixture
def half(deployment: Deployment, database: str, tmp_path: Path) -> Deployment:
    """A deployment in the middle of the story, at rest; its outreach has read everything."""
    deployment.publish(*(profile(f"p-{n}") for n in range(PEOPLE)))
    tell(deployment, range(HALF), tmp_path / "first")
    engine = open_engine(database)
    names = check_topics(
        deployment.bootstrap,
        SOURCES.values(),
        partitions=LAYOUT.before,
        prefix=deployment.prefix,
    )
    positions.check_topic_ids(engine, names)
    with engine.begin() as connection:
        connection.execute(text("UPDATE source_positions SET next_offset = 1000000"))
    engine.dispose()
    return deployment


def test_killed_at_any_step_it_goes_on_and_the_story_ends_as_without_a_move(
    half: Deployment, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {key: state for key, (_, state) in states(half).items()}
    commit, flush = TransactionalWriter.commit, Relocation._acknowledged
    # Of the state nothing; half of one partition; the other divided, not carried; profiles in two places;
    # and all but the last word, with every topic grown.
    deaths = (
        (commit, 1, False),
        (commit, 2, True),
        (commit, 3, False),
        (flush, 1, True),
        (commit, 3, False),
    )
    for real, number, is_done in deaths:
        kind = TransactionalWriter if real is commit else Relocation
        _die_at(monkeypatch, kind, real.__name__, real, number, is_done)
        with pytest.raises(Killed):
            move(half, database)
        monkeypatch.setattr(kind, real.__name__, real)
    assert {topic.partitions for topic in _topics_of(half)} == {LAYOUT.after}
    # Wherever it stood: nobody starts in the middle of it.
    for partitions in (LAYOUT.before, LAYOUT.after):
        half.partitions = partitions
        assert run_to_end("churn_predictor", environment(half)).returncode == 75
    half.partitions = LAYOUT.before
    group = f"{half.prefix}{PREDICTOR_GROUP}"
    # The one that was refused its partitions has not left its group.
    wait_for(lambda: not members_of(half.bootstrap, [group])[group], "its session to be over")

    found = move(half, database)

    assert found.wrong == []
    after = grown(half)
    assert {key: state for key, (_, state) in states(after).items()} == before
    for key, (partition, _) in states(after).items():
        assert partition == partition_of(key.encode(), LAYOUT.after)
    _profiles_lie_where_they_belong(after)
    where = {"prefix": after.prefix, "partitions": LAYOUT.after}
    told = layouts_of(after.bootstrap, **where)  # type: ignore[arg-type]
    assert told == (LAYOUT.before, LAYOUT.after)
    assert homes_of(b"p-1", told) == {partition_of(b"p-1", n) for n in told}

    tell(after, range(HALF, STEPS + 2), tmp_path / "second")
    calm = Deployment(half.bootstrap, half.prefix + CALM, LAYOUT.before)
    calm.publish(*(profile(f"p-{n}") for n in range(PEOPLE)))
    tell(calm, range(STEPS + 2), tmp_path / "calm")
    expected, got = said(calm), said(after)
    assert got == expected
    assert len(expected["problems"]) >= PEOPLE / 3
    _is_told_of_as_a_whole(after)
    for each in (after, calm):
        each.close()


def _is_told_of_as_a_whole(deployment: Deployment) -> None:
    """Whoever asks about a customer who was moved is told of both partitions."""
    who = next(name for name in (f"p-{n}" for n in range(99)) if moves_on(name))
    found = read_customer(
        deployment.bootstrap,
        prefix=deployment.prefix,
        partitions=LAYOUT.after,
        customer_id=who,
        wanted=[t.PURCHASES],
        progress=lambda *_: None,
    )
    assert len(list(found)) == STEPS + 1
    lying = list(
        Topics(deployment.bootstrap, deployment.prefix, LAYOUT.after).lying([who], [t.PURCHASES])
    )
    assert {one.partition for one in lying} == {
        old_home(who),
        partition_of(who.encode(), LAYOUT.after),
    }


def _topics_of(deployment: Deployment) -> list[FoundTopic]:
    found = find_topics(deployment.bootstrap)
    return [found[topic.physical(deployment.prefix)] for topic in t.TOPICS]


def _die_at(
    monkeypatch: pytest.MonkeyPatch, kind: type, name: str, real: Any, number: int, is_done: bool
) -> None:
    """Let the call of this number be the last; done itself, or not."""
    calls = 0

    def dying(self: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == number and not is_done:
            raise Killed
        real(self)
        if calls == number:
            raise Killed

    monkeypatch.setattr(kind, name, dying)


def _profiles_lie_where_they_belong(deployment: Deployment) -> None:
    latest = {(r.partition, r.key): r for r in deployment.records(t.CUSTOMERS)}
    living = {key: partition for (partition, key), r in latest.items() if r.value is not None}
    gone = [record for record in latest.values() if record.value is None]
    assert living == {
        f"p-{n}".encode(): partition_of(f"p-{n}".encode(), LAYOUT.after) for n in range(PEOPLE)
    }
    assert gone
    assert all(is_moved(record.headers) for record in gone)


LEFT_OUT = {
    "_divide": "do not know who was erased",
    "_carry": "customers and histories lie elsewhere",
    "_move_latest": "latest values lie elsewhere",
}
"""Step of the move → what the checks say where it was left out."""


def test_a_step_that_is_left_out_is_found_and_nobody_starts(
    half: Deployment, database: str
) -> None:
    for number in range(len(LEFT_OUT)):
        steps = list(LEFT_OUT)[number:]
        with pytest.MonkeyPatch.context() as patch:
            for step in steps:
                patch.setattr(Relocation, step, lambda *_, **__: 0)
            found = move(half, database)
        said_of = {s for s, words in LEFT_OUT.items() if any(words in each for each in found.wrong)}
        assert said_of == set(steps), found.wrong

    assert find_topics(half.bootstrap)[f"{half.prefix}purchases"].partitions == LAYOUT.before
    half.partitions = LAYOUT.after
    assert run_to_end("churn_predictor", environment(half)).returncode == 75
    assert move(half, database).wrong == []


def test_a_state_that_was_damaged_on_the_way_is_found_by_each_later_run(
    half: Deployment, database: str
) -> None:
    """The second run would find it in order, had it nothing but what it sees itself to go by."""

    def lose(self: Relocation, number: int, some: Any, _: Any) -> None:
        for key, _home in some:
            self._writers[number].write(self._changelog, number, key, None)
        self._writers[number].commit()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Relocation, "_carry", lose)
        found = move(half, database)

    damaged = "the state is not the one there was when the move began"
    assert found.wrong == [damaged]
    assert move(half, database).wrong == [damaged]
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM partition_moves"))
    engine.dispose()
    # As if restored: the witness is gone, and the damage must not become what there was.
    with pytest.raises(Unavailable, match="go on with the database that it began with"):
        move(half, database)
    half.partitions = LAYOUT.after
    assert run_to_end("churn_predictor", environment(half)).returncode == 75


def test_what_comes_before_the_first_partition_is_divided_is_no_dead_end(
    half: Deployment, database: str
) -> None:
    """The topics have grown, so that nobody could read it as the command would else ask for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Relocation, "move_states", _killed)
        with pytest.raises(Killed):
            move(half, database)
    name = next(n for n in (f"p-{i}" for i in range(99)) if moves_on(n))
    late = placed("o-late", customer=name, at=START, event_id="l-1")
    half.put(t.PURCHASES, late.encode(), name.encode(), partition=old_home(name))

    found = move(half, database)

    assert (found.late, found.wrong) == ({"purchases": 1}, [])


def _killed(*_: Any) -> None:
    raise Killed


def test_a_copy_that_the_broker_refuses_takes_nothing_away(half: Deployment, database: str) -> None:
    """As where a record is as long as the broker takes, and the copy says beside it that it was moved."""
    name = t.CUSTOMERS.physical(half.prefix)
    _takes_at_most(half, name, 200)
    with pytest.raises(MessageSizeTooLargeError):
        move(half, database)

    latest = {(r.partition, r.key): r.value for r in half.records(t.CUSTOMERS)}
    assert {key for (_, key), value in latest.items() if value is not None} == {
        f"p-{n}".encode() for n in range(PEOPLE)
    }
    _takes_at_most(half, name, 1_000_000)
    assert move(half, database).wrong == []
    after = grown(half)
    _profiles_lie_where_they_belong(after)
    after.close()


def _takes_at_most(deployment: Deployment, topic: str, size: int) -> None:
    with closing(open_admin(deployment.bootstrap)) as client:
        value = {"max.message.bytes": str(size)}
        client.alter_configs([ConfigResource("TOPIC", topic, value)], incremental=True)


def test_a_profile_that_came_after_the_checks_is_brought_along(
    half: Deployment, database: str
) -> None:
    name = next(n for n in (f"p-{i}" for i in range(99)) if moves_on(n))
    real = Relocation.latest_misplaced

    def publish_meanwhile(self: Relocation) -> int:
        found = real(self)
        newer = profile(name, START + 99 * HOUR)
        half.put(t.CUSTOMERS, newer.encode(), name.encode(), partition=old_home(name))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Relocation, "latest_misplaced", publish_meanwhile)
        assert move(half, database).wrong == []

    after = grown(half)
    _profiles_lie_where_they_belong(after)
    after.close()


def test_a_database_from_before_the_move_is_brought_along_afterwards(
    half: Deployment, database: str
) -> None:
    name = next(n for n in (f"p-{i}" for i in range(99)) if moves_on(n))
    assert not move(half, database).was_over
    waits = Record(t.OUTREACH.name, old_home(name), name.encode(), b"{}", ())
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(text(f"DELETE FROM source_positions WHERE partition >= {LAYOUT.before}"))
        outbox.put(connection, [waits])

    again = move(half, database)

    assert (again.was_over, again.rows, again.wrong) == (True, {"outbox": 1}, [])
    grown_topics = check_topics(
        half.bootstrap, SOURCES.values(), partitions=LAYOUT.after, prefix=half.prefix
    )
    positions.check_topic_ids(engine, grown_topics)
    with engine.connect() as connection:
        (row,) = connection.execute(select(OUTBOX)).all()
    assert row.partition == partition_of(name.encode(), LAYOUT.after)
    engine.dispose()


def test_what_is_unread_or_still_runs_is_in_the_way(
    half: Deployment, database: str, tmp_path: Path
) -> None:
    half.publish(placed("o-unread", customer="p-1", at=START, event_id="u-1"))
    with pytest.raises(Unavailable, match="churn_predictor has not read everything \\(1 on purch"):
        move(half, database)
    with running("churn_predictor", environment(half), tmp_path / "again") as service:
        half.await_barrier(half.tick(START + HALF * 12 * HOUR), seconds=120)
        with pytest.raises(Unavailable, match="churn-predictor still has members"):
            move(half, database)
        assert service.terminate() == 0
    assert find_topics(half.bootstrap)[f"{half.prefix}moves"].partitions == LAYOUT.before


@pytest.mark.parametrize("topic", [t.HISTORIES, t.MOVES], ids=lambda topic: topic.name)
def test_a_letter_that_cannot_be_read_is_found_before_any_topic_grows(
    half: Deployment, database: str, tmp_path: Path, topic: t.Topic
) -> None:
    """Afterwards nobody could write it anew, and no service may start to set it aside."""
    half.put(topic, b"no letter", None, partition=1)

    with pytest.raises(Unavailable, match=f"a letter on {half.prefix}{topic.name}-1 cannot"):
        move(half, database)

    assert {found.partitions for found in _topics_of(half)} == {LAYOUT.before}
    tell(half, range(HALF, HALF + 1), tmp_path / "again")
    assert move(half, database).wrong == []


def test_what_comes_by_the_old_number_afterwards_is_set_aside_and_not_mixed_in(
    half: Deployment, database: str, tmp_path: Path
) -> None:
    """A publisher that has not heard of the new partitions; and one that wrote during the move."""
    name = next(n for n in (f"p-{i}" for i in range(99)) if moves_on(n))
    late = placed("o-late", customer=name, at=START, event_id="l-1")
    real = Relocation.move_states

    def publish_meanwhile(self: Relocation, tell: Any) -> None:
        half.put(t.PURCHASES, late.encode(), name.encode(), partition=old_home(name))
        real(self, tell)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Relocation, "move_states", publish_meanwhile)
        found = move(half, database)
    assert (found.late, found.wrong) == ({"purchases": 1}, [])
    stale = placed("o-stale", customer=name, at=START, event_id="l-2")
    half.put(t.PURCHASES, stale.encode(), name.encode(), partition=old_home(name))

    after = grown(half)
    tell(after, range(HALF, HALF + 1), tmp_path / "second")

    letters = after.records(t.by_name("purchases-dlq"))
    assert len(letters) == 2
    owner, state = states(after)[name]
    assert owner == partition_of(name.encode(), LAYOUT.after)
    assert "o-late" in state.facts.orders
    assert "o-stale" not in state.facts.orders
    after.close()
