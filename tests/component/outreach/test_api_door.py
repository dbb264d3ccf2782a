"""Who is let in, what is too much, and what every answer carries; over a real server."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.kit import key_file
from services.kit.api_keys import Key
from services.kit.exits import Unavailable
from services.outreach.api.app import create_api
from services.outreach.api.backend import Backend
from services.outreach.api.openapi import COMMITTED
from services.outreach.api.settings import ApiSettings
from services.outreach.database import open_engine
from services.outreach.knowledge import Rules
from tests.component.outreach.caller import KEY, TEXT, Caller, calling, new_key
from tests.component.outreach.desk import NOON
from tests.factories import DAY, HOUR
from tests.unit.outreach.factories import rules

pytestmark = pytest.mark.connected

SECRET = TEXT.split("_", 2)[2]
PAUSE = {"by": "ada", "scope": "all", "because": "a test"}


@pytest.fixture(scope="module")
def knows() -> Rules:
    return rules()


@pytest.fixture(scope="module")
def door(
    database_url: str, migrated: str, knows: Rules, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Caller]:
    url = database_url[: database_url.rindex("/")] + f"/{migrated}"
    folder = tmp_path_factory.mktemp("door")
    with calling(url, folder, knows, body_timeout_seconds=0.5) as made:
        yield made


@pytest.fixture(autouse=True)
def afresh(door: Caller) -> None:
    door.keys_now = door.now = NOON
    keep(door, KEY)


def keep(caller: Caller, *keys: Key) -> None:
    key_file.write(caller.keys_file, keys)


def asked(caller: Caller, key: str | None, path: str = "/v1/playbooks") -> httpx.Response:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=caller.http.base_url, timeout=30) as http:
        return http.get(path, headers=headers)


def wrong(text: str) -> str:
    return text[:-1] + ("A" if text[-1] != "A" else "B")


def test_a_key_opens_in_either_header(door: Caller) -> None:
    assert asked(door, TEXT).status_code == 200
    assert door.http.get("/v1/playbooks").status_code == 200


def test_who_is_not_let_in_learns_nothing_but_that(door: Caller) -> None:
    revoked, revoked_text = new_key("revoked")
    ended, ended_text = new_key("ended", not_after=NOON)
    keep(door, KEY, replace(revoked, revoked=True), ended)
    presented = {
        "missing": None,
        "malformed": "care_x",
        "unknown": new_key("nobody")[1],
        "wrong_secret": wrong(TEXT),
        "revoked": revoked_text,
        "expired": ended_text,
    }
    before = {reason: door.counted("denied", reason=reason) for reason in presented}

    answers = {reason: asked(door, key) for reason, key in presented.items()}

    assert {answer.status_code for answer in answers.values()} == {401}
    said = {
        (answer.text, tuple((n, v) for n, v in answer.headers.items() if n != "date"))
        for answer in answers.values()
    }
    assert len(said) == 1
    answer = answers["missing"]
    assert answer.headers["www-authenticate"] == 'Bearer realm="care"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:care:outreach:unauthenticated"
    for reason, count in before.items():
        assert door.counted("denied", reason=reason) == count + 1


def test_a_key_does_what_its_scopes_say(door: Caller) -> None:
    looking, looks = new_key("looking", "outreach:read")
    acting, acts = new_key("acting", "outreach:act")
    both, does_both = new_key("both", "outreach:*")
    keep(door, looking, acting, both)
    before = door.counted("denied", reason="missing_scope")

    def post(key: str) -> httpx.Response:
        return door.http.post(
            "/v1/breaker/none/reject", json={"by": "a"}, headers={"x-api-key": key}
        )

    assert (asked(door, looks).status_code, post(looks).status_code) == (200, 403)
    assert (asked(door, acts).status_code, post(acts).status_code) == (403, 409)
    assert (asked(door, does_both).status_code, post(does_both).status_code) == (200, 409)
    assert post(looks).json()["detail"] == "This needs the scope outreach:act."
    assert door.counted("denied", reason="missing_scope") == before + 3


def test_keys_are_replaced_while_it_serves(door: Caller) -> None:
    new, new_text = new_key("new")
    assert asked(door, new_text).status_code == 401

    keep(door, KEY, new)
    assert (asked(door, TEXT).status_code, asked(door, new_text).status_code) == (200, 200)
    keep(door, replace(KEY, revoked=True), new)
    assert (asked(door, TEXT).status_code, asked(door, new_text).status_code) == (401, 200)


def test_a_broken_file_leaves_the_keys_in_force_and_is_told(
    door: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(door, TEXT).status_code == 200
    door.keys_file.write_text('{"keys": [{"id": "')

    assert asked(door, TEXT).status_code == 200
    assert asked(door, wrong(TEXT)).status_code == 401
    assert capsys.readouterr().out.count("api_keys_unreadable") == 1


def test_a_key_ends_while_it_serves(door: Caller) -> None:
    keep(door, replace(KEY, not_after=NOON + DAY))
    assert asked(door, TEXT).status_code == 200

    door.keys_now = NOON + DAY

    assert asked(door, TEXT).status_code == 401


def test_no_secret_is_logged_and_the_key_is_named(
    door: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(door, TEXT)
    asked(door, wrong(TEXT))
    asked(door, f"{TEXT}!", "/v1/customers/c-secretive/why")

    said = capsys.readouterr().out
    assert SECRET[:20] not in said
    assert KEY.key_id in said
    assert "operation=list_playbooks" in said
    assert "wrong_secret" in said
    # Nor whom somebody looked at: ids belong in answers.
    assert "c-secretive" not in said


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/playbooks", 200, None),
        ("GET", "/v1/openapi.json", 200, None),
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/", 404, "not-found"),
        ("GET", "/v1/playbooks/", 404, "not-found"),
        ("GET", "/v1/playbooks/nothing", 404, "not-found"),
        ("DELETE", "/v1/pauses", 405, "method-not-allowed"),
        ("GET", "/v1/problems?limit=201", 422, "invalid"),
        ("GET", "/v1/problems?stray=1", 422, "invalid"),
        ("GET", "/v1/customers/a@b/why", 422, "invalid"),
    ],
)
def test_every_answer_is_json_that_nobody_keeps(
    door: Caller, method: str, path: str, status: int, kind: str | None
) -> None:
    response = door.http.request(method, path)

    assert response.status_code == status
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "server" not in response.headers
    wanted = "application/json" if kind is None else "application/problem+json"
    assert response.headers["content-type"] == wanted
    assert kind is None or response.json()["type"] == f"urn:care:outreach:{kind}"


def test_another_method_is_told_which_there_are(door: Caller) -> None:
    assert door.http.delete("/v1/pauses").headers["allow"] == "GET, HEAD, POST"
    assert door.http.put("/v1/breaker/x/reject").headers["allow"] == "POST"


def test_head_is_answered_as_get_without_its_body(door: Caller) -> None:
    got, head = (door.http.request(m, "/v1/playbooks") for m in ("GET", "HEAD"))

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(got.content))
    assert door.http.head("/v1/nothing").status_code == 404


def test_the_document_is_open_to_everybody_and_is_the_committed_one(door: Caller) -> None:
    response = asked(door, None, "/v1/openapi.json")

    assert (response.status_code, response.content) == (200, COMMITTED.read_bytes())


@pytest.mark.parametrize(
    ("content", "headers", "status", "kind"),
    [
        (b"{", {}, 400, "not-json"),
        (b"", {}, 422, "invalid"),
        (b"[" * 9000, {}, 400, "not-json"),
        (b'{"by": "\\ud800"}', {}, 422, "invalid"),
        (b'{"by": "a\\u0000"}', {}, 422, "invalid"),
        (b'{"by": "   "}', {}, 422, "invalid"),
        (b'{"by": "ada", "contacts": true}', {}, 422, "invalid"),
        (b'{"by": "ada", "contacts": "5"}', {}, 422, "invalid"),
        (b'{"by": "ada", "contacts": 0}', {}, 422, "invalid"),
        (b'{"by": "ada", "contacts": ' + b"9" * 9000 + b"}", {}, 400, "not-json"),
        (b'{"by": "ada", "contacts": 5, "more": 1}', {}, 422, "invalid"),
        (b"{}", {"content-type": "text/plain"}, 415, "unsupported-media-type"),
        (b"{}", {"content-encoding": "gzip"}, 415, "unsupported-media-type"),
        (b" " * 20_000, {}, 413, "too-large"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_is_read_under_limits(
    door: Caller, content: bytes, headers: dict[str, str], status: int, kind: str
) -> None:
    headers = {"content-type": "application/json", **headers}
    response = door.http.post("/v1/breaker/x/approve", content=content, headers=headers)

    assert (response.status_code, response.json()["type"]) == (status, f"urn:care:outreach:{kind}")


def test_a_body_that_tells_no_length_is_limited_too(door: Caller) -> None:
    def chunks() -> Iterator[bytes]:
        yield b" " * 10_000
        yield b" " * 10_000

    response = door.http.post(
        "/v1/breaker/x/reject", content=chunks(), headers={"content-type": "application/json"}
    )

    assert response.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(door: Caller) -> None:
    with socket.create_connection(door.address, timeout=30) as line:
        line.sendall(
            b"POST /v1/breaker/x/reject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 10\r\nx-api-key: " + TEXT.encode() + b"\r\n\r\n{"
        )
        said = line.makefile("rb").readline()

    assert said.split()[1] == b"408"


def test_what_breaks_inside_is_told_without_its_words(
    door: Caller, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr("services.outreach.api.controls.playbooks", breaks)

    response = door.http.get("/v1/playbooks")

    assert response.status_code == 500
    assert response.json()["type"] == "urn:care:outreach:internal"
    assert response.headers["cache-control"] == "no-store"
    said = capsys.readouterr().out
    assert "api_broke" in said
    assert "canary" not in said + response.text


def test_requests_are_counted_by_operation_and_status(door: Caller) -> None:
    before = door.counted("requests", kind="list_playbooks", status="200")
    nowhere = door.counted("requests", kind="none", status="404")

    door.http.get("/v1/playbooks")
    door.http.get("/v1/customers/c-1/nothing")

    assert door.counted("requests", kind="list_playbooks", status="200") == before + 1
    assert door.counted("requests", kind="none", status="404") == nowhere + 1


def test_a_database_that_is_away_is_waited_for(
    knows: Rules, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with calling("postgresql://nobody:canary@127.0.0.1:1/none", tmp_path, knows) as away:
        response = away.http.get("/v1/pauses")

    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    said = capsys.readouterr().out
    assert "api_unavailable" in said
    assert "canary" not in said + response.text


def test_there_is_no_api_without_keys(knows: Rules, tmp_path: Path) -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/none")
    backend = Backend(engine, knows, lambda: NOON + HOUR)
    with pytest.raises(Unavailable, match="care keys create"):
        create_api(backend, ApiSettings(port=0, keys_file=tmp_path / "none.json"))
