"""One customer's story in order of time, and why they were or were not contacted."""

import json
from typing import Any
from uuid import UUID

import pytest

from services.contracts.people import CustomerMerged
from services.contracts.problems import Tier
from services.outreach.pages.facts import Reply, Verdict
from services.outreach.pages.storage import Storage, note_sent
from services.outreach.pages.tokens import SurveyLink
from tests.component.outreach.caller import Caller
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.trouble import CANARY, LATER, escalate, happen
from tests.factories import HOUR, event, wrote
from tests.support.outreach import cleared, consent, opened, problem_id, profile, query

pytestmark = pytest.mark.connected

ME = "c-unknown"


def live_through(desk: Desk, caller: Caller) -> None:
    """Everything happens to one customer."""
    desk.learn(consent(ME, "granted", NOON - HOUR))
    happen(desk, ME)
    (row,) = query(desk.url, "SELECT step_id FROM sends")
    storage, link = Storage(caller.engine, 4), SurveyLink(ME, "s-1", "o-c-unknown", row[0])
    with caller.engine.begin() as connection:
        note_sent(connection, link, 0, NOON + HOUR)
    storage.answer(link, Reply(2, f"{CANARY} is my name"), NOON + 2 * HOUR)
    storage.judge(ME, row[0], Verdict.DID_NOT_HELP, NOON + 3 * HOUR)
    caller.now = NOON + 4 * HOUR
    caller.post(f"/sends/{row[0]}/resolve", became="not_sent")
    desk.learn(wrote(customer=ME, order="o-c-unknown", at=NOON + 5 * HOUR), now=NOON + 6 * HOUR)
    desk.learn(cleared(ME, LATER), now=LATER)
    # Somebody else's story is not theirs.
    happen(desk, "c-other")


def test_a_timeline_holds_everything_in_order(troubled: Desk, caller: Caller) -> None:
    live_through(troubled, caller)

    found = caller.get(f"/customers/{ME}/timeline")

    assert [entry["type"] for entry in found["items"]] == [
        *("consent", "problem_opened", "decision", "send", "survey_sent", "survey_answered"),
        *("feedback", "action", "contact", "problem_ended"),
    ]
    at = [entry["at"] for entry in found["items"]]
    assert at == sorted(at)
    by_type = {entry["type"]: entry for entry in found["items"]}
    assert by_type["survey_answered"]["score"] == 2
    assert (by_type["send"]["state"], by_type["send"]["attempt"]) == ("failed", 1)
    assert by_type["action"]["in_words"] == "ada said that the message was not sent."
    assert by_type["contact"]["is_open"] is True
    assert by_type["problem_ended"]["clearing"] == "solved"
    assert found["next_cursor"] is None


def test_pages_of_a_timeline_hold_everything_once(troubled: Desk, caller: Caller) -> None:
    live_through(troubled, caller)
    # Many at one instant, of several kinds.
    for n in range(5):
        troubled.learn(consent(ME, "granted", NOON))
        troubled.learn(wrote(f"l-{n}", customer=ME, at=NOON))
    whole = caller.get(f"/customers/{ME}/timeline")["items"]
    assert len(whole) == 20

    for limit in (1, 3, 9):
        pages = caller.pages(f"/customers/{ME}/timeline", limit)

        assert [entry for page in pages for entry in page] == whole
        assert all(len(page) == limit for page in pages[:-1])


def test_of_a_stranger_nothing_is_known(caller: Caller) -> None:
    nobody: dict[str, object] = {"customer_id": "c-nobody", "items": [], "next_cursor": None}

    assert caller.get("/customers/c-nobody/timeline") == nobody
    assert caller.get("/customers/c-nobody/why") == nobody
    response = caller.http.get(f"/v1/decisions/{UUID(int=7)}")
    assert response.status_code == 404
    assert response.json()["detail"] == "There is no decision of this id."
    # Nor is a text a cursor because somebody sends it as one.
    for path, cursor in [
        ("/problems", "x"),
        ("/problems", "e30="),
        ("/customers/c-1/timeline", "bm90IGpzb24="),
        ("/customers/c-1/why", "é"),
    ]:
        response = caller.http.get(f"/v1{path}", params={"cursor": cursor})
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "/query/cursor"


def test_why_names_the_gate_that_said_no_in_words(troubled: Desk, caller: Caller) -> None:
    troubled.learn(profile("c-no", NOON), consent("c-no", "denied", NOON - HOUR))
    troubled.learn(opened("c-no", NOON))
    assert troubled.decide(NOON) == ["consent"]

    (decision,) = caller.get("/customers/c-no/why")["items"]

    assert (decision["outcome"], decision["suppression"]) == ("suppressed", "consent")
    assert decision["said_no"] == "consent"
    assert decision["send"] is None
    assert decision["in_words"].startswith(
        "Decided against delivery_late/notice by email: consent, "
    )
    said = {gate["gate"]: gate for gate in decision["gates"]}
    assert said["consent"]["passed"] is False
    assert said["consent"]["in_words"].startswith("consent said no: ")
    assert len(said) > 5
    assert caller.get(f"/decisions/{decision['decision_id']}") == decision


def test_decisions_are_told_the_latest_first_and_page_by_page(
    troubled: Desk, caller: Caller
) -> None:
    night = NOON + 11 * HOUR
    troubled.learn(profile("c-1", NOON), opened("c-1", night), now=night)
    assert troubled.decide(night) == ["deferred"]
    assert troubled.decide(NOON + 20 * HOUR) == ["contact"]
    troubled.send(NOON + 20 * HOUR)

    first, second = caller.get("/customers/c-1/why")["items"]

    assert (first["outcome"], first["send"]["state"]) == ("contact", "sent")
    assert (second["outcome"], second["said_no"], second["send"]) == (
        "deferred",
        "quiet_hours",
        None,
    )
    assert "Decided to wait with" in second["in_words"]
    assert caller.pages("/customers/c-1/why", limit=1) == [[first], [second]]


def test_nothing_of_a_customer_but_ids_is_in_any_answer(troubled: Desk, caller: Caller) -> None:
    """Names, addresses and comments are in the database, and in no answer, log line or error."""
    live_through(troubled, caller)
    for customer in ("c-refused", "c-fine"):
        happen(troubled, customer)
    troubled.learn(profile("c-3", NOON, email=f"{CANARY}@example.org"))
    troubled.learn(opened("c-3", NOON, Tier.AT_RISK))
    troubled.decide(NOON)
    escalate(troubled)
    stored = json.dumps([str(row) for t in ("profiles", "surveys") for row in rows(troubled, t)])
    assert stored.count(CANARY) >= 6

    seen = [caller.http.get(f"/v1{path}").text for path in everywhere(caller)]

    assert len(seen) > 15
    assert all(text.startswith("{") for text in seen)
    assert [text for text in seen if CANARY.lower() in text.lower()] == []


def everywhere(caller: Caller) -> list[str]:
    """Every path that shows something, with every id there is."""
    paths = ["/problems", "/problems?needs=all", "/playbooks", "/pauses?history=true", "/breaker"]
    for customer in ("c-unknown", "c-refused", "c-fine", "c-3", "c-other"):
        paths += [f"/customers/{customer}/{part}" for part in ("timeline", "why")]
        why = caller.get(f"/customers/{customer}/why")["items"]
        paths += [f"/decisions/{decision['decision_id']}" for decision in why]
    return paths


def rows(desk: Desk, table: str) -> list[tuple[Any, ...]]:
    return query(desk.url, f"SELECT * FROM {table}")


def test_time_that_has_not_begun_is_waited_for(troubled: Desk, caller: Caller) -> None:
    happen(troubled, "c-refused")
    caller.now = None

    refused = caller.http.post(f"/v1/problems/{problem_id('c-refused')}/done", json={"by": "ada"})

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    # Who only looks needs no time.
    assert caller.get("/problems")["items"]


def test_a_customer_of_two_ids_is_told_of_under_either(troubled: Desk, caller: Caller) -> None:
    troubled.learn(consent("c-old", "denied", NOON - HOUR))
    happen(troubled, "c-old")
    told_by = event(CustomerMerged(into=ME), at=NOON + HOUR, customer="c-old", source="/crm")
    troubled.learn(told_by, now=LATER)

    for name in ("c-old", ME):
        found = caller.get(f"/customers/{name}/timeline")
        assert found["customer_id"] == ME
        told = [entry["type"] for entry in found["items"]]
        assert told[:2] == ["consent", "problem_opened"]
        decided = caller.get(f"/customers/{name}/why")
        assert (decided["customer_id"], len(decided["items"])) == (ME, told.count("decision"))
        listed = caller.get("/problems", needs="all", customer_id=name)
        assert {item["customer_id"] for item in listed["items"]} == {ME}
