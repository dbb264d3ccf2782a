"""Who may publish what, over HTTP: whoever may not leaves nothing behind, and is counted."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from services.contracts.envelope import BATCH, STRUCTURED, Event
from services.contracts.topics import OUTSIDE
from services.ingest.access.callers import Reason
from services.ingest.access.gate import Gate
from services.ingest.access.scopes import may_publish
from services.ingest.documents import PROBLEM, TYPE_PREFIX, ProblemKind
from services.ingest.openapi import SECURITY_SCHEMES
from services.ingest.settings import Settings
from services.kit import api_keys, key_file
from services.kit.api_keys import Key
from services.kit.clock import SystemClock
from tests import factories
from tests.component.ingest import fakes
from tests.component.ingest.fakes import Door
from tests.support.identity_provider import (
    AUDIENCE,
    ISSUER,
    Provider,
    bearer,
    provider,
    resigned,
    signing_key,
    token,
)
from tests.unit.kit.test_api_keys import draw

NOW = SystemClock().now()
SIGNING = signing_key("k-1")
SECRET_KEY = b"s" * 32
SECRET = "whsec_" + "c3Nz" * 10 + "c3M="
SCOPE = "publish:care.order.*@/shop/*"
COUNTER = "care_ingest_refused_requests_total"


@dataclass
class World:
    """A door with every way in, and what opens it."""

    door: Door
    keys: Path
    provider: Provider
    clock: dict[str, float]
    texts: dict[str, str] = field(default_factory=dict)

    def post(
        self,
        *events: Event[Any] | bytes,
        headers: Mapping[str, str] | None = None,
        is_batch: bool = False,
        query: str = "",
    ) -> httpx.Response:
        """Send one event, or a batch."""
        bodies = [e if isinstance(e, bytes) else e.encode() for e in events]
        body = b"[" + b",".join(bodies) + b"]" if is_batch else bodies[0]
        told = {"content-type": BATCH if is_batch else STRUCTURED, **(headers or {})}
        url = f"/v1/events{query}"
        response: httpx.Response = self.door.client.post(url, content=body, headers=told)
        return response

    def with_key(self, name: str = "shop") -> dict[str, str]:
        return {"x-api-key": self.texts[name]}

    def denied(self, response: httpx.Response, reason: Reason, published: int = 0) -> None:
        """Fail unless it was turned away for this reason, counted, and nothing was published."""
        assert response.headers["content-type"] == PROBLEM
        assert self.door.metric(COUNTER, reason=reason) >= 1, reason
        assert self.published == published
        if response.status_code == 401:
            assert response.headers["www-authenticate"].startswith("Bearer")

    @property
    def published(self) -> int:
        return sum(len(self.door.publisher.written(topic)) for topic in OUTSIDE)


def key(client: str, seed: int, *scopes: str, **changes: Any) -> tuple[Key, str]:
    made, text = api_keys.made(draw(seed), client, scopes or [SCOPE])
    return replace(made, **changes), text


@contextmanager
def opened(folder: Path, found: Provider, **told: Any) -> Iterator[World]:
    """Yield a door with every way in, unless told otherwise."""
    keys = {
        "shop": key("shop", 1),
        "all": key("all", 2, "publish:*"),
        "desk": key("desk", 3, "outreach:*"),
        "revoked": key("gone", 4, revoked=True),
        "expired": key("late", 5, not_after=NOW - timedelta(seconds=1)),
        "slow": key("slow", 6, events_per_second=1.0, burst=3),
        "slow-2": key("slow", 7, events_per_second=1.0, burst=3),
    }
    path, signers = folder / "keys.json", folder / "publishers.json"
    key_file.write(path, [each for each, _ in keys.values()])
    secrets = {"erp": SECRET, "b": "whsec_" + "YmJi" * 10}
    publishers = [
        {"client": name, "secrets": [secret], "scopes": [SCOPE]} for name, secret in secrets.items()
    ]
    signers.write_text(json.dumps({"publishers": publishers}))
    clock = {"elapsed": 0.0, "skew": 0.0}

    def turned(gate: Gate) -> Gate:
        def now() -> datetime:
            return SystemClock().now() + timedelta(seconds=clock["skew"])

        return replace(gate, elapsed=lambda: clock["elapsed"], now=now)

    access = Settings(
        **{
            "kafka_bootstrap_servers": "127.0.0.1:1",
            "authentication": "api_keys,oidc,webhooks",
            "api_keys_file": path,
            "webhook_secrets_file": signers,
            "oidc_issuer": ISSUER,
            "oidc_audience": AUDIENCE,
            "oidc_jwks_url": found.url,
            **told,
        }
    )
    with fakes.door(access=access, turned=turned) as up:
        up.now = NOW
        yield World(up, path, found, clock, {name: text for name, (_, text) in keys.items()})


@pytest.fixture(scope="module")
def found() -> Iterator[Provider]:
    with provider(SIGNING) as up:
        yield up


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, found: Provider) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("shared"), found) as up:
        yield up


@pytest.fixture
def world(tmp_path: Path, found: Provider) -> Iterator[World]:
    with opened(tmp_path, found) as up:
        yield up


class TestKeys:
    def test_a_key_publishes_what_its_scope_covers(self, world: World) -> None:
        for headers in (world.with_key(), bearer(world.texts["shop"])):
            response = world.post(factories.placed(), headers=headers)
            assert response.status_code == 202
            assert response.headers["ratelimit-policy"] == '"events";q=10000;w=10'
            assert response.headers["ratelimit"].startswith('"events";r=999')
        assert world.published == 2

    @pytest.mark.parametrize(
        ("name", "reason"), [("revoked", Reason.REVOKED), ("expired", Reason.EXPIRED)]
    )
    def test_one_that_is_over_opens_nothing(self, world: World, name: str, reason: Reason) -> None:
        response = world.post(factories.placed(), headers=world.with_key(name))

        assert response.status_code == 401
        world.denied(response, reason)

    def test_nobody_learns_whether_the_key_or_its_secret_is_wrong(self, world: World) -> None:
        text = world.texts["shop"]
        secret = text.rpartition("_")[2]
        wrong = {
            Reason.WRONG_SECRET: text[:-4] + "AAAA",
            Reason.UNKNOWN: f"care_{'0' * 16}_{secret}",
            Reason.MALFORMED: "care_x",
        }
        answers = []
        for reason, presented in wrong.items():
            response = world.post(factories.placed(), headers={"x-api-key": presented})
            world.denied(response, reason)
            headers = {k: v for k, v in response.headers.items() if k != "date"}
            answers.append((response.status_code, response.content, headers))
        assert answers[0] == answers[1] == answers[2]
        assert answers[0][0] == 401

    def test_nothing_presented_is_401_without_an_error(self, world: World) -> None:
        response = world.post(factories.placed())

        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
        assert "ratelimit" not in response.headers
        world.denied(response, Reason.MISSING)

    def test_a_key_that_is_revoked_meanwhile_opens_nothing(self, world: World) -> None:
        assert world.post(factories.placed(), headers=world.with_key()).status_code == 202

        key_file.write(world.keys, [replace(k, revoked=True) for k in key_file.read(world.keys)])

        response = world.post(factories.placed(), headers=world.with_key())
        assert response.status_code == 401
        world.denied(response, Reason.REVOKED, published=1)

    def test_a_key_ends_in_the_worlds_time_whatever_the_deployments_is(self, world: World) -> None:
        world.door.now = factories.START - timedelta(days=900)

        response = world.post(factories.placed(), headers=world.with_key("expired"))

        world.denied(response, Reason.EXPIRED)

    def test_who_may_publish_is_asked_before_what_it_is(self, world: World) -> None:
        for body in (b"{", b"x" * 3_000_000):
            response = world.post(body, headers={"content-encoding": "gzip"})
            assert response.status_code == 401
        response = world.post(b"{", headers=world.with_key())
        assert response.status_code == 400
        assert "ratelimit" in response.headers

    def test_no_room_is_taken_for_the_body_of_who_is_not_known(self, world: World) -> None:
        admission = world.door.admission
        admission.enter(0, admission._max_bytes)

        unknown = world.post(factories.placed())
        known = world.post(factories.placed(), headers=world.with_key())

        assert (unknown.status_code, known.status_code) == (401, 503)

    def test_who_only_claims_to_sign_keeps_nobody_out_who_has_a_key(self, world: World) -> None:
        admission, event = world.door.admission, factories.placed()
        stamp = str(int(SystemClock().now().timestamp()))
        claims = {"webhook-id": "1", "webhook-timestamp": stamp, "webhook-signature": "v1,x"}
        admission.enter_unproven(admission._max_bytes // 2)

        claimed = world.post(event, headers=claims, query="?client=erp")
        known = world.post(event, headers=world.with_key())
        admission.leave_unproven(admission._max_bytes // 2)
        after = world.post(event, headers=claims, query="?client=erp")

        assert (claimed.status_code, known.status_code, after.status_code) == (503, 202, 401)
        assert admission.bytes == admission.unproven_bytes == 0


class TestScopes:
    def test_one_event_without_the_scope_is_403(self, world: World) -> None:
        for name, event in (
            ("desk", factories.placed()),
            ("shop", factories.promised()),
            ("shop", factories.placed(source="/other/shop")),
        ):
            response = world.post(event, headers=world.with_key(name))
            assert response.status_code == 403
            assert response.json()["type"] == TYPE_PREFIX + ProblemKind.FORBIDDEN
            assert event.source not in response.text
            world.denied(response, Reason.MISSING_SCOPE)
        assert world.door.metric("care_ingest_rejected_total", reason="forbidden") == 3

    def test_in_a_batch_it_is_rejected_alone(self, world: World) -> None:
        events = [factories.placed(), factories.promised(), factories.placed()]

        response = world.post(*events, headers=world.with_key(), is_batch=True)

        assert response.status_code == 207
        told = response.json()["results"]
        assert [each["status"] for each in told] == ["accepted", "rejected", "accepted"]
        assert (told[1]["reason"], told[1]["id"]) == ("forbidden", events[1].id)
        assert world.published == 2

    def test_what_no_scope_covers_is_never_published(self, tmp_path: Path, found: Provider) -> None:
        sides = st.sampled_from(["*", "care.*", "care.order.*", "care.order.placed.v1", "x"])
        sources = st.sampled_from(["*", "/shop/*", "/shop/orders", "/", "/x*"])
        scopes = st.lists(st.builds("publish:{}@{}".format, sides, sources), min_size=1, max_size=3)
        kinds = st.sampled_from([factories.placed, factories.promised])
        events = st.lists(st.tuples(kinds, st.sampled_from(["/shop/orders", "/x"])), min_size=1)
        with opened(tmp_path, found) as world:

            @settings(max_examples=60, deadline=None)
            @given(scopes, events)
            def check(given: list[str], told: list[tuple[Any, str]]) -> None:
                made, text = key("free", 9, *given, events_per_second=1e6, burst=10**7)
                key_file.write(world.keys, [made])
                before = world.published
                sent = [make(source=source) for make, source in told]

                response = world.post(*sent, headers={"x-api-key": text}, is_batch=True)

                may = [may_publish(given, event.type, event.source) for event in sent]
                answers = [each["status"] == "accepted" for each in response.json()["results"]]
                assert answers == may
                assert world.published - before == sum(may)

            check()


class TestCounting:
    def rejected(self, world: World) -> dict[tuple[str, str], float]:
        """Return rejected events by source and reason, where there are any."""
        samples = world.door.samples("care_ingest_rejected_total")
        return {(told["source"], told["reason"]): value for told, value in samples if value}

    def series(self, world: World) -> set[str]:
        lines = world.door.client.get("/metrics").text.splitlines()
        return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}

    def test_a_file_that_is_wrong_by_now_is_told_until_it_is_mended(self, world: World) -> None:
        def faults() -> dict[str, float]:
            samples = world.door.samples("care_ingest_watched_file_fault")
            return {told["file"]: value for told, value in samples}

        good = world.keys.read_text()
        assert faults() == {"api_keys": 0, "webhook_secrets": 0}

        world.keys.write_text("{")
        # The scrape itself looks: nobody has published since.
        assert faults() == {"api_keys": 1, "webhook_secrets": 0}
        assert world.post(factories.placed(), headers=world.with_key()).status_code == 202

        world.keys.write_text(good)
        assert faults() == {"api_keys": 0, "webhook_secrets": 0}

    def test_what_is_rejected_is_counted_for_its_source(self, world: World) -> None:
        again = factories.placed()
        world.post(again, headers=world.with_key())
        other = again.model_copy(update={"partitionkey": "c-another"})
        broken = again.encode().replace(b'"EUR"', b'"euro"')

        world.post(other, headers=world.with_key())
        world.post(broken, broken, headers=world.with_key(), is_batch=True)
        world.post(b"{", headers=world.with_key())
        world.post(broken, headers=world.with_key("all"))

        assert self.rejected(world) == {
            ("/shop/*", "conflict"): 1,
            ("/shop/*", "invalid"): 3,
            ("/shop/*", "not_json"): 1,
        }

    def test_nobody_spoils_the_count_of_a_source_that_is_not_its_own(self, world: World) -> None:
        event = factories.placed(source="/shop/orders")
        broken = event.encode().replace(b'"EUR"', b'"euro"')

        world.post(event, headers=world.with_key("desk"))
        world.post(broken, headers=world.with_key("desk"))
        world.post(broken)

        assert self.rejected(world) == {("other", "forbidden"): 1, ("other", "invalid"): 1}

    def test_a_flood_of_invented_sources_makes_no_series(self, world: World) -> None:
        before = self.series(world)
        for name in ("all", "shop", "desk"):
            for part in range(3):
                sources = [f"/{name}/invented-{part}-{n}" for n in range(100)]
                events = [factories.placed(source=source).encode() for source in sources]
                wrong = [event.replace(b'"EUR"', b'"euro"') for event in events]
                response = world.post(*wrong, headers=world.with_key(name), is_batch=True)
                assert response.json()["rejected"] == 100

        assert self.series(world) == before
        assert sum(self.rejected(world).values()) == 900

    def test_a_source_is_counted_by_name_where_a_setting_says_so(
        self, tmp_path: Path, found: Provider
    ) -> None:
        with opened(tmp_path, found, counted_sources="/shop/orders,/token/*") as world:
            at = SystemClock().now().timestamp()
            claims = bearer(token(SIGNING, at, scope="publish:care.order.*"))
            for source in ("/shop/orders", "/shop/carts", "/token/1", "/token/2", "/else"):
                broken = factories.placed(source=source).encode().replace(b'"EUR"', b'"euro"')
                assert world.post(broken, headers=claims).status_code == 422
            by_source = {source: n for (source, _), n in self.rejected(world).items()}
        assert by_source == {"/shop/orders": 1, "/shop/*": 1, "/token/*": 2, "other": 1}

    def test_who_is_not_let_in_is_counted_by_client_where_it_is_known(self, world: World) -> None:
        for name in ("shop", "desk"):
            world.post(factories.promised(), headers=world.with_key(name))
        for _ in range(5):
            world.post(factories.placed(), headers=world.with_key("slow"))
        world.post(factories.placed())
        for name in ("revoked", "expired"):
            text = world.texts[name]
            world.post(factories.placed(), headers=world.with_key(name))
            world.post(factories.placed(), headers={"x-api-key": text[:-4] + "AAAA"})
        world.door.client.get("/v1/events/%2Felse/x", headers=world.with_key())

        samples = world.door.samples(COUNTER)
        counted = {(told["client"], told["reason"]): n for told, n in samples if n}
        assert counted == {
            ("shop", "missing_scope"): 2,
            ("other", "missing_scope"): 1,
            ("slow", "rate_limited"): 2,
            ("other", "missing"): 1,
            ("gone", "revoked"): 1,
            ("late", "expired"): 1,
            ("other", "wrong_secret"): 2,
        }

    def test_whose_key_is_over_is_in_the_log(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world.post(factories.placed(), headers=world.with_key("expired"))

        line = capsys.readouterr().out.splitlines()[-1]
        assert "client=late" in line
        assert "denied=expired" in line

    def test_who_asks_for_a_fate_is_in_the_log(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world.door.client.get("/v1/events/%2Felse/x", headers=world.with_key())

        line = capsys.readouterr().out.splitlines()[-1]
        assert "event_looked_for" in line
        assert "client=shop" in line
        assert "denied=missing_scope" in line


class TestTokens:
    def at(self, seconds: float = 0) -> float:
        return SystemClock().now().timestamp() + seconds

    def test_a_token_publishes_what_its_scopes_cover(self, world: World) -> None:
        for claims in ({}, {"scope": None, "scp": [SCOPE]}, {"aud": ["other", AUDIENCE]}):
            response = world.post(
                factories.placed(), headers=bearer(token(SIGNING, self.at(), **claims))
            )
            assert response.status_code == 202, claims
            assert "ratelimit" in response.headers
        assert (
            world.post(factories.promised(), headers=bearer(token(SIGNING, self.at()))).status_code
            == 403
        )
        assert world.published == 3

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"exp": -61}, Reason.EXPIRED),
            ({"exp": None}, Reason.MALFORMED),
            ({"nbf": 62}, Reason.NOT_YET_VALID),
            ({"aud": "other"}, Reason.WRONG_AUDIENCE),
            ({"aud": None}, Reason.WRONG_AUDIENCE),
            ({"iss": ISSUER + "/"}, Reason.WRONG_ISSUER),
            ({"iss": None}, Reason.WRONG_ISSUER),
        ],
    )
    def test_one_that_is_not_for_here_and_now_opens_nothing(
        self, world: World, changes: dict[str, Any], reason: Reason
    ) -> None:
        for name in {"exp", "nbf"} & changes.keys():
            if changes[name] is not None:
                changes = {name: int(self.at(changes[name]))}

        response = world.post(
            factories.placed(), headers=bearer(token(SIGNING, self.at(), **changes))
        )

        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        world.denied(response, reason)

    def test_a_minute_of_another_clock_is_forgiven(self, world: World) -> None:
        early, late = {"exp": int(self.at(-50))}, {"nbf": int(self.at(50))}
        for changes in (early, late):
            text = token(SIGNING, self.at(), "RS256", **changes)
            assert world.post(factories.placed(), headers=bearer(text)).status_code == 202

    def test_the_algorithm_is_ours_to_say(self, world: World) -> None:
        stranger = signing_key("k-1")
        right = token(SIGNING, self.at())
        head, public = {"kid": "k-1", "typ": "JWT"}, SIGNING.as_pem(private=False)
        forged = [
            (resigned(right, {**head, "alg": "HS256"}, public), Reason.WRONG_ALGORITHM),
            (resigned(right, {**head, "alg": "none"}), Reason.WRONG_ALGORITHM),
            (resigned(right, {**head, "alg": "None"}), Reason.WRONG_ALGORITHM),
            (resigned(right, {**head, "alg": "RS256"}, public), Reason.WRONG_SECRET),
            (resigned(right, {**head, "alg": "RS256"}), Reason.WRONG_SECRET),
            (resigned(right, {"alg": "RS256"}), Reason.UNKNOWN),
            (token(SIGNING, self.at(), "RS512"), Reason.WRONG_ALGORITHM),
            (token(stranger, self.at()), Reason.WRONG_SECRET),
            (right[:-6] + "AAAAAA", Reason.WRONG_SECRET),
            (token(signing_key("k-7"), self.at()), Reason.UNKNOWN),
            ("a.b.c", Reason.MALFORMED),
            (right + ".x.y", Reason.MALFORMED),
        ]
        for text, reason in forged:
            response = world.post(factories.placed(), headers=bearer(text))
            assert response.status_code == 401, reason
            world.denied(response, reason)

    @settings(max_examples=100, deadline=None)
    @given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
    def test_no_token_is_an_error_of_ours(self, shared: World, text: str) -> None:
        assert shared.post(factories.placed(), headers=bearer(text)).status_code == 401

    def test_a_provider_that_is_away_stops_nobody_it_has_vouched_for(self, tmp_path: Path) -> None:
        with provider(SIGNING) as up, opened(tmp_path, up) as world:
            up.status = 503
            text = token(SIGNING, self.at())
            assert world.post(factories.placed(), headers=bearer(text)).status_code == 202

    @pytest.mark.parametrize("turn", [{"status": 500}, {"body": b"{}"}, {"body": b" " * 300_000}])
    def test_where_no_key_is_known_it_is_503_for_tokens_alone(
        self, tmp_path: Path, turn: dict[str, Any]
    ) -> None:
        with provider(SIGNING) as up:
            for name, value in turn.items():
                setattr(up, name, value)
            with opened(tmp_path, up) as world:
                response = world.post(factories.placed(), headers=bearer(token(SIGNING, self.at())))
                assert response.status_code == 503
                assert int(response.headers["retry-after"]) >= 1
                world.denied(response, Reason.ISSUER_AWAY)
                assert world.post(factories.placed(), headers=world.with_key()).status_code == 202

    def test_a_person_is_in_no_log(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        world.post(factories.placed(), headers=bearer(token(SIGNING, self.at())))
        world.post(factories.placed(), headers=world.with_key())

        told = capsys.readouterr().out
        assert "shop-backend" in told
        assert "canary-person" not in told
        assert world.texts["shop"].rpartition("_")[2] not in told


class TestWebhooks:
    def signed(
        self, event: Event[Any], at: float = 0, webhook_id: str = "msg_1", key: bytes = SECRET_KEY
    ) -> dict[str, str]:
        moment = SystemClock().now() + timedelta(seconds=at)
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(key).sign(webhook_id, moment, event.encode().decode()),
        }

    def test_a_signed_event_is_published_within_its_scope(self, world: World) -> None:
        event, other = factories.placed(), factories.promised()

        good = world.post(event, headers=self.signed(event), query="?client=erp")
        beyond = world.post(
            other, headers=self.signed(other, webhook_id="msg_2"), query="?client=erp"
        )

        assert (good.status_code, beyond.status_code) == (202, 403)
        assert "ratelimit" in good.headers
        world.denied(beyond, Reason.MISSING_SCOPE, published=1)

    def test_a_replay_is_refused_and_a_new_attempt_is_not(self, world: World) -> None:
        event = factories.placed()
        told = self.signed(event)
        assert world.post(event, headers=told, query="?client=erp").status_code == 202

        for _ in range(2):
            response = world.post(event, headers=told, query="?client=erp")
            assert response.status_code == 401
            world.denied(response, Reason.REPLAYED, published=1)

        again = self.signed(event, at=2)
        assert world.post(event, headers=again, query="?client=erp").json()["status"] == "duplicate"

    def test_one_that_came_to_nothing_may_come_again_as_it_was(self, world: World) -> None:
        event = factories.placed()
        told = self.signed(event)
        world.door.publisher.silence()
        assert world.post(event, headers=told, query="?client=erp").status_code == 503
        world.door.publisher.speak()

        assert world.post(event, headers=told, query="?client=erp").status_code == 202

    def test_what_is_not_signed_as_it_must_be_opens_nothing(self, world: World) -> None:
        event = factories.placed()
        good = self.signed(event)
        wrong = [
            (self.signed(event, key=b"x" * 32), "?client=erp", Reason.WRONG_SECRET),
            (good, "?client=nobody", Reason.WRONG_SECRET),
            (good, "", Reason.WRONG_SECRET),
            (self.signed(factories.placed()), "?client=erp", Reason.WRONG_SECRET),
            (self.signed(event, at=-310), "?client=erp", Reason.STALE),
            (self.signed(event, at=310), "?client=erp", Reason.STALE),
            (good | {"webhook-id": ""}, "?client=erp", Reason.MALFORMED),
            (good | {"webhook-timestamp": "1e3"}, "?client=erp", Reason.MALFORMED),
        ]
        for headers, query, reason in wrong:
            response = world.post(event, headers=headers, query=query)
            assert response.status_code == 401, reason
            world.denied(response, reason)


class TestRates:
    def test_a_client_that_sends_too_much_waits_whichever_key_it_has(self, world: World) -> None:
        names = ("slow", "slow-2", "slow")
        left = [
            world.post(factories.placed(), headers=world.with_key(name)).headers["ratelimit"]
            for name in names
        ]
        assert left == [f'"events";r={n};t={3 - n}' for n in (2, 1, 0)]

        response = world.post(factories.placed(), headers=world.with_key("slow-2"))
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        assert response.headers["ratelimit-policy"] == '"events";q=3;w=3'
        world.denied(response, Reason.RATE_LIMITED, published=3)
        assert world.post(factories.placed(), headers=world.with_key()).status_code == 202

        world.clock["elapsed"] += 1
        assert world.post(factories.placed(), headers=world.with_key("slow")).status_code == 202

    def test_a_batch_is_as_many_events_as_it_has(self, world: World) -> None:
        events = [factories.placed() for _ in range(10)]
        first = world.post(*events, headers=world.with_key("slow"), is_batch=True)
        second = world.post(*events, headers=world.with_key("slow"), is_batch=True)

        assert (first.status_code, second.status_code) == (202, 429)
        assert second.headers["retry-after"] == "8"

    def test_what_is_no_event_counts_as_one(self, world: World) -> None:
        statuses = [
            world.post(body, headers=world.with_key("slow")).status_code
            for body in (b"{", b"{}", b"x" * 400_000, b"{")
        ]

        assert statuses == [400, 422, 413, 429]


class TestQuestions:
    """What became of an event is told to who may publish it, and to nobody else."""

    @pytest.mark.parametrize(
        ("source", "is_known", "status", "reason"),
        [
            ("%2Fshop%2Forders", False, 401, Reason.MISSING),
            ("%2Fother%2Fshop", True, 403, Reason.MISSING_SCOPE),
        ],
    )
    def test_who_may_not_publish_it_may_not_ask(
        self, world: World, source: str, is_known: bool, status: int, reason: Reason
    ) -> None:
        headers = world.with_key() if is_known else {}
        response = world.door.client.get(f"/v1/events/{source}/e-1", headers=headers)

        assert response.status_code == status
        world.denied(response, reason)
        assert world.door.metric("care_ingest_looks_total", outcome="denied") == 1

    def test_who_may_publish_it_is_answered(self, world: World) -> None:
        response = world.door.client.get(
            "/v1/events/%2Fshop%2Forders/e-1", headers=world.with_key()
        )

        assert response.status_code not in (401, 403)
        assert world.door.metric("care_ingest_looks_total", outcome="denied") == 0


class TestOpenPaths:
    @pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/openapi.json"])
    def test_they_ask_nobody(self, world: World, path: str) -> None:
        assert world.door.client.get(path).status_code == 200

    def test_the_document_says_how_to_show_who_one_is(self, world: World) -> None:
        document = world.door.client.get("/openapi.json").json()

        schemes = document["components"]["securitySchemes"]
        told = document["paths"]["/v1/events"]["post"]["security"]
        assert [name for each in told for name in each] == list(SECURITY_SCHEMES)
        assert schemes.keys() >= SECURITY_SCHEMES.keys()

    def test_a_way_that_is_off_is_no_way(self, tmp_path: Path, found: Provider) -> None:
        event = factories.placed()
        with opened(tmp_path, found, authentication="webhooks") as world:
            for headers in (world.with_key(), bearer(token(SIGNING, NOW.timestamp()))):
                response = world.post(event, headers=headers)
                assert response.status_code == 401
                world.denied(response, Reason.MALFORMED)
        with opened(tmp_path, found, authentication="api_keys") as world:
            response = world.post(event, headers=TestWebhooks().signed(event), query="?client=erp")
            world.denied(response, Reason.MISSING)
