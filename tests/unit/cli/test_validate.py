"""`care validate` and `care publisher check` as a person meets them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import care
from services.contracts.events import FACTS, FROM_OUTSIDE
from tests.factories import placed

NOW = ("--now", "2026-01-01T01:00Z")
GOOD = placed("o-1").encode().decode()


def run(*words: str, given: str = "") -> Result:
    return CliRunner().invoke(care, words, input=given, prog_name="care")


@pytest.mark.parametrize("name", sorted(FACTS))
def test_every_type_has_an_example_and_a_schema_to_print(name: str) -> None:
    shown = run("validate", "--example", name)

    assert json.loads(shown.output)["type"] == name
    assert json.loads(run("validate", "--schema", name).output)["title"] == name
    if name in FROM_OUTSIDE:
        assert run("validate", "-", "--now", "2026-12-01T00:00Z", given=shown.output).exit_code == 0


def test_the_types_that_may_be_sent_are_listed() -> None:
    lines = run("validate", "--types").output.splitlines()

    assert {line.split()[0] for line in lines} == FROM_OUTSIDE


def test_faults_are_told_with_file_line_pointer_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    wrong = json.dumps(json.loads(GOOD) | {"time": "2026-01-01T00:00:00"})
    file.write_text(f"{GOOD}\n\n{wrong}\n")

    shown = run("validate", str(file), *NOW)

    assert shown.exit_code == 1
    assert f"{file}:3: /time: Input should have timezone info; write it as" in shown.output
    assert shown.output.endswith("2 events, 1 would be refused\n")


def test_json_tells_the_same_and_a_type_that_was_meant() -> None:
    wrong = GOOD.replace("care.order.placed.v1", "care.order.place.v1")

    shown = run("validate", "-", *NOW, "--json", given=f"[{GOOD},\n{wrong}]")
    told = json.loads(shown.output)

    assert (shown.exit_code, told["events"], told["refused"]) == (1, 2, 1)
    (fault,) = told["faults"]
    assert (fault["line"], fault["index"], fault["pointer"]) == (2, 1, "/type")
    assert fault["advice"] == "did you mean care.order.placed.v1?"


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (("validate", "-"), ""),
        (("validate",), ""),
        (("validate", "-", "--now", "2026-01-01T00:00"), GOOD),
        (("validate", "--example", "care.lost.v1"), ""),
        (("publisher", "check", "-"), "\n"),
        (("publisher", "check", "-", "--types", "care.lost.*"), GOOD),
        (("publisher", "verify"), ""),
        (("publisher", "verify", "--url", "nowhere"), ""),
        (("publisher", "verify", "--url", "http://127.0.0.1:1", "--types", "care.lost.v1"), ""),
        (("publisher", "verify", "--url", "http://127.0.0.1:1", "--customer", "a b"), ""),
        (("publisher", "verify", "--url", "http://127.0.0.1:1", "--customer", "c" * 49), ""),
    ],
)
def test_wrong_usage_is_told_in_one_line(words: tuple[str, ...], given: str) -> None:
    shown = run(*words, given=given)

    assert shown.exit_code == 2
    assert "Traceback" not in shown.output


def test_a_publisher_is_told_what_is_wrong_and_what_each_source_says() -> None:
    other = placed("o-1", event_id="another").encode().decode()

    shown = run("publisher", "check", "-", *NOW, given=f"{GOOD}\n{GOOD}\n{other}\n")
    told = json.loads(run("publisher", "check", "-", *NOW, "--json", given=GOOD).output)

    assert shown.exit_code == 1
    assert "<stdin>:3: new_id: the same fact was told before under another id" in shown.output
    assert "/shop/orders: 2 events and 1 repeat," in shown.output
    assert told["found"] == []
    assert told["sources"]["/shop/orders"]["types"] == {"care.order.placed.v1": 1}
