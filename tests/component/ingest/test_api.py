"""The door over HTTP: what it promises for each kind of request."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from structlog.testing import capture_logs

from services.contracts.envelope import BATCH, JSON, STRUCTURED
from services.contracts.events import FROM_OUTSIDE, read
from services.contracts.topics import DELIVERIES, MAX_EVENT_BYTES, MAX_FUTURE_SKEW, PURCHASES
from services.contracts.trace_context import TraceContext, of_event
from services.demo.gather import read_door_counts
from services.ingest.answers import MOST_NAMED
from services.ingest.documents import PROBLEM, TYPE_PREFIX, ProblemKind
from services.ingest.reading import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from services.kit.health import Verdict
from tests import factories
from tests.component.ingest.fakes import Door, door

CANARY = "canary-5d1e"


@pytest.fixture
def up() -> Iterator[Door]:
    with door() as opened:
        yield opened


def post(
    up: Door, content: bytes, content_type: str = STRUCTURED, **headers: str
) -> httpx.Response:
    """Send one body."""
    told = {"content-type": content_type} | {k.replace("_", "-"): v for k, v in headers.items()}
    response: httpx.Response = up.client.post("/v1/events", content=content, headers=told)
    return response


def batch_of(*events: object) -> bytes:
    """Return a batch's body."""
    told = [event if isinstance(event, dict) else json.loads(event.encode()) for event in events]  # type: ignore[attr-defined]
    return json.dumps(told).encode()


def as_problem(response: httpx.Response, kind: ProblemKind) -> dict[str, Any]:
    """Return the problem document; fail where it is another."""
    assert response.headers["content-type"] == PROBLEM
    document: dict[str, Any] = response.json()
    assert document["type"] == TYPE_PREFIX + kind
    assert document["status"] == response.status_code
    return document


class TestOneEvent:
    def test_it_is_accepted_once_it_lies_on_its_topic(self, up: Door) -> None:
        event = factories.placed(customer="c-7")

        response = post(up, event.encode())

        assert response.status_code == 202
        (written,) = up.publisher.written(PURCHASES)
        assert response.json() == {
            "id": event.id,
            "source": event.source,
            "status": "accepted",
            "topic": "purchases",
            "partition": written.partition,
            "offset": written.offset,
        }
        assert read(written.value) == event
        assert written.key == b"c-7"
        assert written.headers == (
            ("content-type", STRUCTURED.encode()),
            *of_event(event).headers,
        )

    def test_plain_json_is_read_as_a_structured_event(self, up: Door) -> None:
        assert post(up, factories.placed().encode(), JSON).status_code == 202

    def test_binary_mode_writes_the_same_record(self, up: Door) -> None:
        event = factories.promised()
        told = json.loads(event.encode())
        headers = {f"ce-{k}": v for k, v in told.items() if k not in ("data", "datacontenttype")}

        response = post(up, json.dumps(told["data"]).encode(), JSON, **headers)

        assert response.status_code == 202, response.text
        (written,) = up.publisher.written(DELIVERIES)
        assert written.value == event.encode()

    def test_the_trace_goes_along(self, up: Door) -> None:
        trace = f"00-{'a' * 32}-{'b' * 16}-01"
        event = factories.placed().model_copy(update={"traceparent": trace})

        post(up, event.encode())

        (written,) = up.publisher.written(PURCHASES)
        assert ("traceparent", trace.encode()) in written.headers

    def test_of_a_request_in_a_trace_every_event_without_its_own_is_in_it(self, up: Door) -> None:
        around, own = f"00-{'c' * 32}-{'d' * 16}-01", f"00-{'a' * 32}-{'b' * 16}-00"
        plain = factories.placed()
        traced = factories.placed().model_copy(update={"traceparent": own})
        body = json.dumps([json.loads(event.encode()) for event in (plain, traced)]).encode()

        with capture_logs() as lines:
            post(up, body, BATCH, traceparent=around, tracestate="a=1")

        first, second = up.publisher.written(PURCHASES)
        assert first.headers[1:] == TraceContext(around, "a=1").headers
        assert second.headers[1:] == TraceContext(own).headers
        # The event itself is told as it came.
        assert first.value == plain.encode()
        (line,) = lines
        assert line["trace_ids"] == ["c" * 32, "a" * 32]
        assert line["event_ids"] == [plain.id, traced.id]

    def test_a_trace_that_cannot_be_read_is_none(self, up: Door) -> None:
        event = factories.placed()

        assert post(up, event.encode(), traceparent="00-xyz-01").status_code == 202

        (written,) = up.publisher.written(PURCHASES)
        assert written.headers[1:] == of_event(event).headers

    def test_of_a_long_batch_only_so_many_events_are_named_in_the_log(self, up: Door) -> None:
        told = [json.loads(factories.placed().encode()) for _ in range(MOST_NAMED + 5)]

        with capture_logs() as lines:
            post(up, json.dumps(told).encode(), BATCH)

        assert lines[0]["event_ids"] == [event["id"] for event in told[:MOST_NAMED]]
        assert len(lines[0]["trace_ids"]) == MOST_NAMED

    def test_without_acknowledgement_there_is_no_202(self, up: Door) -> None:
        up.publisher.silence()

        response = post(up, factories.placed().encode())

        assert response.status_code == 503
        assert response.headers["retry-after"] == "3"
        assert "same id" in as_problem(response, ProblemKind.OUTCOME_UNKNOWN)["detail"]
        assert up.metric("care_ingest_events_total", topic="purchases", outcome="unknown") == 1

    def test_a_refusal_by_the_broker_is_no_202(self, up: Door) -> None:
        up.publisher.refuses = {0}

        as_problem(post(up, factories.placed().encode()), ProblemKind.OUTCOME_UNKNOWN)

        assert up.publisher.written(PURCHASES) == []

    def test_not_json_is_400(self, up: Door) -> None:
        response = post(up, b'{"type": ')

        assert response.status_code == 400
        (error,) = as_problem(response, ProblemKind.NOT_JSON)["errors"]
        assert (error["pointer"], error["code"]) == ("", "not_json")
        assert up.metric("care_ingest_events_total", topic="none", outcome="rejected") == 1
        assert up.metric("care_ingest_rejected_total", reason="not_json") == 1

    @pytest.mark.parametrize(
        ("member", "value", "topic"),
        [
            ("type", "care.nothing.done.v1", "none"),
            ("time", "now", "purchases"),
            ("data", 5, "purchases"),
        ],
    )
    def test_what_breaks_the_contract_is_422_with_its_pointer(
        self, up: Door, member: str, value: object, topic: str
    ) -> None:
        wrong = json.loads(factories.placed().encode()) | {member: value}

        response = post(up, json.dumps(wrong).encode())

        assert response.status_code == 422
        errors = as_problem(response, ProblemKind.INVALID)["errors"]
        assert [error["pointer"] for error in errors] == [f"/{member}"]
        assert up.metric("care_ingest_events_total", topic=topic, outcome="rejected") == 1
        assert up.publisher.written(PURCHASES) == []

    def test_time_more_than_a_day_ahead_of_the_deployments_clock_is_422(self, up: Door) -> None:
        event = factories.placed(at=factories.START + MAX_FUTURE_SKEW + timedelta(seconds=1))

        refused = post(up, event.encode())
        up.now = factories.START + timedelta(seconds=1)
        taken = post(up, event.encode())

        assert as_problem(refused, ProblemKind.INVALID)["errors"][0]["pointer"] == "/time"
        assert taken.status_code == 202

    def test_before_the_first_tick_nothing_is_taken(self, up: Door) -> None:
        up.now = None

        response = post(up, factories.placed().encode())

        as_problem(response, ProblemKind.NO_TIME_YET)
        assert (response.status_code, response.headers["retry-after"]) == (503, "3")
        assert up.publisher.written(PURCHASES) == []

    @pytest.mark.parametrize(
        ("content_type", "encoding"),
        [("text/plain", ""), ("application/xml", ""), (STRUCTURED, "gzip"), ("", "")],
    )
    def test_another_media_type_is_415(self, up: Door, content_type: str, encoding: str) -> None:
        response = post(up, factories.placed().encode(), content_type, content_encoding=encoding)

        assert response.status_code == 415
        as_problem(response, ProblemKind.UNSUPPORTED_MEDIA_TYPE)


class TestBatch:
    def test_all_accepted_is_202_with_each_place(self, up: Door) -> None:
        events = [factories.placed(order=f"o-{n}", customer=f"c-{n % 2}") for n in range(20)]

        response = post(up, batch_of(*events), BATCH)

        assert response.status_code == 202
        told = response.json()
        assert (told["accepted"], told["rejected"], told["unknown"]) == (20, 0, 0)
        assert [(r["index"], r["id"]) for r in told["results"]] == [
            (n, event.id) for n, event in enumerate(events)
        ]
        for customer in ("c-0", "c-1"):
            found = [w.value for w in up.publisher.written(PURCHASES) if w.key == customer.encode()]
            assert found == [event.encode() for event in events if event.customer_id == customer]

    def test_what_is_wrong_with_one_does_not_hold_up_the_others(self, up: Door) -> None:
        wrong = json.loads(factories.placed().encode()) | {"time": CANARY}
        large = json.loads(factories.placed(order="o").encode())
        large["data"]["order_id"] = "x" * MAX_EVENT_BYTES

        response = post(up, batch_of(factories.placed(), wrong, large, factories.promised()), BATCH)

        assert response.status_code == 207
        results = response.json()["results"]
        assert [r["status"] for r in results] == ["accepted", "rejected", "rejected", "accepted"]
        assert results[1]["id"] == wrong["id"]
        assert [error["pointer"] for error in results[1]["errors"]] == ["/time"]
        assert results[2]["reason"] == "too_large"
        assert str(MAX_EVENT_BYTES) in results[2]["errors"][0]["detail"]
        assert len(up.publisher.written(PURCHASES)) == len(up.publisher.written(DELIVERIES)) == 1
        assert up.metric("care_ingest_events_total", topic="purchases", outcome="rejected") == 2
        assert up.metric("care_ingest_rejected_total", reason="too_large") == 1

    def test_what_is_unknown_of_one_is_told_of_that_one(self, up: Door) -> None:
        up.publisher.refuses = {1}

        response = post(up, batch_of(*[factories.placed() for _ in range(3)]), BATCH)

        assert (response.status_code, response.headers["retry-after"]) == (207, "3")
        assert [r["status"] for r in response.json()["results"]] == [
            "accepted",
            "unknown",
            "accepted",
        ]

    def test_nothing_known_of_any_is_503(self, up: Door) -> None:
        up.publisher.silence()

        response = post(up, batch_of(factories.placed(), factories.placed()), BATCH)

        document = as_problem(response, ProblemKind.OUTCOME_UNKNOWN)
        assert [r["status"] for r in document["results"]] == ["unknown", "unknown"]

    def test_an_empty_batch_is_accepted(self, up: Door) -> None:
        response = post(up, b"[]", BATCH)

        assert (response.status_code, response.json()["results"]) == (202, [])

    def test_more_events_than_the_limit_are_413(self, up: Door) -> None:
        response = post(up, json.dumps([1] * (MAX_BATCH_EVENTS + 1)).encode(), BATCH)

        assert str(MAX_BATCH_EVENTS) in as_problem(response, ProblemKind.TOO_LARGE)["detail"]

    @pytest.mark.parametrize(("raw", "status"), [(b"[", 400), (b"{}", 422), (b"", 400)])
    def test_what_is_no_array_is_no_batch(self, up: Door, raw: bytes, status: int) -> None:
        assert post(up, raw, BATCH).status_code == status


class TestLimits:
    def test_a_string_of_a_mebibyte_is_413_naming_the_limit(self, up: Door) -> None:
        event = json.loads(factories.placed().encode())
        event["data"]["order_id"] = "x" * 1024 * 1024

        response = post(up, json.dumps(event).encode())

        assert response.status_code == 413
        assert str(MAX_EVENT_BYTES) in as_problem(response, ProblemKind.TOO_LARGE)["detail"]
        assert up.metric("care_ingest_rejected_total", reason="too_large") == 1

    @pytest.mark.parametrize(
        ("content_type", "limit"), [(STRUCTURED, MAX_EVENT_BYTES), (BATCH, MAX_BATCH_BYTES)]
    )
    def test_a_body_may_have_the_limit_and_no_byte_more(
        self, up: Door, content_type: str, limit: int
    ) -> None:
        exact = post(up, b" " * limit, content_type)
        over = post(up, b" " * (limit + 1), content_type)

        assert (exact.status_code, over.status_code) == (400, 413)
        assert up.admission.bytes == 0

    def test_without_room_for_records_it_is_503(self) -> None:
        with door(max_records=2) as up:
            response = post(up, batch_of(*[factories.placed() for _ in range(3)]), BATCH)

            as_problem(response, ProblemKind.OVERLOADED)
            assert (response.status_code, response.headers["retry-after"]) == (503, "3")
            assert up.publisher.written(PURCHASES) == []
            assert up.metric("care_ingest_rejected_total", reason="overloaded") == 3
            by_topic = up.metric(
                "care_ingest_events_total", topic="purchases", outcome="turned_away"
            )
            assert by_topic == 3
            assert up.metric("care_ingest_events_total", outcome="rejected") == 0
            taken, refused = read_door_counts(up.client.get("/metrics").text)
            assert not any([*taken.values(), *refused.values()])

    def test_without_room_for_bytes_a_body_is_not_even_read(self) -> None:
        with door(max_bytes=1000) as up:
            response = post(up, b" " * 2000)

            as_problem(response, ProblemKind.OVERLOADED)
            assert up.admission.bytes == 0
            assert up.metric("care_ingest_events_total", topic="none", outcome="turned_away") == 1

    def test_records_without_outcome_keep_their_room(self, up: Door) -> None:
        up.publisher.silence()
        post(up, factories.placed().encode())

        assert up.metric("care_ingest_in_flight_records") == 1
        assert up.client.portal is not None
        up.client.portal.call(up.publisher.caught_up)
        assert up.metric("care_ingest_in_flight_records") == 0


class TestAround:
    def test_readiness_is_asked_and_liveness_is_not(self, up: Door) -> None:
        assert up.client.get("/readyz").status_code == 200
        up.readiness = Verdict(ok=False, because="draining")

        response = up.client.get("/readyz")

        assert (response.status_code, response.json()["because"]) == (503, "draining")
        assert up.client.get("/livez").status_code == 200
        assert post(up, factories.placed().encode()).status_code == 202

    def test_other_paths_and_methods_are_problems_too(self, up: Door) -> None:
        as_problem(up.client.get("/nowhere"), ProblemKind.NOT_FOUND)
        wrong = up.client.get("/v1/events")
        as_problem(wrong, ProblemKind.METHOD_NOT_ALLOWED)
        assert wrong.headers["allow"] == "POST"

    def test_an_error_inside_is_told_without_its_text(
        self, up: Door, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(_: object) -> None:
            raise RuntimeError(CANARY)

        monkeypatch.setattr(up.publisher, "publish", broken)

        response = post(up, factories.placed().encode())

        assert response.status_code == 500
        assert up.metric("care_ingest_request_seconds_count", status="500") == 1
        as_problem(response, ProblemKind.INTERNAL)
        assert CANARY not in response.text
        told = capsys.readouterr().out
        assert "request_broke" in told
        assert CANARY not in told

    def test_one_line_a_request_and_nothing_of_what_was_sent(
        self, up: Door, capsys: pytest.CaptureFixture[str]
    ) -> None:
        personal = json.loads(factories.placed(customer=CANARY, order=CANARY).encode())
        wrong = personal | {"time": CANARY, "data": {CANARY: CANARY}}

        for event in (personal, wrong):
            post(up, json.dumps(event).encode())
        post(up, batch_of(personal, wrong), BATCH)

        told = capsys.readouterr().out
        assert told.count("events_received") == 3
        assert personal["id"] in told
        assert CANARY not in told


class TestOpenApi:
    def test_every_answer_is_documented_with_an_example_that_follows_its_schema(
        self, up: Door
    ) -> None:
        document = up.client.get("/openapi.json").json()
        answers = document["paths"]["/v1/events"]["post"]["responses"]

        taken, refused = {"200", "202", "207"}, {"400", "408", "409", "413", "415", "422", "431"}
        assert set(answers) == taken | refused | {"401", "403", "429", "500", "503"}
        for answer in answers.values():
            for content in answer["content"].values():
                assert content["examples"]
                schema = content["schema"] | {"components": document["components"]}
                for example in content["examples"].values():
                    Draft202012Validator(schema).validate(example["value"])

    def test_every_type_publishers_may_send_is_described(self, up: Door) -> None:
        document = up.client.get("/openapi.json").json()

        mapping = document["components"]["schemas"]["Event"]["discriminator"]["mapping"]
        assert set(mapping) == FROM_OUTSIDE
        body = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]
        assert set(body) == {STRUCTURED, BATCH, JSON}
        example = json.dumps(body[STRUCTURED]["example"]).encode()
        up.now = factories.START + timedelta(days=90)
        assert post(up, example).status_code == 202
