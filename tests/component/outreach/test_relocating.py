"""What outreach remembers, put under other partitions: all of it or nothing, however long it takes."""

import time
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, delete, select

from services.contracts.topics import OUTREACH
from services.kit.exits import Unavailable
from services.kit.kafka_clients import partition_of
from services.outreach import outbox, positions, relocating
from services.outreach.database import url_of
from services.outreach.outbox import Record
from services.outreach.positions import Superseded
from services.outreach.tables import OUTBOX
from tests.component.outreach.desk import FOUND, NOON, Desk
from tests.support.outreach import opened, profile, query

pytestmark = pytest.mark.connected


def test_another_number_of_partitions_is_refused_until_everything_was_moved(desk: Desk) -> None:
    grown = {name: replace(topic, partitions=8) for name, topic in FOUND.items()}
    customers = [f"c-{n}" for n in range(12)]
    desk.learn(*(profile(c) for c in customers), *(opened(c, NOON) for c in customers))
    desk.decide()

    with pytest.raises(Unavailable, match="care partitions move --from 4 --to 8"):
        positions.check_topic_ids(desk.engine, grown)
    with desk.engine.connect() as connection:
        assert positions.partitions_in(connection) == 4
    assert relocating.misplaced(desk.engine, 8)
    with desk.engine.begin() as connection:
        connection.execute(delete(OUTBOX))
    moved = relocating.relocate(desk.engine, 8, lambda _: None)

    assert moved["agenda"] > 0
    assert moved["decisions"] > 0
    found = query(desk.url, "SELECT DISTINCT customer_id, partition FROM agenda")
    assert dict(found) == {c: partition_of(c.encode(), 8) for c in customers}
    assert not relocating.misplaced(desk.engine, 8)
    assert not relocating.relocate(desk.engine, 8, lambda _: None)
    positions.check_topic_ids(desk.engine, grown)
    with pytest.raises(Superseded):
        desk.learn(profile("c-99"))


def test_what_is_still_to_be_published_is_in_the_way_of_a_move(desk: Desk) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()

    with pytest.raises(Unavailable, match="stop every replica"):
        relocating.relocate(desk.engine, 8, lambda _: None)

    with desk.engine.connect() as connection:
        assert positions.partitions_in(connection) == 4


def test_what_a_restored_database_had_still_to_publish_goes_where_its_customer_is_now(
    desk: Desk,
) -> None:
    """The move is over; this database is from before it, and outreach cannot start to publish it."""
    dead = Record("problems-dlq", 0, b"c-1", b"{}", ())
    desk.learn(
        *(profile(f"c-{n}") for n in range(12)), *(opened(f"c-{n}", NOON) for n in range(12))
    )
    desk.decide()
    with desk.engine.begin() as connection:
        outbox.put(connection, [dead])

    moved = relocating.relocate(desk.engine, 8, lambda _: None, is_restored=True)

    with desk.engine.connect() as connection:
        rows = connection.execute(select(OUTBOX)).all()
    assert moved["outbox"] > 0
    for row in rows:
        at_home = partition_of(row.key, 8) if row.topic == OUTREACH.name else dead.partition
        assert row.partition == at_home
    assert len({row.topic for row in rows}) == 2
    assert not relocating.relocate(desk.engine, 8, lambda _: None, is_restored=True)


def test_it_may_reckon_for_longer_than_a_replica_may_stand_idle(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.learn(profile("c-1"), opened("c-1", NOON))
    with desk.engine.begin() as connection:
        connection.execute(delete(OUTBOX))
    idle = {"options": "-c idle_in_transaction_session_timeout=20ms"}
    impatient = create_engine(url_of(desk.url), connect_args=idle)

    def slowly(key: bytes, partitions: int) -> int:
        time.sleep(0.1)
        return partition_of(key, partitions) ^ 1

    monkeypatch.setattr(relocating, "partition_of", slowly)
    assert relocating.misplaced(impatient, 4) == {"agenda": 1}
    assert relocating.relocate(impatient, 4, lambda _: None) == {"agenda": 1}
    impatient.dispose()


def test_a_move_is_held_against_what_it_began_with_and_another_one_is_not(desk: Desk) -> None:
    assert relocating.beginning_of(desk.engine, 4, 8) is None
    relocating.note_beginning(desk.engine, 4, 8, "first")
    relocating.note_beginning(desk.engine, 4, 8, "second")

    assert relocating.beginning_of(desk.engine, 4, 8) == "second"
    assert relocating.beginning_of(desk.engine, 8, 16) is None
    relocating.note_end(desk.engine, 4, 8)
    assert query(desk.url, "SELECT ended_at IS NULL FROM partition_moves") == [(False,)]
