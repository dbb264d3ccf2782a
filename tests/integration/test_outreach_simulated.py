"""Outreach in simulated time on real Kafka, PostgreSQL and SMTP: barriers in, mails and echoes out."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.contracts import topics as t
from services.contracts.people import CustomerMerged
from services.kit.dead_letters import REASON, read_header
from services.outreach.gates import GATES
from tests.factories import DAY, HOUR, START, event, wrote
from tests.support.mail import Manner, Sink
from tests.support.outreach import (
    Company,
    cleared,
    consent,
    environment,
    opened,
    profile,
    query,
    states,
    step,
)
from tests.support.service import Service, running
from tests.support.topics import is_barrier, wait_for

pytestmark = pytest.mark.connected

NOON = START + 12 * HOUR
NIGHT = START + 23 * HOUR
MORNING = START + DAY + 7 * HOUR
"""08:00 in Berlin."""


@pytest.fixture
def settings(company: Company, database: str, sink: Sink) -> Mapping[str, str]:
    return environment(company.deployment, database, sink.port)


@pytest.fixture
def outreach(settings: Mapping[str, str], tmp_path: Path) -> Iterator[Service]:
    with running("outreach", settings, tmp_path / "log") as service:
        yield service


def at(company: Company, moment: datetime, *events: Any) -> dict[int, Any]:
    """Tell these events and let it become this moment; return the echoes."""
    company.deployment.publish(*events)
    return company.echoes(company.reach(moment))


def outcomes(company: Company) -> dict[str, list[str]]:
    """Return what was decided about each customer, in order."""
    found: dict[str, list[str]] = {}
    for said in sorted(company.told("decided"), key=lambda e: e["time"]):
        data = said["data"]
        found.setdefault(said["partitionkey"], []).append(
            data.get("suppression") or data["outcome"]
        )
    return found


def test_a_late_parcel_is_one_mail_and_whoever_must_not_hear_from_us_does_not(
    company: Company, sink: Sink, outreach: Service, database: str
) -> None:
    at(company, START, *(profile(f"c-{n}") for n in range(5)), consent("c-1", "denied"))
    at(
        company,
        NOON,
        *(opened(f"c-{n}", NOON) for n in range(6)),
        cleared("c-2", NOON, "retracted"),
        wrote(order="o-c-3", customer="c-3", at=NOON),
        wrote("k-2", order="o-else", customer="c-4", at=NOON),
    )

    assert outcomes(company) == {
        "c-0": ["contact"],
        "c-1": ["consent"],
        # Neither written to, nor told afterwards that it never was.
        "c-2": ["solved", "solved"],
        "c-3": ["already_known"],
        "c-4": ["contact"],
        "c-5": ["channel"],
    }
    assert sorted(sink.steps()) == sorted([step("c-0"), step("c-4")])
    sent = company.told("sent")
    assert {e["partitionkey"] for e in sent} == {"c-0", "c-4"}
    assert all(datetime.fromisoformat(e["data"]["problem_opened_at"]) == NOON for e in sent)
    assert all(datetime.fromisoformat(e["time"]) == NOON for e in sent)
    assert all(len(e["data"]["gates"]) == len(GATES) for e in company.told("decided"))
    assert states(database) == {"sent": 2}
    assert outreach.terminate() == 0
    assert query(database, "SELECT count(*) FROM outbox") == [(0,)]


def test_what_falls_into_the_night_is_said_in_the_morning_if_it_is_still_true(
    company: Company, sink: Sink, outreach: Service
) -> None:
    at(
        company,
        START,
        profile("c-1"),
        profile("c-2"),
        profile("c-3", time_zone="America/Sao_Paulo"),
    )
    echoes = at(company, NIGHT, *(opened(f"c-{n}", NIGHT) for n in (1, 2, 3)))

    # 20:00 in São Paulo: quiet too, until 08:00 there.
    assert {e.next_due for e in echoes.values() if e.next_due} <= {MORNING, MORNING + 4 * HOUR}
    assert min(e.next_due for e in echoes.values() if e.next_due) == MORNING
    assert sink.mails == []

    at(company, NIGHT + HOUR, cleared("c-2", NIGHT + HOUR))
    at(company, MORNING)
    assert sink.steps() == [step("c-1")]
    at(company, MORNING + 4 * HOUR)
    assert sorted(sink.steps()) == sorted([step("c-1"), step("c-3")])
    assert outcomes(company)["c-2"] == ["deferred", "solved"]


def test_the_echo_names_the_earlier_of_two_dues_and_comes_behind_everything_said(
    company: Company, outreach: Service
) -> None:
    company.deployment.publish(profile("c-1"), opened("c-1", NIGHT))
    company.reach(NIGHT, next_due=NIGHT + HOUR)
    echoes = company.echoes(0)
    assert {e.next_due for e in echoes.values()} == {NIGHT + HOUR}

    company.reach(NIGHT + HOUR, next_due=MORNING + DAY)
    later = company.echoes(1)
    dues = sorted(e.next_due for e in later.values() if e.next_due)
    assert dues == [MORNING, *[MORNING + DAY] * 3]
    at(company, MORNING)

    records = company.deployment.records(t.OUTREACH)
    for partition in range(company.deployment.partitions):
        mine = [r for r in records if r.partition == partition]
        assert is_barrier(mine[-1])
        assert [r.key for r in mine if is_barrier(r)] == [None] * 3


def test_nobodys_name_or_address_leaves_the_topic_it_came_on(
    company: Company, sink: Sink, outreach: Service, database: str
) -> None:
    canary = profile(
        "c-1",
        name="Ada Canary",
        email="canary@example.org",
        phone="+4915100077700",
        push_id="canary-push",
        chat_id="canary-chat",
    )
    sink.manner_of = lambda _: Manner.REFUSES_RECIPIENT
    at(company, START, canary, profile("c-2", name="Bob Canary", email="canary2@example.org"))
    at(company, NOON, opened("c-1", NOON), opened("c-2", NOON))
    assert states(database) == {"failed": 2}
    outreach.terminate()

    others = [topic for topic in t.TOPICS if topic is not t.CUSTOMERS]
    said = b"".join(r.value or b"" for r in company.everything_on(others))
    reasons = [reason for (reason,) in query(database, "SELECT reason FROM sends")]
    assert reasons == ["550 5.1.1"] * 2
    assert b"c-1" in said
    for text in (said.decode("utf-8", "replace"), outreach.output(), str(reasons)):
        assert "canary" not in text.lower()
        assert "77700" not in text


def test_what_waits_for_the_morning_is_sent_once_under_the_id_that_stays(
    company: Company, sink: Sink, outreach: Service, database: str
) -> None:
    about: dict[str, Any] = {"subject": "sh-1", "order_id": "o-1"}
    names = [f"c-{n}" for n in range(6)]
    at(company, START, *(profile(name) for name in names))
    at(company, NIGHT, *(opened(name, NIGHT, **about) for name in names))
    merged = [
        event(CustomerMerged(into="c-5"), at=NIGHT, customer=name, source="/crm")
        for name in names[:-1]
    ]
    echoes = at(company, NIGHT + HOUR, *merged)
    assert min(e.next_due for e in echoes.values() if e.next_due) == MORNING
    at(company, MORNING)

    assert [mail["To"] for mail in sink.mails] == ["c-5@example.org"]
    assert query(database, "SELECT DISTINCT customer_id FROM sends") == [("c-5",)]


def test_nothing_is_decided_before_its_barrier(
    company: Company, sink: Sink, outreach: Service
) -> None:
    at(company, START, profile("c-1"))
    company.deployment.publish(opened("c-1", NOON))
    at(company, NOON)
    company.deployment.publish(opened("c-2", NOON + HOUR), profile("c-2"))

    wait_for(lambda: len(sink.mails) == 1, "the first mail")
    assert set(outcomes(company)) == {"c-1"}


def test_what_cannot_be_read_is_dead_lettered_and_the_next_is_handled(
    company: Company, sink: Sink, outreach: Service, database: str
) -> None:
    d = company.deployment
    d.put(t.CONTACTS, b"not json", b"c-1")
    d.put(t.CUSTOMERS, b'{"email": "secret@example.org"', b"c-1")
    d.publish(profile("c-1"), wrote(customer="c-9", at=NOON + 30 * HOUR), opened("c-1", NOON))
    at(company, NOON)

    assert sink.steps() == [step("c-1")]
    letters = [*d.records(t.by_name("contacts-dlq")), *d.records(t.by_name("customers-dlq"))]
    found = sorted((read_header(r.headers, REASON), r.value is None) for r in letters)
    assert found == [("future", False), ("not_json", False), ("not_json", True)]
    accounts = query(
        database,
        "SELECT topic, sum(next_offset), sum(applied + duplicate + late + dead_lettered)"
        " FROM source_positions WHERE topic IN ('customers', 'consents', 'contacts') GROUP BY 1",
    )
    assert all(records == accounted for _, records, accounted in accounts)
