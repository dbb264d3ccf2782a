"""The door's smaller rules: admission, media types, counting."""

import threading

import pytest

from services.ingest.admission import Admission, Overloaded
from services.ingest.answers import for_batch, for_one, problem, turned_away
from services.ingest.documents import STATUS, TITLES, Problem, ProblemKind, Results, Status
from services.ingest.media import Mode, UnsupportedMediaType, attributes_in, mode_of
from services.ingest.metering import REASONS, Meter
from services.ingest.reading import Readable, read_one
from services.ingest.records import Acknowledged, Conflict, Duplicate, Told, Unknown
from services.ingest.wiring import with_clock
from services.kit.clock import SystemClock
from services.kit.health import Verdict
from services.kit.tick_clock import TickClock
from tests import factories


def readable() -> Readable:
    reading = read_one(factories.placed().encode(), factories.START)
    assert isinstance(reading, Readable)
    return reading


class TestAdmission:
    def test_room_is_taken_wholly_or_not_at_all(self) -> None:
        admission = Admission(max_records=10, max_bytes=100)
        admission.enter(10, 50)

        for records, size in ((1, 0), (0, 51)):
            with pytest.raises(Overloaded):
                admission.enter(records, size)

        assert (admission.records, admission.bytes) == (10, 50)

    def test_room_given_back_can_be_taken_again(self) -> None:
        admission = Admission(max_records=10, max_bytes=100)
        admission.enter(10, 100)

        admission.leave(10, 100)
        admission.enter(10, 100)


class TestMediaTypes:
    @pytest.mark.parametrize(
        ("content_type", "mode"),
        [
            ("application/cloudevents+json", Mode.STRUCTURED),
            ("application/cloudevents+json; charset=UTF-8", Mode.STRUCTURED),
            ("Application/CloudEvents+JSON", Mode.STRUCTURED),
            ("application/json", Mode.STRUCTURED),
            ("application/cloudevents-batch+json", Mode.BATCH),
        ],
    )
    def test_the_media_type_tells_the_mode(self, content_type: str, mode: Mode) -> None:
        assert mode_of(content_type, None, []) is mode

    def test_json_with_cloudevents_headers_is_binary_mode(self) -> None:
        headers = attributes_in([(b"ce-id", b"1"), (b"content-type", b"application/json")])

        assert headers == [("id", "1")]
        assert mode_of("application/json", None, headers) is Mode.BINARY
        assert mode_of("application/cloudevents+json", None, headers) is Mode.STRUCTURED

    @pytest.mark.parametrize(
        ("content_type", "encoding"),
        [
            (None, None),
            ("", None),
            ("text/plain", None),
            ("application/xml", None),
            ("application/json; charset=utf-16", None),
            ("application/cloudevents+json; charset=latin-1", None),
            ("application/cloudevents+avro", None),
            (";;;=,", None),
            ("application/json", "gzip"),
        ],
    )
    def test_nothing_else_is_taken(self, content_type: str | None, encoding: str | None) -> None:
        with pytest.raises(UnsupportedMediaType):
            mode_of(content_type, encoding, [])


class TestAnswers:
    def test_every_kind_of_problem_has_a_status_a_title_and_a_valid_document(self) -> None:
        for kind in ProblemKind:
            document = Problem.model_validate_json(problem(kind, "detail").body)
            assert (document.status, document.title) == (STATUS[kind], TITLES[kind])

    def test_an_event_without_outcome_is_never_called_accepted(self) -> None:
        answer = for_one(readable(), Unknown("KafkaTimeoutError"), 7)

        assert (answer.status, answer.headers["retry-after"]) == (503, "7")
        assert answer.tally == {("purchases", Status.UNKNOWN): 1}

    @pytest.mark.parametrize(
        ("outcomes", "status"),
        [
            ([Acknowledged(0, 1), Acknowledged(0, 2)], 202),
            ([Acknowledged(0, 1), Unknown("x")], 207),
            ([Unknown("x"), Unknown("x")], 503),
            ([], 202),
            ([Acknowledged(0, 1), Duplicate(0, 0)], 202),
            ([Duplicate(0, 0)], 202),
            ([Acknowledged(0, 1), Conflict()], 207),
            ([Conflict()], 207),
            ([Unknown("x"), Duplicate(0, 0)], 207),
        ],
    )
    def test_a_batch_is_202_only_if_every_event_is_there(
        self, outcomes: list[Told], status: int
    ) -> None:
        answer = for_batch([readable() for _ in outcomes], outcomes, 3)

        assert answer.status == status
        assert ("retry-after" in answer.headers) is (Unknown("x") in outcomes)
        results = Results.model_validate_json(answer.body)
        assert results.accepted == sum(isinstance(o, Acknowledged) for o in outcomes)
        assert [result.index for result in results.results] == list(range(len(outcomes)))


class TestReadiness:
    def test_a_clock_that_nobody_follows_any_more_is_not_ready(self) -> None:
        class Clock(TickClock):
            def __init__(self, *, is_following: bool) -> None:
                self._thread = threading.Thread(target=done.wait)
                if is_following:
                    self._thread.start()

        done = threading.Event()
        ready = Verdict(ok=True)
        try:
            assert with_clock(lambda: ready, SystemClock())().ok
            assert with_clock(lambda: ready, Clock(is_following=True))().ok
            assert not with_clock(lambda: ready, Clock(is_following=False))().ok
            assert not with_clock(lambda: Verdict(ok=False), Clock(is_following=True))().ok
        finally:
            done.set()


class TestMeter:
    def test_every_series_exists_before_anything_happened(self) -> None:
        registry = Meter(lambda: 3).registry

        def value(name: str, **labels: str) -> float | None:
            return registry.get_sample_value(name, labels)

        assert value("care_ingest_events_total", topic="none", outcome="rejected") == 0
        assert value("care_ingest_events_total", topic="contacts", outcome="unknown") == 0
        assert value("care_ingest_rejected_total", reason="too_far_ahead", source="other") == 0
        assert value("care_ingest_request_seconds_count", status="503") == 0
        assert value("care_ingest_in_flight_records") == 3

    def test_counting_makes_no_new_series(self) -> None:
        meter = Meter(lambda: 0)
        before = {(s.name, *s.labels.items()) for m in meter.registry.collect() for s in m.samples}

        for kind in (ProblemKind.OVERLOADED, ProblemKind.PAUSED, ProblemKind.TOO_LARGE):
            meter.count(turned_away(kind, "detail"), 0.1)
            assert kind.value.replace("-", "_") in REASONS

        after = {(s.name, *s.labels.items()) for m in meter.registry.collect() for s in m.samples}
        assert after == before
