"""A database older than what was said, over a real one: what is noticed, held, and made up for."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from kafka.errors import KafkaTimeoutError

from services.contracts import events
from services.contracts.envelope import Event
from services.contracts.people import Channel
from services.contracts.topics import PROBLEMS
from services.kit import logs
from services.outreach import ledger, outbox, reconciliation, said
from services.outreach.comparison import Comparison, unknown
from services.outreach.outbox import NotPublished, Publisher, Record, put
from services.outreach.playbook import catalogue_of, parse
from services.outreach.replaying import Replaying
from services.outreach.said import Gap
from services.outreach.sender import Sender
from tests.component.outreach.desk import ME, NIGHT, NOON, SAID, Desk, execute, record
from tests.component.outreach.test_following_steps import PLAYBOOK
from tests.component.outreach.test_memory import Acknowledged, FakeProducer
from tests.factories import HOUR, wrote
from tests.support.mail import Manner
from tests.support.outreach import cleared, opened, profile, query, states

pytestmark = pytest.mark.connected

LATER = NOON + HOUR


@dataclass
class Lying:
    """A topic `outreach` on which these events lie, all on partition 0, beside a topic of problems."""

    said: list[Event[Any]]
    problems: list[Event[Any]] = field(default_factory=list)
    id: UUID = SAID
    partitions: int = 4

    def topic_id(self) -> UUID:
        return self.id

    def bounds(self) -> dict[int, tuple[int, int]]:
        return {0: (0, len(self.said)), 1: (0, 0), 2: (0, 0), 3: (0, 0)}

    def events(self, since: Any, progress: Any = None) -> Iterator[tuple[int, Event[Any]]]:
        return ((0, event) for event in self.said[since[0] :])

    def reader(self) -> "Lying":
        return self

    def records(self, *_: Any, **__: Any) -> Iterator[tuple[Any, Any]]:
        for offset, event in enumerate(self.problems):
            one: Any = record(event, offset)
            one.partition = 0
            yield PROBLEMS, one

    def close(self) -> None:
        pass


def said_by(desk: Desk) -> list[Event[Any]]:
    """What this one has put in its outbox, in order."""
    values = query(desk.url, "SELECT value FROM outbox ORDER BY seq")
    return [events.read(value) for (value,) in values]


@pytest.fixture
def copies(database_url: str) -> Iterator[Callable[[Desk], Desk]]:
    """Makes a desk over a copy of another one's database as it stands."""
    made: list[tuple[str, Desk]] = []

    def copy(desk: Desk) -> Desk:
        desk.engine.dispose()
        name = f"t{uuid4().hex[:10]}"
        execute(database_url, f"CREATE DATABASE {name} TEMPLATE {desk.url.rsplit('/', 1)[1]}")
        copied = Desk(f"{desk.url.rsplit('/', 1)[0]}/{name}", patient=True)
        copied.offsets = dict(desk.offsets)
        made.append((name, copied))
        return copied

    yield copy
    for name, desk in made:
        desk.engine.dispose()
        execute(database_url, f"DROP DATABASE {name} WITH (FORCE)")


def compared(desk: Desk, topic: Any) -> bool:
    return Comparison(desk.engine, topic, logs.get("test")).run()


def replayed(desk: Desk, topic: Any, **more: Any) -> dict[str, Any]:
    work = Replaying(desk.engine, topic, desk.out.rules.catalogue, **more)
    return work.run("ada", LATER, {}).as_object()


def is_needed(desk: Desk) -> bool:
    with desk.engine.connect() as connection:
        return reconciliation.is_needed(connection)


def position(desk: Desk) -> int:
    with desk.engine.connect() as connection:
        return said.positions(connection)[0].next_offset


def goes_wrong(desk: Desk, at: Any = NOON) -> list[Event[Any]]:
    told = [opened("c-1", at)]
    desk.learn(profile("c-1"), *told, now=at)
    return told


def begin(desk: Desk) -> None:
    """Start the send that waits, as a process does that is killed in the middle of it."""
    with desk.engine.begin() as connection:
        (found,) = ledger.waiting(connection, desk.out.rules, None, [Channel.EMAIL], NOON)
        send = ledger.take(connection, found.step_id)
        assert send is not None
        ledger.start(connection, send, UUID(int=9), "<1@care>", NOON)


def is_sent(desk: Desk) -> None:
    desk.send()


def is_withdrawn(desk: Desk) -> None:
    desk.learn(cleared("c-1", NOON))


def is_unknown(desk: Desk) -> None:
    begin(desk)
    with desk.engine.begin() as connection:
        ledger.doubt_abandoned(connection, ME, [0], NOON)


def fails(desk: Desk) -> None:
    Desk(desk.url, Manner.REFUSES_RECIPIENT).send()


def is_corrected(desk: Desk) -> None:
    desk.send()
    desk.learn(cleared("c-1", LATER, "retracted"), now=LATER)
    desk.decide(LATER)
    desk.send(LATER)


ENDINGS: dict[str, Callable[[Desk], None]] = {
    "decided": lambda _: None,
    "started": begin,
    "sent": is_sent,
    "failed": fails,
    "unknown": is_unknown,
    "withdrawn": is_withdrawn,
    "corrected": is_corrected,
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_each_kind_of_event_is_known_to_who_said_it_and_not_to_a_backup_from_before(
    desk: Desk, copies: Callable[[Desk], Desk], kind: str
) -> None:
    problems = goes_wrong(desk)
    old = copies(desk)
    desk.decide()
    ENDINGS[kind](desk)
    told = said_by(desk)
    assert told[-1].type == f"care.outreach.{kind}.v1"

    with desk.engine.connect() as connection:
        assert unknown(connection, told) == []
    with old.engine.connect() as connection:
        assert [e.id for e in unknown(connection, told)] == [e.id for e in told]

    assert compared(desk, Lying(told))
    assert position(desk) == len(told)
    assert not compared(old, Lying(told))
    replayed(old, Lying(told, problems))
    expected = {"started": "unknown", "decided": "pending"}.get(kind, kind)
    if kind == "corrected":
        assert states(old.url) == {"sent": 2}
    else:
        assert states(old.url) == {expected: 1}
    with old.engine.connect() as connection:
        assert unknown(connection, told) == []
    assert not is_needed(old)
    assert position(old) == len(told)


def test_an_older_database_decides_sends_and_withdraws_nothing_and_reads_on(
    desk: Desk, copies: Callable[[Desk], Desk]
) -> None:
    goes_wrong(desk)
    desk.decide()
    old = copies(desk)
    desk.send()

    assert not compared(old, Lying(said_by(desk)))
    old.learn(profile("c-2"), opened("c-2", NOON), wrote(order="o-c-1", customer="c-1", at=NOON))

    assert (old.decide(), old.send(), old.told()) == ([], 0, ["decided"])
    assert states(old.url) == {"pending": 1}
    assert query(old.url, "SELECT count(*) FROM problems") == [(2,)]
    with pytest.raises(NotPublished):
        Publisher(old.engine, FakeProducer(), "").publish_now()
    assert Publisher(old.engine, FakeProducer(), "").publish_all() == 0


def test_what_waited_in_the_backup_and_has_left_is_not_sent_again(
    desk: Desk, copies: Callable[[Desk], Desk]
) -> None:
    goes_wrong(desk)
    desk.decide()
    old = copies(desk)
    desk.send()
    compared(old, Lying(said_by(desk)))

    found = replayed(old, Lying(said_by(desk)))

    assert found["sends"] == {"sent": 1}
    assert found["learnt"] == {"care.outreach.sent.v1": 1, "care.outreach.started.v1": 1}
    assert (old.decide(), old.send(LATER), states(old.url)) == ([], 0, {"sent": 1})


def test_a_start_without_an_outcome_is_unknown_and_says_so_once(
    desk: Desk, copies: Callable[[Desk], Desk]
) -> None:
    goes_wrong(desk)
    desk.decide()
    old = copies(desk)
    begin(desk)
    topic = Lying(said_by(desk))
    compared(old, topic)

    found = replayed(old, topic)

    assert found["unknown"] == [str(topic.said[-1].data.step_id)]
    assert old.told() == ["decided", "unknown"]
    assert old.send(LATER) == 0
    again = replayed(old, topic)
    assert (again["learnt"], again["sends"], old.told()) == ({}, {}, ["decided", "unknown"])


def test_an_empty_database_gets_back_all_it_said_and_what_was_deferred_is_due_again(
    desk: Desk, copies: Callable[[Desk], Desk]
) -> None:
    empty = copies(desk)
    problems = goes_wrong(desk, NIGHT)
    assert desk.decide(NIGHT) == ["deferred"]
    topic = Lying(said_by(desk), problems)
    until = topic.said[0].data.deferred_until
    assert not compared(empty, topic)

    replayed(empty, topic)

    tables = ("problems", "agenda", "decisions")
    for table in tables:
        assert query(empty.url, f"SELECT * FROM {table}") == query(
            desk.url, f"SELECT * FROM {table}"
        )
    # Reading the same again changes nothing.
    empty.learn(profile("c-1"), *problems, now=NIGHT)
    for table in tables:
        assert query(empty.url, f"SELECT * FROM {table}") == query(
            desk.url, f"SELECT * FROM {table}"
        )
    assert empty.decide(NIGHT) == []
    assert empty.decide(until) == ["contact"]
    assert empty.send(until) == 1


def test_the_step_that_follows_comes_back_and_goes_out_when_it_would_have(
    desk: Desk, copies: Callable[[Desk], Desk]
) -> None:
    empty = copies(desk)
    for each in (desk, empty):
        write_again(each)
    problems = goes_wrong(desk)
    desk.decide()
    desk.send()
    topic = Lying(said_by(desk), problems)
    compared(empty, topic)

    replayed(empty, topic)

    agenda = "SELECT * FROM agenda ORDER BY step"
    assert len(query(desk.url, agenda)) == 2
    assert query(empty.url, agenda) == query(desk.url, agenda)
    empty.learn(profile("c-1"), *problems)
    assert empty.decide(NOON + 47 * HOUR) == []
    assert empty.decide(NOON + 48 * HOUR) == ["contact"]
    assert empty.send(NOON + 48 * HOUR) == 1


def write_again(desk: Desk) -> None:
    """Give this one the playbook that writes again after two days."""
    catalogue = catalogue_of([parse(PLAYBOOK, "x")])
    desk.out = replace(desk.out, rules=replace(desk.out.rules, catalogue=catalogue))
    desk.sender._out = desk.out


def test_a_trial_finds_the_same_and_changes_nothing(
    desk: Desk, copies: Callable[[Desk], Desk]
) -> None:
    empty = copies(desk)
    problems = goes_wrong(desk)
    desk.decide()
    begin(desk)
    topic = Lying(said_by(desk), problems)
    compared(empty, topic)

    trial = replayed(empty, topic, is_trial=True)

    assert is_needed(empty)
    assert query(empty.url, "SELECT count(*) FROM problems") == [(0,)]
    assert trial == replayed(empty, topic)
    assert not is_needed(empty)
    ((by, found),) = query(empty.url, "SELECT reconciled_by, found FROM reconciliations")
    assert (by, found) == ("ada", json.loads(json.dumps(trial)))


def test_what_no_topic_tells_the_problem_of_is_counted_and_passed_over(
    desk: Desk, copies: Callable[[Desk], Desk]
) -> None:
    empty = copies(desk)
    goes_wrong(desk)
    desk.decide()
    desk.send()

    found = replayed(empty, Lying(said_by(desk)))

    assert (found["without_problem"], found["learnt"]) == (3, {})


def test_a_send_whose_decision_is_gone_is_never_due_again(
    desk: Desk, copies: Callable[[Desk], Desk]
) -> None:
    empty = copies(desk)
    problems = goes_wrong(desk)
    desk.decide()
    desk.send()

    found = replayed(empty, Lying(said_by(desk)[1:], problems))
    empty.learn(profile("c-1"), *problems)

    assert found["without_decision"] == 2
    assert (empty.decide(LATER), empty.send(LATER)) == ([], 0)


@pytest.mark.parametrize(
    "wrong",
    [Lying([], id=UUID(int=5)), Lying([])],
    ids=["made anew", "shorter than what is known"],
)
def test_a_topic_that_is_not_the_one_that_is_known_stops_everything(
    desk: Desk, wrong: Lying
) -> None:
    goes_wrong(desk)
    desk.decide()
    assert compared(desk, Lying(said_by(desk)))

    assert not compared(desk, wrong)
    assert desk.send() == 0
    replayed(desk, wrong)
    assert position(desk) == 0
    assert compared(desk, wrong)
    assert desk.send() == 1


def test_a_new_deployment_starts_at_once(desk: Desk) -> None:
    assert compared(desk, Lying([]))


def test_no_channel_is_called_before_the_start_is_published(desk: Desk) -> None:
    goes_wrong(desk)
    desk.decide()
    mails: list[int] = []
    sender = Sender(
        desk.engine, desk.out, logs.get("test"), publish=lambda: mails.append(desk.channel.attempts)
    )

    assert sender.send_due(None, lambda: NOON) == 1
    assert (mails, desk.channel.attempts) == ([0], 1)


class Deaf:
    """A broker that acknowledges nothing."""

    def send(self, *_: Any, **__: Any) -> "Deaf":
        return self

    def get(self, timeout: float) -> None:
        raise KafkaTimeoutError("nothing")


def test_a_start_that_cannot_be_published_is_put_back_and_goes_out_later(desk: Desk) -> None:
    goes_wrong(desk)
    desk.decide()
    deaf: Any = Deaf()
    publisher = Publisher(desk.engine, deaf, "")
    sender = Sender(desk.engine, desk.out, logs.get("test"), publish=publisher.publish_now)

    with pytest.raises(NotPublished):
        sender.send_due(None, lambda: NOON)
    assert (states(desk.url), desk.channel.attempts) == ({"pending": 1}, 0)
    assert compared(desk, Lying(said_by(desk)))

    assert desk.send() == 1
    assert query(desk.url, "SELECT state, attempt FROM sends") == [("sent", 2)]


class Elsewhere(FakeProducer):
    """A broker on whose topic somebody else has written already."""

    def __init__(self, ahead: int) -> None:
        super().__init__()
        self._ahead = ahead

    def send(self, topic: str, *, partition: int, value: bytes | None, **more: Any) -> Acknowledged:
        done = super().send(topic, partition=partition, value=value, **more)
        return Acknowledged(done.offset + self._ahead, fails=False)


def waiting(desk: Desk) -> int:
    with desk.engine.connect() as connection:
        return outbox.waiting(connection)


def test_who_finds_more_on_the_topic_than_is_known_compares_before_it_goes_on(desk: Desk) -> None:
    with desk.engine.begin() as connection:
        put(connection, [Record("outreach", 0, b"k", b"v", ())])
    asked: list[int] = []
    with pytest.raises(NotPublished):
        Publisher(desk.engine, Elsewhere(3), "", lambda: asked.append(1)).publish_now()
    assert (asked, position(desk), waiting(desk)) == ([1], 0, 1)

    def compare() -> None:
        with desk.engine.begin() as connection:
            said.pass_over(connection, 0, 0, 4)

    Publisher(desk.engine, Elsewhere(3), "", compare).publish_now()
    assert (position(desk), waiting(desk)) == (5, 0)


def test_what_is_published_and_forgotten_later_is_known_then(desk: Desk) -> None:
    publisher = Publisher(desk.engine, FakeProducer(), "")
    with desk.engine.begin() as connection:
        put(connection, [Record("outreach", 0, b"k", b"v", ())] * 3)
        publisher.publish_partitions(connection, [0])
    assert position(desk) == 0
    with desk.engine.begin() as connection:
        put(connection, [Record("outreach", 0, b"k", b"v", ())])
    publisher.publish_of([0])
    assert (position(desk), waiting(desk)) == (4, 0)

    with desk.engine.begin() as connection:
        put(connection, [Record("outreach", 0, b"k", b"v", ())])
    stranger = Publisher(desk.engine, Elsewhere(9), "")
    with desk.engine.connect() as connection:
        stranger.publish_partitions(connection, [0])
        with pytest.raises(Gap):
            stranger.forget(connection)
    assert position(desk) == 4
