"""Publishing through the door: every item ends with its answer, under its own id, in order."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.demo import door as subject
from services.demo.door import Door, DoorClosed, batches, check_open
from services.kit.exits import Unavailable
from services.shop.timeline import Publication

START = datetime(2026, 3, 2, tzinfo=UTC)

Answer = Callable[[list[dict[str, Any]]], httpx.Response]


def item(number: int, *, refusable: bool = False, size: int = 10) -> Publication:
    body = json.dumps({"id": f"e{number}", "pad": "x" * size}).encode()
    return Publication(START, f"e{number}", body, refusable)


def results(*statuses: str) -> dict[str, Any]:
    return {"results": [{"index": n, "status": s} for n, s in enumerate(statuses)]}


def publishing(
    publications: list[Publication], answers: list[Answer], patience_seconds: float = 5
) -> list[list[str]]:
    """The ids of each request, given an answer for each."""
    asked: list[list[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/cloudevents-batch+json"
        events = json.loads(request.content)
        asked.append([event["id"] for event in events])
        return answers[min(len(asked), len(answers)) - 1](events)

    door = Door(
        "http://ingest", patience_seconds=patience_seconds, transport=httpx.MockTransport(answer)
    )
    door.publish(publications)
    return asked


def takes_all(events: list[dict[str, Any]]) -> httpx.Response:
    return httpx.Response(202, json=results(*["accepted"] * len(events)))


def busy(_: list[dict[str, Any]]) -> httpx.Response:
    return httpx.Response(503, headers={"retry-after": "0"}, json={})


def vanishes(_: list[dict[str, Any]]) -> httpx.Response:
    raise httpx.ReadError("reset")


def test_one_request_takes_what_one_step_says() -> None:
    assert publishing([item(1), item(2)], [takes_all]) == [["e1", "e2"]]


def test_nothing_to_say_asks_nobody() -> None:
    assert publishing([], [takes_all]) == []


def test_a_busy_door_is_asked_again_with_the_same_ids() -> None:
    assert publishing([item(1), item(2)], [busy, busy, takes_all]) == [["e1", "e2"]] * 3


def test_a_door_that_wants_less_at_once_is_asked_again() -> None:
    def too_much(_: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(429, headers={"retry-after": "0"}, json={})

    assert publishing([item(1)], [too_much, takes_all]) == [["e1"]] * 2


def test_its_key_goes_with_every_request_and_a_wrong_one_is_told_with_what_to_do() -> None:
    told: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        told.append(request.headers.get("x-api-key"))
        return httpx.Response(401, json={})

    for key in ("care_k", None):
        door = Door("http://ingest", key=key, transport=httpx.MockTransport(answer))
        with pytest.raises(DoorClosed, match="CARE_INGEST_API_KEY"):
            door.publish([item(1)])
    assert told == ["care_k", None]


def test_a_broken_connection_is_tried_again_with_the_same_ids() -> None:
    assert publishing([item(1)], [vanishes, takes_all]) == [["e1"]] * 2


def test_only_what_has_no_known_outcome_is_sent_again() -> None:
    def half(_: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(207, json=results("accepted", "unknown", "accepted"))

    asked = publishing([item(1), item(2), item(3)], [half, takes_all])
    assert asked == [["e1", "e2", "e3"], ["e2"]]


def test_what_was_taken_before_is_taken() -> None:
    """The answer to the first sending was lost on its way."""

    def known(_: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(202, json=results("duplicate"))

    assert publishing([item(1)], [vanishes, known]) == [["e1"]] * 2
    with pytest.raises(DoorClosed, match="ingest duplicate e1"):
        publishing([item(1, refusable=True)], [known])


def test_a_refusal_that_was_meant_is_fine() -> None:
    def mixed(_: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(207, json=results("accepted", "rejected"))

    assert publishing([item(1), item(2, refusable=True)], [mixed]) == [["e1", "e2"]]


def test_a_refusal_nobody_meant_stops_the_demo_and_names_the_event() -> None:
    def refuses(_: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(207, json=results("rejected"))

    with pytest.raises(DoorClosed, match=r"ingest rejected e1"):
        publishing([item(1)], [refuses])


def test_a_door_whose_clock_lags_is_asked_again_until_it_has_caught_up() -> None:
    def behind(_: list[dict[str, Any]]) -> httpx.Response:
        early = {"index": 0, "status": "rejected", "reason": "too_far_ahead"}
        return httpx.Response(207, json={"results": [early]})

    assert publishing([item(1)], [behind, takes_all]) == [["e1"], ["e1"]]
    assert publishing([item(1, refusable=True)], [behind]) == [["e1"]]


def test_a_spoiled_event_that_is_taken_stops_the_demo() -> None:
    with pytest.raises(DoorClosed, match="ingest accepted e1"):
        publishing([item(1, refusable=True)], [takes_all])


def test_an_offer_tells_what_was_refused_and_repeats_only_what_has_no_known_outcome() -> None:
    fault = {"pointer": "", "code": "x", "detail": "wrong"}
    first = [{"status": s, "reason": "invalid", "errors": [fault]} for s in ("rejected", "unknown")]
    asked: list[list[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        events = json.loads(request.content)
        asked.append([event["id"] for event in events])
        return (
            httpx.Response(207, json={"results": first}) if len(asked) == 1 else takes_all(events)
        )

    door = Door("http://ingest", transport=httpx.MockTransport(answer))
    refused = door.offer([item(1), item(2)])

    assert [(each.item.event_id, each.why) for each in refused] == [("e1", "invalid: /: wrong")]
    assert asked == [["e1", "e2"], ["e2"]]


def test_an_answer_for_another_number_of_items_stops_the_demo() -> None:
    def short(_: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(202, json=results("accepted"))

    with pytest.raises(DoorClosed, match="1 of 2 items"):
        publishing([item(1), item(2)], [short])


def test_an_answer_that_no_retry_helps_stops_the_demo() -> None:
    def wrong(_: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(415, text="no such media type")

    with pytest.raises(DoorClosed, match="415: no such media type"):
        publishing([item(1)], [wrong])


def test_patience_ends() -> None:
    with pytest.raises(DoorClosed, match="did not take the events"):
        publishing([item(1)], [busy], patience_seconds=0.05)


def test_batches_keep_to_the_doors_limits_and_the_order() -> None:
    many = [item(n) for n in range(1201)]
    cut = list(batches(many))
    assert [len(batch) for batch in cut] == [500, 500, 201]
    assert [p for batch in cut for p in batch] == many


def test_large_events_make_small_batches() -> None:
    large = [item(n, size=200_000) for n in range(12)]
    cut = list(batches(large))
    assert [p for batch in cut for p in batch] == large
    for batch in cut:
        assert len(b",".join(p.body for p in batch)) + 2 <= subject.MAX_BYTES
    assert len(cut) == 3


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "no address"])
def test_a_door_that_is_not_there_is_told_with_what_to_do(address: str) -> None:
    with pytest.raises(Unavailable, match=f"ingest does not answer at {address} .*--ingest"):
        check_open(address)
