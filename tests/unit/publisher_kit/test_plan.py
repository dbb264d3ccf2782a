"""The kit's own expectations hold by the door's reading: what it calls right is right, and so on."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.contracts import people
from services.contracts.events import FACTS, FROM_OUTSIDE, TOPIC_OF
from services.contracts.topics import IDENTITIES, MAX_FUTURE_SKEW
from services.ingest.reading import Readable, Refused, read_one
from services.publisher_kit import plan
from services.publisher_kit.checks import Answer, Check, Group, judge
from services.publisher_kit.edges import latest
from services.publisher_kit.samples import Certification
from tests.factories import START

OF = Certification("run-1", "/certify", "care-run-1", START)
TYPES = plan.types_named([])


def events(check: Check) -> list[dict[str, Any]]:
    """The events of a check that must be taken, whatever mode it is in."""
    told = json.loads(check.sending.body)
    headers = check.sending.headers
    if "ce-id" in headers:
        return [
            {n.removeprefix("ce-"): v for n, v in headers.items() if n != "content-type"}
            | {"data": told}
        ]
    return told if isinstance(told, list) else [told]


def right(name: str) -> list[dict[str, Any]]:
    """Every event that must be taken, of a type."""
    checks = [c for c in plan.checks_of(name, OF) if c.sending.facts]
    return [e for c in checks for e in events(c) if "time" in e]


def test_every_type_of_publishers_is_certified_identities_last() -> None:
    assert set(TYPES) == FROM_OUTSIDE
    home = [TOPIC_OF[FACTS[name]] for name in TYPES]
    assert home[-2:] == [IDENTITIES] * 2
    assert IDENTITIES not in home[:-2]


def test_types_are_named_by_beginnings_and_unknown_ones_refused() -> None:
    assert plan.types_named(["care.shipment.d*"]) == ("care.shipment.delivered.v1",)
    for wrong in ("care.lost.v1", "care.problem.opened.v1"):
        with pytest.raises(plan.UnknownTypes, match=wrong):
            plan.types_named(["care.order.*", wrong])


@pytest.mark.parametrize("name", TYPES)
def test_what_must_be_taken_is_right_and_about_nobody(name: str) -> None:
    for told in right(name):
        reading = read_one(json.dumps(told).encode(), START)
        assert isinstance(reading, Readable), (told["id"], reading)
        assert reading.event.customer_id in OF.customers
        assert reading.event.source == OF.source
        assert reading.event.time <= latest(OF) < START + MAX_FUTURE_SKEW


@pytest.mark.parametrize("name", TYPES)
def test_no_id_is_used_twice_but_where_it_is_meant(name: str) -> None:
    ids = [told["id"] for told in right(name)]

    assert len(ids) == len(set(ids))
    assert all(told.startswith("run-1:") for told in ids)


@pytest.mark.parametrize("name", TYPES)
def test_there_is_an_edge_a_repeat_a_batch_and_poison_for_every_field(name: str) -> None:
    checks = list(plan.checks_of(name, OF))
    poisoned = {check.name for check in checks if check.group is Group.POISON}

    assert {check.group for check in checks} == set(Group) - {Group.KEY, Group.ENDING}
    for field in FACTS[name].model_fields:
        assert f"data.{field} of a wrong type" in poisoned


@pytest.mark.parametrize("name", TYPES)
def test_poison_is_refused_where_the_kit_says(name: str) -> None:
    for check in plan.checks_of(name, OF):
        if check.group is not Group.POISON:
            continue
        reading = read_one(check.sending.body, START)
        assert isinstance(reading, Refused), check.name
        errors = [{"pointer": f.pointer, "code": f.code} for f in reading.faults]
        finding = judge(check, Answer(422, {"errors": errors}))
        assert finding.passed, (check.name, finding.expected, finding.came)


def test_no_consent_of_a_sample_holds_now_and_no_address_leads_anywhere() -> None:
    for told in right(people.ConsentChanged.TYPE):
        if told["data"]["status"] == people.ConsentStatus.GRANTED:
            assert datetime.fromisoformat(told["data"]["valid_until"]) < START
    for told in right(people.CustomerUpdated.TYPE):
        assert told["data"].get("email", ".invalid").endswith(".invalid")
    for name in TYPES:
        for told in right(name):
            assert told["data"].get("carrier") in (None, "care-certification")


def test_the_end_erases_every_customer_after_the_last_of_their_events() -> None:
    told = [events(check)[0] for check in plan.ending(OF)]

    assert {each["partitionkey"] for each in told} == set(OF.customers)
    for each in told:
        assert isinstance(read_one(json.dumps(each).encode(), START), Readable)
        assert datetime.fromisoformat(each["time"]) == latest(OF) + timedelta(seconds=1)
    about = {each["partitionkey"] for name in TYPES for each in right(name)}
    assert about == set(OF.customers)
