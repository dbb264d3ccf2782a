"""`care publisher verify` against the real app: what is right passes, each thing that is wrong is seen."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import care
from services.contracts.envelope import STRUCTURED
from services.contracts.events import Fault, Unreadable, read_strictly
from services.contracts.topics import IDENTITIES, OUTSIDE, PURCHASES
from services.ingest import reading
from services.ingest.reading import Refused
from services.ingest.settings import Settings
from services.kit import api_keys, key_file
from services.publisher_kit.asking import Door
from services.publisher_kit.checks import Answer, Sending
from tests.component.ingest.relay import Misbehaving, relayed, tell
from tests.unit.kit.test_api_keys import draw

NOW = "2026-01-01T00:00Z"
ORDERS = ("--types", "care.order.approved.v1")


def verify(url: str, *words: str) -> Result:
    return CliRunner().invoke(
        care, ["publisher", "verify", "--url", url, "--now", NOW, *words], prog_name="care"
    )


def outcome(*words: str, misbehaving: Misbehaving | None = None) -> tuple[int, dict[str, Any]]:
    """The exit code and the certificate of a few types."""
    with relayed(misbehaving) as (_, _, url):
        shown = verify(url, *ORDERS, "--json", *words)
    # The app logs to the same place here.
    return shown.exit_code, json.loads(shown.stdout[shown.stdout.index("{\n") :])


def failed(certificate: dict[str, Any]) -> set[tuple[str, str]]:
    return {(f["about"], f["name"]) for f in certificate["findings"] if not f["passed"]}


def answering(status: int, **more: str) -> Misbehaving:
    """A door that answers so."""

    def answer(handler: BaseHTTPRequestHandler, _: Event, __: Callable[[], httpx.Response]) -> None:
        tell(handler, httpx.Response(status, json={}, headers=more))

    return answer


def test_the_whole_of_it_passes_and_leaves_erased_customers() -> None:
    with relayed() as (up, _, url):
        shown = verify(url)
        written = {topic: up.publisher.written(topic) for topic in OUTSIDE}

    assert shown.exit_code == 0, shown.output
    assert "PASSED" in shown.stdout
    assert "become facts" in shown.stderr
    assert all(written.values())
    customers = {record.key for records in written.values() for record in records}
    erased = [json.loads(record.value) for record in written[IDENTITIES]]
    last = {each["partitionkey"] for each in erased if ":end:" in each["id"]}
    assert {key.decode() for key in customers} == last


def test_what_is_kept_is_said_and_not_erased() -> None:
    with relayed() as (up, _, url):
        shown = verify(url, *ORDERS, "--keep")
        erased = up.publisher.written(IDENTITIES)

    assert shown.exit_code == 0
    assert "NOT erased" in shown.stdout
    assert erased == []


def test_samples_have_the_source_and_the_customer_that_are_named() -> None:
    with relayed() as (up, _, url):
        verify(url, *ORDERS, "--source", "/shop/mine", "--customer", "test-7")
        written = [json.loads(record.value) for record in up.publisher.written(PURCHASES)]

    assert {each["source"] for each in written} == {"/shop/mine"}
    assert all(each["partitionkey"].startswith("test-7") for each in written)


def test_a_door_that_takes_what_it_must_refuse_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = read_strictly

    def forgiving(event: Any) -> Any:
        data = event.get("data") if isinstance(event, dict) else None
        if isinstance(data, dict):
            data.pop("certification", None)
        return strict(event)

    monkeypatch.setattr(reading, "read_strictly", forgiving)
    code, certificate = outcome()

    assert code == 1
    assert (ORDERS[1], "a field nobody knows") in failed(certificate)


def test_a_door_that_refuses_what_is_right_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = read_strictly

    def narrow(event: Any) -> Any:
        if "shopregion" in event:
            raise Unreadable("invalid", (Fault("/shopregion", "x", "x"),))
        return strict(event)

    monkeypatch.setattr(reading, "read_strictly", narrow)
    code, certificate = outcome()

    assert code == 1
    assert failed(certificate) == {(ORDERS[1], "extension attributes")}


def test_a_door_that_names_no_place_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        reading,
        "_bounded",
        lambda faults: tuple(Fault("/elsewhere", f.code, "") for f in faults),
    )
    code, certificate = outcome()

    assert code == 1
    assert (ORDERS[1], "without data.order_id") in failed(certificate)


def test_a_clock_that_is_behind_is_hinted_at() -> None:
    with relayed() as (_, _, url):
        shown = verify(url, *ORDERS, "--now", "2026-02-01T00:00Z")

    assert shown.exit_code == 1
    assert "name its time with --now" in shown.stdout


def test_a_door_that_wants_to_be_left_alone_is_asked_again_under_the_same_id() -> None:
    seen: list[str] = []

    def busy_first(
        handler: BaseHTTPRequestHandler, _: Event, ask: Callable[[], httpx.Response]
    ) -> None:
        seen.append("asked")
        is_busy = len(seen) in (1, 2)
        busy = httpx.Response(429 if len(seen) == 1 else 503, json={}, headers={"retry-after": "0"})
        tell(handler, busy if is_busy else ask())

    code, certificate = outcome(misbehaving=busy_first)

    assert code == 0
    assert certificate["repeated"] == 2


def test_a_key_is_sent_and_a_door_that_asks_for_none_is_told(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("care_abc_canary\n")

    def asks_for_it(
        handler: BaseHTTPRequestHandler, _: Event, ask: Callable[[], httpx.Response]
    ) -> None:
        is_known = handler.headers.get("authorization") == "Bearer care_abc_canary"
        tell(handler, ask() if is_known else httpx.Response(401, json={}))

    code, certificate = outcome("--key-file", str(key), misbehaving=asks_for_it)
    open_code, without = outcome("--key", "care_abc_canary")

    assert code == 0
    assert "canary" not in json.dumps(certificate)
    assert open_code == 1
    assert failed(without) == {("key", "without a key"), ("key", "with nobody's key")}


@pytest.fixture
def held(tmp_path: Path) -> dict[str, Path]:
    """A file of keys, and files with the key of a publisher and of an operator."""
    scopes = {
        "shop": "publish:care.order.*@/shop/*",
        "operator": "publish:care.customer.erased.v1@/shop/*",
    }
    made = {
        name: api_keys.made(draw(n), name, [scope])
        for n, (name, scope) in enumerate(scopes.items())
    }
    files = {name: tmp_path / name for name in ("keys.json", *scopes)}
    key_file.write(files["keys.json"], [key for key, _ in made.values()])
    for name, (_, text) in made.items():
        files[name].write_text(text)
    return files


@pytest.mark.parametrize(
    ("more", "code", "erased", "says"),
    [
        (("--erasing-key-file", "operator"), 0, 4, "are erased"),
        (("--keep",), 0, 0, "NOT erased"),
        ((), 1, 0, "--erasing-key-file"),
    ],
)
def test_a_publisher_that_may_not_erase_is_certified_with_a_key_that_may_or_keeps_its_samples(
    held: dict[str, Path], more: tuple[str, ...], code: int, erased: int, says: str
) -> None:
    access = Settings(kafka_bootstrap_servers="127.0.0.1:1", api_keys_file=held["keys.json"])
    words = [str(held.get(word, word)) for word in more]

    with relayed(access=access) as (up, _, url):
        own = ("--key-file", str(held["shop"]), "--source", "/shop/orders")
        shown = verify(url, *ORDERS, *own, *words)
        ends = up.publisher.written(IDENTITIES)

    assert shown.exit_code == code, shown.output
    assert says in shown.stdout
    assert len(ends) == erased


def test_a_type_that_the_key_may_not_publish_is_asked_once() -> None:
    code, certificate = outcome("--key", "care_abc_x", misbehaving=answering(403))

    assert code == 1
    asked = [f["name"] for f in certificate["findings"] if f["about"] == ORDERS[1]]
    assert len(asked) == 1


def test_where_nothing_answers_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.publisher_kit.asking.ATTEMPTS", 1)
    shown = verify("http://127.0.0.1:1", *ORDERS)

    assert shown.exit_code == 1
    assert "nothing answers at the door (ConnectError)" in str(shown.exception)


def test_who_stops_it_leaves_erased_customers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, asked = Door.ask, []

    def interrupted(door: Door, sending: Sending) -> Answer:
        asked.append(sending)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return ask(door, sending)

    monkeypatch.setattr(Door, "ask", interrupted)
    with relayed() as (up, _, url):
        shown = verify(url, *ORDERS)
        erased = up.publisher.written(IDENTITIES)

    assert shown.exit_code == 130
    assert "the customers of the samples are erased" in shown.stderr
    assert len(erased) == 4


def test_the_app_refuses_by_the_reading_that_these_tests_bend() -> None:
    """The guard of the tests above: they change what the app really uses."""
    with relayed() as (_, _, url):
        answer = httpx.post(f"{url}/v1/events", content=b"{}", headers={"content-type": STRUCTURED})

    assert answer.status_code == 422
    assert Refused.__module__ == reading.__name__
