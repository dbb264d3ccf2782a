"""A repeat over HTTP: told where the first one lies, and nothing is written again."""

import json

from services.contracts.envelope import BATCH
from services.contracts.topics import PURCHASES
from services.ingest.documents import ProblemKind
from tests import factories
from tests.component.ingest.fakes import Door
from tests.component.ingest.test_api import CANARY, as_problem, batch_of, post, up

__all__ = ["up"]


def test_the_same_event_again_is_200_with_the_place_of_the_first(up: Door) -> None:
    event = factories.placed()
    first, again = post(up, event.encode()), post(up, event.encode())

    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == first.json() | {"status": "duplicate"}
    assert len(up.publisher.written(PURCHASES)) == 1
    assert up.metric("care_ingest_events_total", topic="purchases", outcome="duplicate") == 1


def test_written_in_another_way_it_is_the_same_event(up: Door) -> None:
    told = json.loads(factories.placed().encode())
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    turned = {name: told[name] for name in reversed(told)} | {"traceparent": trace}

    post(up, json.dumps(told).encode())

    assert post(up, json.dumps(turned, indent=2).encode()).status_code == 200


def test_another_body_under_the_same_id_is_409_and_nothing_of_it_is_told(up: Door) -> None:
    post(up, factories.placed(event_id="e-1").encode())

    response = post(up, factories.placed(order=CANARY, event_id="e-1").encode())

    assert response.status_code == 409
    (error,) = as_problem(response, ProblemKind.CONFLICT)["errors"]
    assert (error["pointer"], error["code"]) == ("/id", "conflict")
    assert CANARY not in response.text
    assert len(up.publisher.written(PURCHASES)) == 1
    assert up.metric("care_ingest_rejected_total", reason="conflict") == 1


def test_the_same_id_of_another_source_is_another_event(up: Door) -> None:
    post(up, factories.placed(event_id="e-1", source="/shop").encode())

    response = post(up, factories.placed(event_id="e-1", source="/erp").encode())

    assert response.status_code == 202


def test_in_a_batch_each_item_has_its_own_status(up: Door) -> None:
    known = factories.placed(event_id="e-1")
    first = post(up, known.encode()).json()
    other = factories.placed(order="o-2", event_id="e-1")
    new = factories.placed(event_id="e-2")

    response = post(up, batch_of(known, other, new, new), BATCH)

    assert response.status_code == 207
    told = response.json()
    statuses = [result["status"] for result in told["results"]]
    assert statuses == ["duplicate", "rejected", "accepted", "duplicate"]
    assert (told["accepted"], told["duplicate"], told["rejected"]) == (1, 2, 1)
    assert told["results"][0]["offset"] == first["offset"]
    assert told["results"][1]["reason"] == "conflict"
    assert told["results"][3]["offset"] == told["results"][2]["offset"]
    assert len(up.publisher.written(PURCHASES)) == 2


def test_a_batch_of_repeats_is_202_since_the_broker_has_it_all(up: Door) -> None:
    events = batch_of(factories.placed(), factories.promised())
    post(up, events, BATCH)

    again = post(up, events, BATCH)

    assert (again.status_code, again.json()["duplicate"]) == (202, 2)


def test_what_the_broker_did_not_acknowledge_is_published_again(up: Door) -> None:
    event = factories.placed().encode()
    up.publisher.refuses = {0}
    refused = post(up, event)
    up.publisher.refuses = set()

    again = post(up, event)

    assert (refused.status_code, again.status_code) == (503, 202)
    assert len(up.publisher.written(PURCHASES)) == 1
