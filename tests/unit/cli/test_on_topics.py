"""Training from a deployment's own topics, over invented records."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli import deployment
from services.cli.__main__ import care
from services.cli.on_topics import Counts, readable
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.events import TOPIC_OF
from services.contracts.stream import Tick
from services.contracts.topics import Topic
from tests.factories import DAY, START, cancelled, placed, promised

PLACE = ("--bootstrap", "kafka:9092", "--prefix", "x-", "--partitions", "1")


@dataclass
class Record:
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


Found = tuple[Topic, Record]


def on_topic(event: Event[Any], key: bytes | None = None) -> Found:
    return TOPIC_OF[type(event.data)], Record(key or event.partitionkey.encode(), event.encode())


def read(*records: Found, counts: Counts, ahead: timedelta | None = None) -> list[Event[Any]]:
    return list(readable(records, None if ahead is None else START + ahead, counts))


def test_every_event_counts_once_and_what_nobody_can_read_not_at_all() -> None:
    counts, order, other = Counts(), placed("o-1"), placed("o-2")
    spoiled = Record(b"c-1", b"{"), Record(b"c-1", None), Record(b"c-2", order.encode())

    found = read(
        on_topic(order),
        *((t.PURCHASES, record) for record in spoiled),
        (t.DELIVERIES, Record(b"c-1", order.encode())),
        on_topic(order),
        on_topic(other),
        counts=counts,
    )

    assert found == [order, other]
    assert (counts.events, counts.unreadable, counts.repeated) == (2, 4, 1)
    assert str(counts) == "2 events read; 4 unreadable and 1 repeated one passed over"


def test_one_id_of_two_customers_is_two_events() -> None:
    same = [placed(customer=who, event_id="e") for who in ("c-1", "c-2")]

    assert read(*map(on_topic, same), counts=Counts()) == same


def test_what_lies_too_far_ahead_of_the_deployments_time_is_passed_over() -> None:
    near, far = placed("o-1", at=START + DAY), placed("o-2", at=START + 1.1 * DAY)
    counts = Counts()

    assert read(on_topic(near), on_topic(far), counts=counts, ahead=timedelta()) == [near]
    assert counts.unreadable == 1
    assert read(on_topic(near), on_topic(far), counts=Counts()) == [near, far]


class Reader:
    """Stands in for Kafka."""

    found: tuple[Found, ...] = ()
    asked: list[Topic]

    def __init__(self, bootstrap: str, *, prefix: str, partitions: int) -> None:
        assert (bootstrap, prefix, partitions) == ("kafka:9092", "x-", 1)

    def records(self, wanted: Iterable[Topic], **_: Any) -> Iterator[Found]:
        topics = list(wanted)
        type(self).asked += topics
        yield from (each for each in self.found if each[0] in topics)

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> type[Reader]:
    monkeypatch.setattr(Reader, "asked", [], raising=False)
    monkeypatch.setattr(deployment, "TopicReader", Reader)
    monkeypatch.setattr(deployment, "check_topics", lambda *_, **__: {})
    return Reader


def run(*words: object) -> Result:
    return CliRunner().invoke(
        care, [str(word) for word in words], prog_name="care", env={"KAFKA_BOOTSTRAP_SERVERS": ""}
    )


@pytest.mark.parametrize("risk", ["complaint", "lapse"])
def test_nothing_on_the_topics_is_one_line_that_says_what_to_do(
    broker: type[Reader], tmp_path: Path, risk: str
) -> None:
    out = tmp_path / "model.json"
    shown = run("train", "--topics", risk, *PLACE, "--until", "2026-02-01", "--out", out)

    assert shown.exit_code == 2
    assert "lies on x-purchases" in shown.stderr
    assert "name the deployment's prefix with --prefix" in shown.stderr
    assert "for 30 days unless the broker's retention.ms says otherwise" in shown.stderr
    assert not out.exists()


def test_too_little_to_learn_from_is_said_with_what_to_do(
    broker: type[Reader], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [placed(), promised(), placed("o-2", at=START + DAY), cancelled("o-2")]
    monkeypatch.setattr(broker, "found", tuple(map(on_topic, told)))
    out = tmp_path / "model.json"

    for risk, why in (
        ("complaint", "of 0 orders bought and answered before 2026-02-01, 0 ended badly"),
        ("lapse", "no cut-off has eight weeks before it"),
    ):
        shown = run("train", "--topics", risk, *PLACE, "--until", "2026-02-01", "--out", out)
        assert shown.exit_code == 2
        assert why in shown.stderr
        assert "retention.ms" in shown.stderr
    assert "1 purchases of 1 customers" in shown.stderr


def test_purchases_alone_are_read_for_lapse_risk(
    broker: type[Reader], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "found", (on_topic(placed()),))
    words = (*PLACE, "--until", "2026-02-01", "--out", tmp_path / "model.json")

    run("train", "--topics", "lapse", *words)
    assert broker.asked == [t.TICKS, t.PURCHASES]
    run("train", "--topics", "complaint", *words)
    assert broker.asked[2:] == [t.TICKS, t.PURCHASES, t.DELIVERIES, t.CONTACTS]


def test_the_latest_tick_is_the_deployments_time(
    broker: type[Reader], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = [Tick(number=n, at=START + n * DAY, ends={}).encode() for n in (2, 1)]
    told = [(t.TICKS, Record(None, value)) for value in (*ticks, b"{", None)]
    ahead = on_topic(placed("o-2", at=START + 4 * DAY))
    monkeypatch.setattr(broker, "found", (*told, on_topic(placed()), ahead))

    shown = run("train", "--topics", "lapse", *PLACE, "--out", tmp_path / "model.json")

    assert "1 event read; 1 unreadable" in shown.stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--topics", "lapse"), "--topics needs --bootstrap or KAFKA_BOOTSTRAP_SERVERS"),
        (("--topics", "churn", *PLACE), "'churn' is not one of 'complaint', 'lapse'"),
        (("--topics", "complaint", *PLACE), "--topics complaint needs --until"),
        (("--topics", "lapse", *PLACE, "--olist", "x"), "name one of --olist, --purchases and"),
        (("--topics", "lapse", *PLACE, "--purchases", "x"), "name one of --olist, --purchases"),
    ],
)
def test_a_wrong_command_line_is_refused(
    tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    shown = run("train", *words, "--out", tmp_path / "model.json")

    assert shown.exit_code == 2
    assert complaint in shown.stderr
