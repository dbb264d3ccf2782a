"""Commands that make, move and read topics, each as the Kafka user that it is meant for and with no more."""

import json

import pytest
from click.testing import CliRunner, Result
from kafka import TopicPartition
from kafka.errors import TopicAuthorizationFailedError
from sqlalchemy import text

from services.churn_predictor.state import PARTITION, PartitionState, partition_key
from services.cli.__main__ import care
from services.cli.backfill import known
from services.cli.deployment import Place
from services.contracts import topics as t
from services.contracts.access import MOVER, OPERATOR, PREDICTOR_GROUP, TOPIC_MAKER
from services.kit.exits import Unavailable
from services.kit.kafka_admin import check_topics
from services.kit.kafka_clients import open_consumer, partition_of
from services.kit.transactions import TransactionalWriter
from services.outreach import positions
from services.outreach.batch import SOURCES
from services.outreach.database import open_engine
from tests.factories import START
from tests.support.outreach import here
from tests.support.secured_kafka import SecuredKafka, tell_this_process
from tests.support.topics import Deployment

pytestmark = pytest.mark.connected


@pytest.fixture
def deployment(secured_deployment: Deployment) -> Deployment:
    """Topics of the test's own there; the test itself may do everything."""
    return secured_deployment


def test_a_command_works_as_the_operator(
    kafka: SecuredKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_this_process(kafka.admit(OPERATOR, topic_prefix), monkeypatch)
    place = ("--bootstrap", kafka.bootstrap, "--prefix", topic_prefix, "--partitions", "1")
    made = CliRunner().invoke(care, ["topics", "apply", *place, "--json"])
    verified = CliRunner().invoke(care, ["verify", *place, "--json"])

    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["existed"] == 0
    assert verified.exit_code == 0, verified.output


def test_what_is_typed_in_tools_works_as_the_operator(
    kafka: SecuredKafka, deployment: Deployment, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.publish(here("c-1"))
    tell_this_process(kafka.admit(OPERATOR, deployment.prefix), monkeypatch)
    exported = told(deployment, "export", "c-1", "--database-url", database)
    story = told(deployment, "why", "c-1", "--json")
    erasing = ("--by", "ada", "--no-wait", "--json", "--database-url", database)
    erased = told(deployment, "erase", "c-1", *erasing)

    assert json.loads(exported.stdout)["topics"]["customers"]["count"] == 1
    assert story.exit_code == 0, (story.output, story.exception)
    # Nobody runs who would forget; it was said, and the profile is gone.
    assert erased.exit_code == 1, erased.output
    assert json.loads(erased.stdout)["asked_at"]
    assert known(Place(kafka.bootstrap, deployment.prefix, deployment.partitions), print)
    assert not Place(kafka.bootstrap, deployment.prefix, deployment.partitions).has_begun()


def test_what_is_typed_in_outreachs_pod_works_as_outreach_and_the_rest_does_not(
    kafka: SecuredKafka, deployment: Deployment, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_this_process(kafka.admit("outreach", deployment.prefix), monkeypatch)
    on_database = ("--database-url", database)
    dry = told(deployment, "reconcile", *on_database, "--by", "ada", "--dry-run", "--json")
    done = told(deployment, "reconcile", *on_database, "--by", "ada", "--json")
    exported = told(deployment, "export", "c-1", *on_database)
    verified = told(deployment, "verify")

    assert (dry.exit_code, done.exit_code) == (0, 0), (dry.exception, done.exception)
    # A topic that a user may not look at is as good as none.
    for each in (exported, verified):
        assert isinstance(each.exception, Unavailable)
        assert "-care-outreach may not see them" in str(each.exception)


def told(deployment: Deployment, command: str, *words: str) -> Result:
    """Return what a command of `care` answers about a deployment, as whoever this process is."""
    place = ("--bootstrap", deployment.bootstrap, "--prefix", deployment.prefix)
    count = ("--partitions", str(deployment.partitions))
    return CliRunner().invoke(care, [command, *place, *count, *words])


def test_topics_are_made_by_a_user_who_may_do_nothing_else(
    kafka: SecuredKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_this_process(kafka.admit(TOPIC_MAKER, topic_prefix), monkeypatch)
    place = ("--bootstrap", kafka.bootstrap, "--prefix", topic_prefix)
    apply = ["topics", "apply", *place, "--partitions", "1", "--json"]
    made, again = (CliRunner().invoke(care, apply) for _ in range(2))
    elsewhere = ("--bootstrap", kafka.bootstrap, "--prefix", f"another-{topic_prefix}")
    beyond = CliRunner().invoke(care, ["topics", "apply", *elsewhere, "--partitions", "1"])

    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout) == {"created": mine_of(topic_prefix), "existed": 0}
    assert json.loads(again.stdout) == {"created": [], "existed": len(t.TOPICS)}
    # Neither does it read what is there, nor make what is another's.
    profiles = t.CUSTOMERS.physical(topic_prefix)
    reader = open_consumer(kafka.bootstrap)
    reader.assign([TopicPartition(profiles, 0)])
    with pytest.raises(TopicAuthorizationFailedError):
        reader.poll(timeout_ms=10_000)
    reader.close(autocommit=False)
    assert isinstance(beyond.exception, Unavailable)
    assert "may not do this" in str(beyond.exception)


def mine_of(prefix: str) -> list[str]:
    """Return the names of all topics with this prefix."""
    return sorted(topic.physical(prefix) for topic in t.TOPICS)


def test_only_the_mover_moves_a_deployment_to_more_partitions(
    kafka: SecuredKafka, deployment: Deployment, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"c-{n}" for n in range(20)]
    deployment.publish(*(here(name) for name in people))
    with_state(deployment, people)
    has_read_everything(deployment, database)
    place = ("--bootstrap", kafka.bootstrap, "--prefix", deployment.prefix)
    words = ["partitions", "move", *place, "--database-url", database, "--from", "4", "--to", "8"]

    tell_this_process(kafka.admit(OPERATOR, deployment.prefix), monkeypatch)
    refused = CliRunner().invoke(care, [*words, "--yes"])
    tell_this_process(kafka.admit(MOVER, deployment.prefix), monkeypatch)
    moved = CliRunner().invoke(care, [*words, "--yes", "--json"])

    assert "grant it" in str(refused.exception)
    assert moved.exit_code == 0, (moved.output, moved.exception)
    told = json.loads(moved.stdout)
    assert told["customers"] == len(people)
    assert 0 < told["entries"] < len(people)
    assert told["latest"] == told["entries"]
    assert told["wrong"] == []


def with_state(deployment: Deployment, people: list[str]) -> None:
    """Write what predictors would have written of these people."""
    name = t.FACTS_CHANGELOG.physical(deployment.prefix)
    for number in range(deployment.partitions):
        writer = TransactionalWriter(
            deployment.bootstrap, f"{deployment.prefix}{PREDICTOR_GROUP}-{number}"
        )
        for person in people:
            if partition_of(person.encode(), deployment.partitions) == number:
                writer.write(name, number, person.encode(), b"{}")
        state = PARTITION.dump_json(PartitionState(since=START, number=1, at=START))
        writer.write(name, number, partition_key(number), state)
        writer.commit()


def has_read_everything(deployment: Deployment, database: str) -> None:
    """Let outreach's database say that nothing is unread."""
    where = {"partitions": deployment.partitions, "prefix": deployment.prefix}
    found = check_topics(deployment.bootstrap, SOURCES.values(), **where)  # type: ignore[arg-type]
    engine = open_engine(database)
    positions.check_topic_ids(engine, found)
    with engine.begin() as connection:
        connection.execute(text("UPDATE source_positions SET next_offset = 1000000"))
    engine.dispose()
