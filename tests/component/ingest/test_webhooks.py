"""Webhooks through the door: believed only when signed, and answered so that they end or come back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from services.contracts.events import read
from services.contracts.topics import CONTACTS, DELIVERIES, OUTSIDE, PURCHASES
from services.ingest.adapters.adapter import AdapterName, open_adapters, read_secrets
from services.ingest.documents import PROBLEM, TYPE_PREFIX, ProblemKind, WebhookResult
from services.ingest.settings import Settings
from services.ingest.webhooks import MAX_WEBHOOK_BYTES
from services.kit.exits import Unavailable
from tests.component.ingest.fakes import Door, door
from tests.unit.ingest.adapters import examples, sealed
from tests.unit.ingest.adapters.sealed import OTHER, SECRET
from tests.unit.ingest.test_reading import JSON_SCRAPS

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
COUNTER = "care_ingest_webhooks_total"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    path = tmp_path / "secrets"
    path.write_text(f"{SECRET}\n")
    return path


@pytest.fixture
def up(secrets: Path) -> Iterator[Door]:
    with door(adapters=open_adapters(settings(secrets))) as opened:
        opened.now = opened.machine_now = NOW
        yield opened


def settings(secrets: Path | None, **more: Any) -> Settings:
    """Settings under which every adapter has this file."""
    files: dict[str, Any] = {f"{name}_secret_file": secrets for name in AdapterName}
    return Settings(kafka_bootstrap_servers="127.0.0.1:1", **files, **more)


def post(
    up: Door, adapter: str, body: object, headers: dict[str, str] | None = None
) -> httpx.Response:
    """Send a webhook; signed as its system does where no headers are given."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = signed(adapter, raw) if headers is None else headers
    response: httpx.Response = up.client.post(
        f"/v1/webhooks/{adapter}", content=raw, headers={"content-type": "application/json", **told}
    )
    return response


def signed(adapter: str, raw: bytes, secret: str = SECRET) -> dict[str, str]:
    if adapter == "chatwoot":
        return sealed.chatwoot(raw, NOW, secret)
    if adapter == "shopify":
        return sealed.shopify(raw, secret=secret)
    return sealed.aftership(raw, secret)


def events_on(up: Door) -> int:
    return sum(len(up.publisher.written(topic)) for topic in OUTSIDE)


def as_problem(response: httpx.Response, kind: ProblemKind) -> dict[str, Any]:
    assert response.headers["content-type"] == PROBLEM
    document: dict[str, Any] = response.json()
    assert document["type"] == TYPE_PREFIX + kind
    return document


BODIES = {
    "aftership": examples.aftership(),
    "shopify": examples.shopify(),
    "chatwoot": examples.message(),
}
EVERY = pytest.mark.parametrize("adapter", list(AdapterName))


class TestGood:
    @pytest.mark.parametrize(
        ("adapter", "topic", "events"),
        [("aftership", DELIVERIES, 4), ("shopify", PURCHASES, 1), ("chatwoot", CONTACTS, 2)],
    )
    def test_its_events_lie_on_their_topic(
        self, up: Door, adapter: str, topic: Any, events: int
    ) -> None:
        response = post(up, adapter, BODIES[adapter])

        assert response.status_code == 200
        assert response.json() == {"accepted": events, "refused": 0, "ignored": 0, "because": []}
        written = up.publisher.written(topic)
        assert len(written) == events_on(up) == events
        assert {read(record.value).source for record in written} == {f"/adapters/{adapter}"}
        assert all(record.key == read(record.value).partitionkey.encode() for record in written)
        assert up.metric(COUNTER, adapter=adapter, outcome="accepted") == 1
        accepted = up.metric("care_ingest_events_total", topic=topic.name, outcome="accepted")
        assert accepted == events

    @EVERY
    def test_a_replay_is_the_same_events_again(self, up: Door, adapter: str) -> None:
        for _ in range(3):
            assert post(up, adapter, BODIES[adapter]).status_code == 200

        ids = [read(record.value).id for topic in OUTSIDE for record in up.publisher.written(topic)]
        assert len(ids) == 3 * len(set(ids))

    def test_what_is_refused_says_why_and_the_rest_is_taken(self, up: Door) -> None:
        unnamed = examples.checkpoint(
            "2026-03-02T07:30:00Z", "InTransit", "InTransit_001", slug=None
        )
        good = examples.checkpoint("2026-03-02T07:30:00Z", "Teleported", "Teleported_001")
        response = post(up, "aftership", examples.aftership(slug=None, checkpoints=[unnamed, good]))

        told = WebhookResult.model_validate(response.json())
        assert (response.status_code, told.refused) == (200, 1)
        assert [because.reason for because in told.because] == ["no_carrier"]
        assert up.metric(COUNTER, adapter="aftership", outcome="accepted") == 1

    def test_a_guests_order_is_refused_and_ends_there(self, up: Door) -> None:
        response = post(up, "shopify", examples.shopify(customer=None))

        assert response.status_code == 200
        assert response.json()["because"][0]["reason"] == "no_customer"
        assert up.metric(COUNTER, adapter="shopify", outcome="refused") == 1
        assert events_on(up) == 0

    def test_what_concerns_nobody_is_ignored(self, up: Door) -> None:
        response = post(up, "chatwoot", examples.talk("contact_updated"))

        assert (response.status_code, response.json()["ignored"]) == (200, 1)
        assert up.metric(COUNTER, adapter="chatwoot", outcome="ignored") == 1

    def test_what_lies_ahead_is_refused(self, up: Door) -> None:
        ahead = (NOW + timedelta(hours=25)).isoformat()
        body = examples.message(message_type="outgoing", created_at=ahead)

        assert post(up, "chatwoot", body).json()["because"][0]["reason"] == "too_far_ahead"
        assert events_on(up) == 0

    def test_more_events_than_there_is_room_for_at_once(self, secrets: Path) -> None:
        scans = [
            examples.checkpoint(f"2026-03-02T{n // 60:02}:{n % 60:02}:00Z", "InTransit", None)
            for n in range(1200)
        ]
        body = examples.aftership(checkpoints=scans)
        with door(adapters=open_adapters(settings(secrets)), max_records=500) as up:
            up.now = NOW
            response = post(up, "aftership", body)

        assert response.json()["accepted"] == 1202


class TestForged:
    @EVERY
    def test_without_a_signature_nothing_is_read(self, up: Door, adapter: str) -> None:
        for raw in (json.dumps(BODIES[adapter]).encode(), b"{", b""):
            response = post(up, adapter, raw, {})
            assert response.status_code == 401
            as_problem(response, ProblemKind.NOT_SIGNED)

        assert events_on(up) == 0
        assert up.metric(COUNTER, adapter=adapter, outcome="forged") == 3

    @EVERY
    def test_another_secret_or_another_body(self, up: Door, adapter: str) -> None:
        raw = json.dumps(BODIES[adapter]).encode()

        assert post(up, adapter, raw, signed(adapter, raw, OTHER)).status_code == 401
        assert post(up, adapter, raw + b" ", signed(adapter, raw)).status_code == 401
        assert events_on(up) == 0

    def test_an_old_webhook_is_stale(self, up: Door) -> None:
        up.machine_now = NOW + timedelta(minutes=6)
        response = post(up, "chatwoot", BODIES["chatwoot"])

        assert response.status_code == 401
        assert "clocks" in as_problem(response, ProblemKind.NOT_SIGNED)["detail"]
        assert up.metric(COUNTER, adapter="chatwoot", outcome="stale") == 1
        assert events_on(up) == 0

    def test_a_signed_time_is_compared_with_the_machines_also_where_time_is_simulated(
        self, up: Door
    ) -> None:
        up.now = NOW + timedelta(days=30)

        assert post(up, "chatwoot", BODIES["chatwoot"]).status_code == 200
        assert up.metric(COUNTER, adapter="chatwoot", outcome="stale") == 0

    def test_the_unsigned_topic_cannot_make_an_order_cancelled(self, up: Door) -> None:
        raw = json.dumps(BODIES["shopify"]).encode()
        response = post(up, "shopify", raw, sealed.shopify(raw, "orders/cancelled"))

        assert response.json()["because"][0]["reason"] == "not_confirmed"
        assert events_on(up) == 0


class TestSecrets:
    def test_a_secret_is_rotated_without_a_restart(self, up: Door, secrets: Path) -> None:
        raw = json.dumps(BODIES["shopify"]).encode()
        statuses = []
        for lines in (f"{SECRET}\n\n{OTHER}\n", f"{OTHER} \n", ""):
            secrets.write_text(lines)
            old = post(up, "shopify", raw, signed("shopify", raw))
            new = post(up, "shopify", raw, signed("shopify", raw, OTHER))
            statuses.append((old.status_code, new.status_code))

        # An empty file leaves what was known in force.
        assert statuses == [(200, 200), (401, 200), (401, 200)]
        for adapter in AdapterName:
            assert up.metric("care_ingest_watched_file_fault", file=f"{adapter}_secrets") == 1

    @EVERY
    def test_without_a_secret_the_path_is_not_there(self, adapter: str) -> None:
        with door(adapters=open_adapters(settings(None))) as up:
            response = post(up, adapter, BODIES[adapter])

            as_problem(response, ProblemKind.NOT_FOUND)
            assert (response.status_code, events_on(up)) == (404, 0)
            assert up.metric(COUNTER, adapter=adapter, outcome="turned_away") == 1

    def test_one_may_be_on_and_others_off(self, secrets: Path) -> None:
        only = settings(None).model_copy(update={"shopify_secret_file": secrets})

        assert set(open_adapters(only)) == {"shopify"}

    @pytest.mark.parametrize("text", ["", "\n \n", "short", f"{SECRET}\nshort"])
    def test_a_file_without_a_good_secret_is_refused_at_the_start(
        self, tmp_path: Path, text: str
    ) -> None:
        path = tmp_path / "wrong"
        path.write_text(text)

        with pytest.raises(Unavailable, match="one secret a line"):
            read_secrets(path)

    def test_so_is_none_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match="put the secret that signs"):
            open_adapters(settings(tmp_path / "none"))


class TestAnswers:
    @EVERY
    def test_what_the_broker_may_not_have_comes_back(self, up: Door, adapter: str) -> None:
        up.publisher.silence()
        response = post(up, adapter, BODIES[adapter])

        assert response.status_code == 503
        assert response.headers["retry-after"] == "3"
        as_problem(response, ProblemKind.OUTCOME_UNKNOWN)
        assert up.metric(COUNTER, adapter=adapter, outcome="unknown") == 1

    def test_one_missing_event_of_several_is_enough(self, up: Door) -> None:
        up.publisher.refuses = {2}

        assert post(up, "aftership", BODIES["aftership"]).status_code == 503

    def test_no_room(self, up: Door) -> None:
        up.admission.enter(1000, 0)
        response = post(up, "aftership", BODIES["aftership"])

        assert response.status_code == 503
        as_problem(response, ProblemKind.OVERLOADED)
        assert up.metric(COUNTER, adapter="aftership", outcome="turned_away") == 1

    def test_bodies_not_yet_checked_have_half_of_the_room(self, up: Door) -> None:
        half = up.admission._max_bytes // 2
        up.admission.enter_unproven(half)
        assert post(up, "aftership", BODIES["aftership"]).status_code == 503

        up.admission.leave_unproven(half)
        up.admission.enter(0, half)
        assert post(up, "aftership", BODIES["aftership"]).status_code == 200

    def test_the_room_of_a_body_is_given_back(self, up: Door) -> None:
        post(up, "shopify", BODIES["shopify"])
        post(up, "shopify", BODIES["shopify"], {})

        room = up.admission
        assert (room.records, room.bytes, room.unproven_bytes) == (0, 0, 0)

    def test_a_body_beyond_the_limit(self, up: Door) -> None:
        response = post(up, "shopify", b" " * (MAX_WEBHOOK_BYTES + 1))

        as_problem(response, ProblemKind.TOO_LARGE)

    def test_signed_and_no_json(self, up: Door) -> None:
        response = post(up, "shopify", b"{")

        assert response.status_code == 400
        as_problem(response, ProblemKind.NOT_JSON)
        assert up.metric(COUNTER, adapter="shopify", outcome="refused") == 1

    def test_before_simulated_time_begins(self, up: Door) -> None:
        up.now = None

        as_problem(post(up, "shopify", BODIES["shopify"]), ProblemKind.NO_TIME_YET)

    def test_other_names_and_methods_are_not_there(self, up: Door) -> None:
        assert post(up, "aftership", {}).status_code == 200
        as_problem(up.client.post("/v1/webhooks/other"), ProblemKind.NOT_FOUND)
        as_problem(up.client.get("/v1/webhooks/shopify"), ProblemKind.METHOD_NOT_ALLOWED)

    def test_one_line_a_webhook_and_nothing_of_what_was_sent(
        self, up: Door, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for adapter, body in BODIES.items():
            post(up, adapter, body)
            post(up, adapter, body, {})
        mail = {"sender": {"identifier": "canary@example.com"}}
        post(up, "chatwoot", examples.talk(meta=mail))

        told = capsys.readouterr().out
        assert told.count("webhook_received") == 7
        assert "mail_as_customer" in told
        for personal in ("anary", "example.com", "c-1042", "880042", SECRET):
            assert personal not in told


@EVERY
def test_no_signed_body_is_answered_with_an_error_of_ours(up: Door, adapter: str) -> None:
    whole = json.dumps(BODIES[adapter]).encode()
    cut = st.integers(0, len(whole)).map(lambda end: whole[:end])

    @hypothesis.settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=40) | JSON_SCRAPS.map(lambda v: json.dumps(v).encode()) | cut)
    def check(raw: bytes) -> None:
        response = post(up, adapter, raw)

        assert response.status_code in {200, 400}, response.text
        assert (response.status_code == 400) == ("errors" in response.json())

    check()


def test_every_answer_is_documented_with_an_example_that_follows_its_schema(up: Door) -> None:
    document = up.client.get("/openapi.json").json()

    for name in AdapterName:
        operation = document["paths"][f"/v1/webhooks/{name}"]["post"]
        named = {parameter["name"] for parameter in operation["parameters"]}
        assert set(signed(name, b"")) == named
        told = operation["responses"]
        assert set(told) == {"200", "400", "401", "404", "408", "413", "431", "500", "503"}
        for answer in told.values():
            for content in answer["content"].values():
                assert content["examples"]
                schema = content["schema"] | {"components": document["components"]}
                for example in content["examples"].values():
                    Draft202012Validator(schema).validate(example["value"])
