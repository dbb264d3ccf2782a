"""The transactional writer and the changelog reader on a real broker."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from warnings import catch_warnings

import pytest
from confluent_kafka import KafkaException

from services.contracts import topics as t
from services.kit.changelog import Follower, Truncated, read_on
from services.kit.exits import Unavailable
from services.kit.transactions import TransactionalWriter
from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected

Open = Callable[[], TransactionalWriter]


@pytest.fixture
def changelog(deployment: Deployment) -> str:
    return t.FACTS_CHANGELOG.physical(deployment.prefix)


@pytest.fixture
def open_writer(deployment: Deployment) -> Iterator[Open]:
    """Opens writers of one id."""
    opened: list[TransactionalWriter] = []

    def another() -> TransactionalWriter:
        opened.append(TransactionalWriter(deployment.bootstrap, f"{deployment.prefix}writer"))
        return opened[-1]

    yield another
    for each in opened:
        # The client of a fenced one stays otherwise, and looks for the broker when that is gone.
        with suppress(KafkaException), catch_warnings(action="ignore"):
            each._producer.close()


@pytest.fixture
def writer(open_writer: Open) -> TransactionalWriter:
    return open_writer()


def read(
    deployment: Deployment, topic: str, position: int | None = None
) -> list[tuple[bytes, bytes | None]]:
    stretches = read_on(deployment.bootstrap, topic, 0, position)
    return [change for stretch in stretches for change in stretch.changes]


def test_nothing_is_read_of_an_empty_log_nor_of_an_open_transaction(
    deployment: Deployment, changelog: str, writer: TransactionalWriter
) -> None:
    assert read(deployment, changelog) == []
    writer.write(changelog, 0, b"a", b"1")
    assert read(deployment, changelog) == []

    writer.commit()
    assert read(deployment, changelog) == [(b"a", b"1")]


def test_committed_changes_are_read_in_order_from_any_position_on(
    deployment: Deployment, changelog: str, writer: TransactionalWriter
) -> None:
    positions: list[int] = []
    for value in (b"1", b"2", None):
        writer.write(
            changelog, 0, b"a", value, delivered=lambda _, m: positions.append(m.offset() + 1)
        )
        writer.commit()

    assert read(deployment, changelog) == [(b"a", b"1"), (b"a", b"2"), (b"a", None)]
    assert read(deployment, changelog, positions[0]) == [(b"a", b"2"), (b"a", None)]
    assert read(deployment, changelog, positions[-1]) == []
    (stretch,) = read_on(deployment.bootstrap, changelog, 0, None)
    assert stretch.position == positions[-1]


def test_a_position_beyond_the_log_is_refused(
    deployment: Deployment, changelog: str, writer: TransactionalWriter
) -> None:
    writer.write(changelog, 0, b"a", b"1")
    writer.commit()

    with pytest.raises(Truncated):
        read(deployment, changelog, 1_000)


def test_a_writer_that_was_overtaken_commits_nothing_any_more(
    deployment: Deployment, changelog: str, writer: TransactionalWriter, open_writer: Open
) -> None:
    writer.write(changelog, 0, b"a", b"kept")
    writer.commit()
    writer.write(changelog, 0, b"a", b"lost")

    second = open_writer()
    with pytest.raises(Unavailable, match="another process has taken over"):
        writer.commit()
    second.write(changelog, 0, b"b", b"kept too")
    second.commit()

    assert read(deployment, changelog) == [(b"a", b"kept"), (b"b", b"kept too")]


def test_a_writer_that_learns_of_it_while_writing_says_so_too(
    changelog: str, writer: TransactionalWriter, open_writer: Open
) -> None:
    """The first record brings the news; whatever is written after it fails."""
    open_writer()
    writer.write(changelog, 0, b"a", b"lost")

    with pytest.raises(Unavailable, match="another process has taken over"):
        wait_for(lambda: writer.write(changelog, 0, b"a", b"lost"), "the news", seconds=20)


def test_a_writer_that_was_overtaken_while_idle_commits_nothing_any_more(
    deployment: Deployment, changelog: str, writer: TransactionalWriter, open_writer: Open
) -> None:
    open_writer()
    writer.write(changelog, 0, b"a", b"lost")

    with pytest.raises(Unavailable, match="another process has taken over"):
        writer.commit()
    assert read(deployment, changelog) == []


def test_a_writer_that_was_overtaken_is_told_so_although_its_records_report_too(
    changelog: str, writer: TransactionalWriter, open_writer: Open
) -> None:
    open_writer()
    errors: list[object] = []
    for number in range(100):
        name = b"%d" % number
        writer.write(changelog, 0, name, b"lost", delivered=lambda e, _: errors.append(e))

    with pytest.raises(Unavailable, match="another process has taken over"):
        writer.commit()
    assert len(errors) == 100
    assert all(error is not None for error in errors)


def test_a_follower_catches_up_with_the_end_of_now_each_time_it_is_asked(
    deployment: Deployment, writer: TransactionalWriter
) -> None:
    """A worker that stood by without a partition takes over with what was said in the meantime."""
    topic = t.FEEDS.physical(deployment.prefix)
    said: list[tuple[bytes, bytes | None]] = []
    follower = Follower(
        deployment.bootstrap, topic, deployment.partitions, lambda *record: said.append(record)
    )
    follower.catch_up(30.0)
    assert said == []
    for number in range(3_000):
        writer.write(topic, number % deployment.partitions, b"%d" % number, b"x")
    writer.write(topic, 0, b"0", None)
    writer.commit()

    def has_all() -> bool | None:
        # A transaction's end reaches its partitions a little after the writer hears of it.
        follower.catch_up(30.0)
        return len(said) == 3_001 or None

    wait_for(has_all, "what the transaction wrote")
    assert (b"0", None) in said
    for _ in range(3):
        # Nothing is told twice where nothing came.
        follower.catch_up(30.0)
    assert len(said) == 3_001
    follower.close()
