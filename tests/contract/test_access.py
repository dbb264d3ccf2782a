"""What each Kafka user may do: all of what its service does, and no more than that."""

import json

import pytest
from click.testing import CliRunner

from services.churn_predictor.app import _WRITTEN
from services.churn_predictor.worker import SOURCES as PREDICTOR_SOURCES
from services.cli.__main__ import care
from services.contracts import topics as t
from services.contracts.access import (
    MOVED,
    PRINCIPALS,
    Grant,
    Operation,
    Resource,
    grants,
    user_of,
)
from services.metrics.decode import READ_TOPICS
from services.outreach.batch import SOURCES as OUTREACH_SOURCES

READ, WRITE = Operation.READ, Operation.WRITE


def on_topics(principal: str, operation: Operation) -> set[str]:
    """Return the topics on which this is granted."""
    return {
        grant.name
        for grant in grants(principal)
        if grant.resource is Resource.TOPIC and operation in grant.operations
    }


def names(*topics: t.Topic) -> set[str]:
    return {topic.name for topic in topics}


def test_the_predictor_reads_its_sources_and_its_own_and_writes_what_it_says() -> None:
    letters = [t.dead_letter(topic) for topic in PREDICTOR_SOURCES]

    assert on_topics("churn_predictor", READ) == names(
        *PREDICTOR_SOURCES, t.FEEDS, t.FACTS_CHANGELOG
    )
    assert on_topics("churn_predictor", WRITE) == names(*_WRITTEN, *t.INTERNAL, t.TICKS, *letters)


def test_outreach_reads_its_sources_the_time_and_what_it_said_itself() -> None:
    assert on_topics("outreach", READ) == {*OUTREACH_SOURCES, t.TICKS.name, t.OUTREACH.name}


def test_metrics_writes_nothing_but_its_own_state() -> None:
    own = (t.METRICS_STATE, t.METRICS_STEPS)

    assert on_topics("metrics", READ) == names(*READ_TOPICS, *own)
    assert on_topics("metrics", WRITE) == names(*own)


def test_ingest_and_publishers_write_what_comes_from_outside_alone() -> None:
    assert on_topics("ingest", WRITE) == names(*t.OUTSIDE)
    assert on_topics("publishers", WRITE) == names(*t.OUTSIDE)
    assert on_topics("publishers", READ) == set()


def test_personal_topics_are_read_by_outreach_and_whoever_works_for_it() -> None:
    readers = {p for p in PRINCIPALS if on_topics(p, READ) & names(*t.PERSONAL)}

    assert readers == {"outreach", "operator", "mover"}


def test_the_mover_changes_every_topic_and_writes_only_where_something_is_moved() -> None:
    assert on_topics("mover", Operation.ALTER) == names(*t.TOPICS)
    assert {p for p in PRINCIPALS if on_topics(p, Operation.ALTER)} == {"mover"}
    assert on_topics("mover", WRITE) == names(
        *MOVED, *t.PREDICTOR_SOURCES, t.CONSENTS, t.OUTREACH
    ) | names(*(letters for letters in t.DEAD_LETTERS if "outreach" in letters.written_by))
    assert on_topics("mover", READ) >= names(*MOVED, *OUTREACH_SOURCES.values(), t.OUTREACH)


def test_topics_are_made_by_a_person_or_by_a_job_that_may_do_nothing_else() -> None:
    makers = {p for p in PRINCIPALS if on_topics(p, Operation.CREATE)}

    assert makers == {"operator", "topics"}
    assert on_topics("operator", Operation.CREATE) == names(*t.TOPICS)
    assert set(grants("topics")) == {
        Grant(Resource.TOPIC, topic.name, (Operation.CREATE, Operation.DESCRIBE))
        for topic in t.TOPICS
    }


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_a_prefix_is_before_everything_that_belongs_to_the_deployment(principal: str) -> None:
    shared = "care-reads-without-a-group"
    prefixed = [grant.name for grant in grants(principal, "x-") if grant.name != shared]

    assert all(name.startswith("x-") for name in prefixed)
    assert [name.removeprefix("x-") for name in prefixed] == [
        grant.name for grant in grants(principal) if grant.name != shared
    ]
    assert user_of(principal, "x-") == f"x-{user_of(principal)}"


def test_nobody_else_is_granted_anything() -> None:
    with pytest.raises(KeyError):
        grants("somebody")


def said(*words: str) -> str:
    """Return what `care topics acls` prints."""
    done = CliRunner().invoke(care, ["topics", "acls", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_prints_all_of_it_and_asks_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARE_DEPLOYMENT", "production")
    rows = json.loads(said("--json", "--prefix", "x-"))
    found = {
        p: [
            Grant(
                Resource(row["resource"]),
                row["name"],
                tuple(map(Operation, row["operations"])),
                row["pattern"] == "prefix",
            )
            for row in rows
            if row["principal"] == p
        ]
        for p in PRINCIPALS
    }

    assert found == {p: list(grants(p, "x-")) for p in PRINCIPALS}
    assert {(row["principal"], row["user"]) for row in rows} == {
        (p, user_of(p, "x-")) for p in PRINCIPALS
    }


def test_kafkas_own_tool_is_told_the_same() -> None:
    lines = said("--kafka-acls", "--for", "churn_predictor").splitlines()

    assert len(lines) == len(grants("churn_predictor"))
    assert lines[-1].endswith(
        "--add --allow-principal User:care-churn-predictor --operation Write "
        "--transactional-id churn-predictor- --resource-pattern-type prefixed"
    )
    assert "  topic            feeds                                    Read, Write" in said(
        "--for", "churn_predictor"
    )
