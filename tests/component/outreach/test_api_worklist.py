"""Which problems need a person, in which order, and what takes them off the list."""

from typing import Any

import pytest

from services.contracts.problems import Tier
from tests.component.outreach.caller import Caller
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.trouble import LATER, escalate, happen
from tests.factories import HOUR
from tests.support.outreach import cleared, opened, problem_id, profile, query, states

pytestmark = pytest.mark.connected


def listed(caller: Caller, **asked: Any) -> list[tuple[str, list[str]]]:
    """Customer and needs of each problem, in order."""
    items = caller.get("/problems", **asked)["items"]
    return [(item["customer_id"], [need["need"] for need in item["needs"]]) for item in items]


def step_of(caller: Caller, customer: str) -> str:
    (item,) = caller.get("/problems", customer_id=customer)["items"]
    found: str = item["needs"][0]["step_id"]
    return found


def test_what_is_in_doubt_given_up_or_handed_over_needs_a_person_and_nothing_else_does(
    troubled: Desk, caller: Caller
) -> None:
    for customer in ("c-fine", "c-unknown", "c-refused"):
        happen(troubled, customer)

    assert listed(caller) == [("c-refused", ["failed"]), ("c-unknown", ["unknown"])]
    escalate(troubled)
    assert listed(caller) == [
        ("c-fine", ["task"]),
        ("c-refused", ["failed", "task"]),
        ("c-unknown", ["unknown", "task"]),
    ]
    assert listed(caller, reason="unknown") == [("c-unknown", ["unknown", "task"])]
    assert listed(caller, customer_id="c-fine") == [("c-fine", ["task"])]
    assert listed(caller, kind="refund_overdue") == []


def test_every_open_problem_is_there_when_asked_for(troubled: Desk, caller: Caller) -> None:
    happen(troubled, "c-fine")
    happen(troubled, "c-over")
    troubled.learn(cleared("c-over", NOON + HOUR))

    assert listed(caller) == []
    assert listed(caller, needs="all") == [("c-fine", [])]


def test_it_says_what_is_known_and_what_was_decided_last(troubled: Desk, caller: Caller) -> None:
    happen(troubled, "c-unknown", 0.4)

    (item,) = caller.get("/problems")["items"]

    assert item["problem_id"] == problem_id("c-unknown")
    assert (item["kind"], item["subject"], item["order_id"]) == (
        "delivery_delay",
        "sh-c-unknown",
        "o-c-unknown",
    )
    assert (item["tier"], item["actor"], item["complaint_risk"]) == ("late", "us", 0.4)
    assert item["expected_value"] == 0.4 * 3
    assert item["ended_at"] is None
    assert item["latest_decision"]["outcome"] == "contact"
    assert item["latest_decision"]["in_words"] == (
        "Decided to carry out delivery_late/notice by email; live."
    )
    assert "Nobody can tell whether" in item["needs"][0]["in_words"]


def test_what_is_worth_most_comes_first_and_of_two_alike_the_older(
    troubled: Desk, caller: Caller
) -> None:
    for customer, risk in (("c-a", 0.2), ("c-b", 0.9), ("c-c", None), ("c-d", 0.2)):
        at = NOON - HOUR if customer == "c-d" else NOON
        troubled.learn(opened(customer, at, complaint_risk=risk))
    troubled.learn(opened("c-e", NOON, Tier.AT_RISK, complaint_risk=0.9))

    found = caller.get("/problems", needs="all")["items"]

    assert [(i["customer_id"], round(i["expected_value"], 9)) for i in found] == [
        ("c-b", 2.7),
        ("c-e", 0.9),
        ("c-d", 0.6),
        ("c-a", 0.6),
        # Nobody assessed it: what the policy believes of such orders.
        ("c-c", 0.45),
    ]


def test_pages_hold_everything_once(troubled: Desk, caller: Caller) -> None:
    risks = (0.1, 0.3, 0.3, None, 1 / 3, 0.7, 0.1)
    for n, risk in enumerate(risks):
        troubled.learn(opened(f"c-{n}", NOON, complaint_risk=risk))
    whole = caller.get("/problems", needs="all")["items"]

    pages = caller.pages("/problems", limit=2, needs="all")

    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert [item for page in pages for item in page] == whole


def test_a_task_that_is_done_is_off_the_list_and_on_record(troubled: Desk, caller: Caller) -> None:
    happen(troubled, "c-refused")
    escalate(troubled)
    caller.now = LATER
    path = f"/problems/{problem_id('c-refused')}/done"

    done = caller.post(path)

    assert done["changed"] is True
    assert len(done["steps_done"]) == 2
    assert listed(caller) == []
    again = caller.post(path, by="bob")
    assert again == {**done, "changed": False}
    record = query(troubled.url, "SELECT client, by, what, at FROM actions")
    assert record == [("desk", "ada", "task_done", LATER)] * 2


def test_what_is_given_up_later_is_on_the_list_again(troubled: Desk, caller: Caller) -> None:
    happen(troubled, "c-refused")
    caller.post(f"/problems/{problem_id('c-refused')}/done")
    assert listed(caller) == []

    escalate(troubled)

    assert listed(caller) == [("c-refused", ["task"])]


def test_nothing_is_done_where_nothing_waits(troubled: Desk, caller: Caller) -> None:
    happen(troubled, "c-fine")
    happen(troubled, "c-unknown")

    for customer in ("c-fine", "c-unknown"):
        refused = caller.post(f"/problems/{problem_id(customer)}/done", 409)
        assert refused["type"] == "urn:care:outreach:nothing-to-do"
    unknown = caller.post(f"/problems/{problem_id('c-nobody')}/done", 404)
    assert unknown["type"] == "urn:care:outreach:not-found"
    assert query(troubled.url, "SELECT count(*) FROM actions") == [(0,)]


def test_a_send_in_doubt_that_was_sent_counts_as_sent(troubled: Desk, caller: Caller) -> None:
    happen(troubled, "c-unknown")
    path = f"/sends/{step_of(caller, 'c-unknown')}/resolve"

    said = caller.post(path, became="sent")

    assert (said["changed"], said["state"]) == (True, "sent")
    assert listed(caller) == []
    assert states(troubled.url) == {"sent": 1}
    assert troubled.told()[-1] == "sent"
    assert caller.post(path, became="sent") == {**said, "changed": False}
    assert caller.post(path, 409, became="not_sent")["type"].endswith(":resolved-otherwise")
    assert states(troubled.url) == {"sent": 1}


def test_a_send_in_doubt_that_was_not_sent_has_failed_and_is_never_sent_again(
    troubled: Desk, caller: Caller
) -> None:
    happen(troubled, "c-unknown")
    sent = troubled.channel.attempts

    said = caller.post(f"/sends/{step_of(caller, 'c-unknown')}/resolve", became="not_sent")

    assert said["state"] == "failed"
    assert troubled.told()[-1] == "failed"
    troubled.decide(NOON + HOUR)
    troubled.send(NOON + HOUR)
    assert troubled.channel.attempts == sent
    # The customer was told nothing, and the parcel is late all the same.
    assert listed(caller) == [("c-unknown", ["failed"])]
    caller.post(f"/problems/{problem_id('c-unknown')}/done")
    assert listed(caller) == []


def test_only_what_is_in_doubt_is_resolved(troubled: Desk, caller: Caller) -> None:
    happen(troubled, "c-refused")
    step = step_of(caller, "c-refused")

    refused = caller.post(f"/sends/{step}/resolve", 409, became="sent")

    assert refused["type"] == "urn:care:outreach:not-in-doubt"
    assert "failed" in refused["detail"]
    caller.post(f"/sends/{problem_id('c-refused')}/resolve", 404, became="sent")


def test_what_is_over_stays_on_the_list_only_while_a_send_is_in_doubt(
    troubled: Desk, caller: Caller
) -> None:
    for customer in ("c-unknown", "c-refused", "c-fine"):
        happen(troubled, customer)
    escalate(troubled)
    for customer in ("c-unknown", "c-refused", "c-fine"):
        troubled.learn(cleared(customer, LATER), now=LATER)

    (item,) = caller.get("/problems")["items"]

    assert item["customer_id"] == "c-unknown"
    assert item["ended_at"] is not None
    assert [need["need"] for need in item["needs"]] == ["unknown"]


def test_playbooks_that_the_breaker_holds_are_told(troubled: Desk, caller: Caller) -> None:
    for customer in ("c-1", "c-2", "c-3"):
        troubled.learn(profile(customer, NOON), opened(customer, NOON, Tier.AT_RISK))
    troubled.decide(NOON)

    (held,) = caller.get("/problems")["held_playbooks"]

    assert (held["playbook"], held["decided"], held["allowance"]) == ("delivery_at_risk", 1, 1)
    assert held["steps_waiting"] == 2


def test_what_needs_a_person_is_found_by_its_index(troubled: Desk) -> None:
    """However many sends there were: those that need nobody are not looked at."""
    happen(troubled, "c-unknown")
    plan = "\n".join(
        row
        for (row,) in query(
            troubled.url,
            "EXPLAIN SELECT problem_id FROM sends WHERE "
            "(sends.state IN ('unknown', 'failed') OR sends.channel = 'human')",
        )
    )
    assert "sends_for_a_person" in plan
