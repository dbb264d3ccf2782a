"""Bills of materials name what the locks name; an audit that could not ask says so."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.kubernetes.inspection.programs import PROGRAMS
from deploy.supply_chain import __main__ as commands
from deploy.supply_chain.audit import audit
from deploy.supply_chain.locks import IMAGES, all_locks, lock_of, pinned, versions
from deploy.supply_chain.sbom import Mismatch, require_same, write
from services.cli.run import SERVICES
from services.kit.exits import Unavailable
from services.local.ports import LOOPBACK, free_port

LOCK = """
# made by hand
click==8.3.3 \\
    --hash=sha256:a2bf429bb3033c89fa4936ffb35d5cb471e3719e1f3c8a7c3fff0b8314305613
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:08695f5cb7ed6e0531a20572697297273c47b8cae5a63ffc6d6ed5c201be6e44
"""
PROBE = "pip"
"""What is asked for to see whether anybody answers."""
KNOWN = {
    "id": "PYSEC-0000-1",
    "summary": "too good",
    "affected": [
        {
            "package": {"name": "click", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "8.4.0"}]}],
        }
    ],
}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "ingest.txt"
    file.write_text(LOCK, encoding="utf-8")
    return file


@contextmanager
def vulnerability_service(
    status: int, known: dict[str, Any] | None
) -> Iterator[tuple[str, list[str]]]:
    """Yield the address of an OSV API that knows one thing, and the packages it was asked for."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append(told["package"]["name"])
            self.send_response(status)
            self.end_headers()
            found = known if known and told["package"]["name"] == "click" else None
            self.wfile.write(json.dumps({"vulns": [found]} if found else {}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/v1/query", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_every_image_has_a_lock() -> None:
    assert set(IMAGES) == {*(name.replace("_", "-") for name in SERVICES), "cli"}
    assert {lock_of(name) for name in IMAGES} <= set(all_locks())
    assert len(PROGRAMS) >= len(SERVICES)


@pytest.mark.parametrize("image", [*IMAGES, "tracing"])
def test_a_bill_names_exactly_what_the_lock_names(image: str, tmp_path: Path) -> None:
    file = tmp_path / "bill.cdx.json"
    write(lock_of(image), file)
    text = file.read_text(encoding="utf-8")
    named = {(each["name"], each["version"]) for each in json.loads(text)["components"]}

    assert named == versions(lock_of(image))
    assert len(json.loads(text)["components"]) == len(pinned(lock_of(image)))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert all(each["purl"].startswith("pkg:pypi/") for each in json.loads(text)["components"])


def test_a_bill_is_the_same_each_time(lock: Path, tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        write(lock, tmp_path / name)

    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_a_bill_that_names_something_else_is_refused(lock: Path, tmp_path: Path) -> None:
    file = tmp_path / "bill.cdx.json"
    write(lock, file)
    told = json.loads(file.read_text(encoding="utf-8"))
    told["components"][0]["version"] = "8.3.2"
    file.write_text(json.dumps(told), encoding="utf-8")

    with pytest.raises(
        Mismatch, match=r"lacks click 8\.3\.3; has beside ingest\.txt: click 8\.3\.2"
    ):
        require_same(lock, file)


def test_the_validator_refuses_what_is_no_bill(lock: Path, tmp_path: Path) -> None:
    file = tmp_path / "bill.cdx.json"
    write(lock, file)
    told = json.loads(file.read_text(encoding="utf-8"))
    told["components"][0]["type"] = "spaceship"

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(told)) is not None


def test_what_is_known_is_told_with_the_locks_it_is_in(lock: Path) -> None:
    with vulnerability_service(200, KNOWN) as (address, asked):
        (found,) = audit([lock, lock_of("metrics")], address)

    assert str(found) == "click 8.3.3: PYSEC-0000-1, fixed in 8.4.0 (locks: ingest, metrics)"
    # What both locks name is asked for once.
    assert sorted(asked) == sorted(set(asked))
    assert asked[0] == PROBE
    assert {"click", "pydantic"} <= set(asked)


def test_nothing_known_is_a_clean_bill(lock: Path) -> None:
    with vulnerability_service(200, None) as (address, asked):
        assert audit([lock], address) == ()
    assert asked == [PROBE, "click"]


def test_a_service_that_nobody_reaches_is_no_clean_bill(lock: Path) -> None:
    address = f"http://{LOOPBACK}:{free_port()}/v1/query"

    with pytest.raises(Unavailable, match=r"^nothing is known: .*could not be asked.*make audit"):
        audit([lock], address)


def test_a_service_that_fails_is_no_clean_bill(lock: Path) -> None:
    with vulnerability_service(503, None) as (address, _), pytest.raises(Unavailable):
        audit([lock], address)


def test_a_package_that_cannot_be_asked_for_is_no_clean_bill(lock: Path) -> None:
    """The auditor leaves it out, as it does what PyPI answers with 404, and would say that all is well."""
    address = "https://example.com/click-8.3.3-py3-none-any.whl"
    lock.write_text(f"click @ {address} --hash=sha256:{'0' * 64}\n", encoding="utf-8")

    with (
        vulnerability_service(200, None) as (service, _),
        pytest.raises(Unavailable, match="click"),
    ):
        audit([lock], service)


def test_a_lock_without_hashes_is_not_audited(lock: Path) -> None:
    lock.write_text("click==8.3.3\n", encoding="utf-8")

    with vulnerability_service(200, None) as (address, asked), pytest.raises(Unavailable):
        audit([lock], address)
    assert asked == [PROBE]


def test_the_command_fails_where_something_is_known(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "all_locks", lambda: (lock,))
    codes = {}
    for known in (KNOWN, None):
        with vulnerability_service(200, known) as (address, _):
            done = CliRunner().invoke(commands.main, ["audit", "--service", address])
        codes[bool(known)] = done.exit_code

    assert codes == {True: 1, False: 0}
