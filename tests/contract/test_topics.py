"""The registry of topics: names, sizes, owners, retention and what lives where."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import services
from services.contracts import events
from services.contracts import topics as t
from services.contracts.topics import CleanUp, Topic

KEBAB_CASE = re.compile(r"[a-z]+(-[a-z]+)*")
EVENT_TYPE = re.compile(r"care\.[a-z]+\.[a-z]+(_[a-z]+)*\.v[1-9][0-9]*")
SERVICES = {path.parent.name for path in Path(services.__path__[0]).glob("*/settings.py")} - {"kit"}
PARTIES = {"publishers", "replayer", "others", "care dlq"}
"""Who reads or writes beside our services: company systems, the simulated clock, people's tools."""


def faults(topics: Iterable[Topic], known: Iterable[str]) -> list[str]:
    """Return what is wrong with these topics, in words."""
    return [
        f"{topic.name}: {rule}"
        for topic in topics
        for rule, is_broken in {
            # `.` and `_` collide in Kafka's metric names.
            "name is not kebab-case": not KEBAB_CASE.fullmatch(topic.name),
            "written by nobody known": not is_known(topic.written_by, known),
            "read by nobody known": not is_known(topic.read_by, known),
            "kept for ever though not compacted": (topic.retention is None)
            != (topic.clean_up is CleanUp.COMPACT),
            "retention is not positive": topic.retention is not None
            and topic.retention <= timedelta(0),
            "takes less than an event": topic.max_message_bytes <= t.MAX_EVENT_BYTES,
        }.items()
        if is_broken
    ]


def is_known(parties: tuple[str, ...], known: Iterable[str]) -> bool:
    """Return whether there is somebody, and everybody is known."""
    return bool(parties) and set(parties) <= set(known)


def test_every_topic_keeps_the_rules() -> None:
    assert faults(t.TOPICS, SERVICES | PARTIES) == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"name": "order_events"}, "kebab-case"),
        ({"name": "order.events"}, "kebab-case"),
        ({"name": "Orders"}, "kebab-case"),
        ({"written_by": ()}, "written by"),
        ({"read_by": ("metrics", "somebody")}, "read by"),
        ({"retention": None}, "for ever"),
        ({"clean_up": CleanUp.COMPACT}, "for ever"),
        ({"retention": timedelta(0)}, "not positive"),
        ({"max_message_bytes": 1000}, "less than an event"),
    ],
    ids=str,
)
def test_a_topic_that_breaks_a_rule_is_found(changes: dict[str, object], rule: str) -> None:
    broken = replace(t.PURCHASES, **changes)  # type: ignore[arg-type]

    found = faults([broken], SERVICES | PARTIES)

    assert len(found) == 1
    assert rule in found[0]


def test_our_four_services_are_the_ones_that_have_settings() -> None:
    assert {"ingest", "churn_predictor", "outreach", "metrics"} <= SERVICES


def test_names_are_unique() -> None:
    assert len({topic.name for topic in t.TOPICS}) == len(t.TOPICS)


@pytest.mark.parametrize("letters", t.DEAD_LETTERS, ids=lambda topic: topic.name)
def test_a_dead_letter_topic_takes_whatever_its_topic_takes_and_headers(letters: Topic) -> None:
    origin = t.by_name(letters.name.removesuffix("-dlq"))

    assert t.dead_letter(origin) == letters
    assert letters.max_message_bytes > origin.max_message_bytes
    assert set(letters.written_by) == {"churn_predictor", "outreach"} & set(origin.read_by)
    assert letters.retention is not None


def test_whatever_others_may_write_has_a_dead_letter_topic() -> None:
    assert {t.dead_letter(topic) for topic in t.OUTSIDE} <= set(t.DEAD_LETTERS)


def test_our_own_broker_settings_say_how_long_and_how_large() -> None:
    assert t.PURCHASES.config() == {
        "cleanup.policy": "delete",
        "max.message.bytes": str(2 * 1024 * 1024),
        "retention.ms": str(30 * 24 * 3600 * 1000),
    }
    assert t.CUSTOMERS.config()["cleanup.policy"] == "compact"
    assert t.CUSTOMERS.config()["delete.retention.ms"] == str(7 * 24 * 3600 * 1000)
    assert t.CUSTOMERS.config()["retention.ms"] == "-1"
    # Else compaction would leave a week of the newest records alone.
    assert t.FEEDS.config()["segment.ms"] == str(3600 * 1000)
    assert t.FEEDS.config()["min.cleanable.dirty.ratio"] == "0.1"
    assert "segment.ms" not in t.PROBLEMS.config()


def test_only_outreach_reads_personal_data() -> None:
    assert {reader for topic in t.PERSONAL for reader in topic.read_by} == {"outreach"}


def test_outreach_may_tell_what_customers_say_on_its_pages() -> None:
    """An answer to a survey, and a no to further messages, which others have to keep to as well."""
    by_outreach = {topic for topic in t.OUTSIDE if "outreach" in topic.written_by}

    assert by_outreach == {t.CONTACTS, t.CONSENTS}


def test_a_deployments_prefix_goes_before_every_name() -> None:
    assert t.physical_names([t.PURCHASES], "acme-") == {"acme-purchases": t.PURCHASES}
    assert t.PURCHASES.physical() == "purchases"


def test_there_is_no_topic_of_an_unheard_of_name() -> None:
    with pytest.raises(KeyError):
        t.by_name("purchase")


@pytest.mark.parametrize("name", sorted(events.FACTS))
def test_event_types_are_care_noun_past_participle_version(name: str) -> None:
    assert EVENT_TYPE.fullmatch(name)


@pytest.mark.parametrize("name", ["order.placed.v1", "care.order.placed", "care.order.placed.v0"])
def test_another_form_of_type_is_found(name: str) -> None:
    assert not EVENT_TYPE.fullmatch(name)


def test_versions_of_a_type_count_up_from_one_without_gaps() -> None:
    versions: dict[str, list[int]] = {}
    for name in events.FACTS:
        stem, _, version = name.rpartition(".v")
        versions.setdefault(stem, []).append(int(version))

    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in versions.values())


def test_no_two_facts_share_a_type_and_every_fact_has_a_topic_of_ours() -> None:
    assert len(events.FACTS) == len(events.TOPIC_OF)
    assert set(events.TOPIC_OF.values()) <= set(t.TOPICS)


def test_publishers_may_send_what_lives_on_outside_topics_alone() -> None:
    ours = {
        fact.TYPE for fact, topic in events.TOPIC_OF.items() if "ingest" not in topic.written_by
    }

    assert ours.isdisjoint(events.FROM_OUTSIDE)
    assert events.FROM_OUTSIDE | ours == events.FACTS.keys()
