"""Playbooks, pauses and the breaker through the API: the same rules as on the command line, and on record."""

from dataclasses import replace
from threading import Barrier, Thread
from uuid import UUID

import pytest

from services.contracts.problems import Tier
from services.outreach import breaker
from services.outreach.breaker import NothingWaits
from tests.component.outreach.caller import Caller
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.trouble import happen
from tests.factories import HOUR
from tests.support.outreach import opened, profile, query, states

pytestmark = pytest.mark.connected

BECAUSE = "wrong dates from the carrier"


def at_risk(desk: Desk, *customers: str) -> None:
    for customer in customers:
        desk.learn(profile(customer, NOON), opened(customer, NOON, Tier.AT_RISK))


def record(desk: Desk) -> list[tuple[object, ...]]:
    return query(desk.url, "SELECT what, by, client, detail FROM actions ORDER BY seq")


def test_nothing_is_sent_while_it_is_paused_and_all_of_it_afterwards(
    troubled: Desk, caller: Caller
) -> None:
    made = caller.post("/pauses", 201, scope="playbook", name="delivery_late", because=BECAUSE)

    happen(troubled, "c-1")
    assert states(troubled.url) == {"pending": 1}
    assert made["known"] is True
    assert caller.get("/pauses")["items"] == [made["pause"]]
    assert caller.get("/playbooks/delivery_late")["paused"] is True
    assert caller.get("/playbooks/delivery_at_risk")["paused"] is False

    caller.now = NOON + HOUR
    path = f"/pauses/{made['pause']['pause_id']}/resume"
    resumed = caller.post(path, by="bob")
    troubled.send(NOON + HOUR)
    assert states(troubled.url) == {"sent": 1}
    assert (resumed["changed"], resumed["pause"]["resumed_by"]) == (True, "bob")
    assert caller.post(path, by="eve") == {**resumed, "changed": False}
    assert caller.get("/pauses")["items"] == []
    assert caller.get("/pauses", history="true")["items"] == [resumed["pause"]]
    assert record(troubled) == [
        ("paused", "ada", "desk", {"of": "playbook delivery_late"}),
        ("resumed", "bob", "desk", {"of": "playbook delivery_late"}),
    ]


def test_the_same_is_not_paused_twice(caller: Caller) -> None:
    caller.post("/pauses", 201, scope="all", because=BECAUSE)
    caller.now = NOON + HOUR

    refused = caller.post("/pauses", 409, scope="all", because="another reason")

    assert refused["type"] == "urn:care:outreach:already-paused"
    assert "since 2026-01-01T12:00+00:00" in refused["detail"]
    caller.post("/pauses", 201, scope="channel", name="sms", because=BECAUSE)
    assert caller.get("/playbooks/delivery_late")["paused"] is True


def test_a_playbook_nobody_knows_here_is_paused_all_the_same_and_said_so(caller: Caller) -> None:
    made = caller.post("/pauses", 201, scope="playbook", name="yet_to_come", because=BECAUSE)

    assert made["known"] is False
    for wrong in (
        {"scope": "all", "name": "delivery_late"},
        {"scope": "playbook"},
        {"scope": "channel", "name": "pigeon"},
        {"scope": "customer", "name": "c_1"},
    ):
        caller.post("/pauses", 422, because=BECAUSE, **wrong)
    caller.post("/pauses", 422, scope="all", because=" ")
    caller.post(f"/pauses/{UUID(int=3)}/resume", 404)


def test_who_pauses_twice_at_one_simulated_instant_is_told(caller: Caller) -> None:
    made = caller.post("/pauses", 201, scope="all", because=BECAUSE)
    caller.post(f"/pauses/{made['pause']['pause_id']}/resume")

    refused = caller.post("/pauses", 409, scope="all", because=BECAUSE)

    assert refused["type"] == "urn:care:outreach:already-paused"


def test_what_the_breaker_holds_goes_out_when_it_is_approved(
    troubled: Desk, caller: Caller
) -> None:
    at_risk(troubled, "c-1", "c-2", "c-3")
    assert sorted(troubled.decide(NOON)) == ["contact", "deferred", "deferred"]
    (held,) = caller.get("/breaker")["items"]
    assert caller.get("/playbooks/delivery_at_risk")["held"] == held

    caller.now = NOON + HOUR / 2
    said = caller.post("/breaker/delivery_at_risk/approve", contacts=1)

    assert (said["approved"], said["tripped_at"]) == (1, held["tripped_at"])
    assert sorted(troubled.decide(NOON + HOUR)) == ["contact", "deferred"]
    caller.now = NOON + 2 * HOUR
    caller.post("/breaker/delivery_at_risk/reject", by="bob")
    assert troubled.decide(NOON + 2 * HOUR) == ["breaker"]
    assert caller.get("/breaker")["items"] == []
    refused = caller.post("/breaker/delivery_at_risk/approve", 409, contacts=1)
    assert refused["type"] == "urn:care:outreach:nothing-waits"
    assert [(what, by) for what, by, *_ in record(troubled)] == [
        ("breaker_approved", "ada"),
        ("breaker_rejected", "bob"),
    ]


def test_of_two_who_speak_at_once_the_first_counts(troubled: Desk) -> None:
    at_risk(troubled, "c-1", "c-2")
    troubled.decide(NOON)
    engine, ready, outcomes = troubled.engine, Barrier(2), []

    def speak(contacts: int) -> None:
        with engine.begin() as connection:
            # Both have seen that it waits before either says anything.
            breaker.trips(connection)
            ready.wait()
            try:
                breaker.resolve(connection, "delivery_at_risk", contacts, f"by {contacts}", NOON)
                outcomes.append(contacts)
            except NothingWaits:
                outcomes.append(-1)

    threads = [Thread(target=speak, args=(contacts,)) for contacts in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (kept,) = [contacts for contacts in outcomes if contacts > 0]
    assert query(troubled.url, "SELECT approved FROM breaker_trips") == [(kept,)]


def test_playbooks_are_told_as_they_are_in_force(troubled: Desk, caller: Caller) -> None:
    found = caller.get("/playbooks")["items"]

    assert [one["name"] for one in found] == ["delivery_at_risk", "delivery_late"]
    late = found[1]
    assert (late["mode"], late["mode_in_force"], late["version"]) == ("live", "live", 1)
    assert [(s["name"], s["action"], s["channels"]) for s in late["steps"]] == [
        ("notice", "send", ["email"]),
        ("call", "escalate", ["human"]),
    ]
    after = late["steps"][1]["after"]
    assert (after["hours"], after["when"], after["once"]) == (48, "either", None)
    assert found[0]["contacts_per_day"] == 1
    assert caller.get("/playbooks/delivery_late") == late
    assert replace(troubled.out.rules).catalogue.keys() == {one["name"] for one in found}
