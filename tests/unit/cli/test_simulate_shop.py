"""`care simulate-shop` into a file: lines others can read, the truth beside them, and what is no use."""

import json
import socket
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli import simulate_shop as command
from services.cli.__main__ import care
from services.contracts.events import read_strictly
from services.demo.barriers import NoEcho
from services.demo.elsewhere import Deployment, Observed
from services.kit.exits import Unavailable
from services.shop.presets import PRESETS
from services.shop.shop import open_shop

SMALL = ("--customers", "40", "--days", "12")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "CARE_PARTITIONS", "CARE_TOPIC_PREFIX"):
        monkeypatch.delenv(name, raising=False)


def run(*words: str) -> Result:
    return CliRunner().invoke(care, ["simulate-shop", *words], prog_name="care")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_help_shows_examples_of_both_ways() -> None:
    shown = run("--help")

    assert shown.exit_code == 0
    assert "care simulate-shop --out" in shown.output
    assert "care simulate-shop --ingest" in shown.output


def test_every_event_is_a_line_with_its_moment_of_sending(tmp_path: Path) -> None:
    out = tmp_path / "shop.jsonl"
    shown = run(*SMALL, "--seed", "3", "--out", str(out), "--json")

    told = lines(out.read_text())
    parameters = replace(PRESETS["demo"], customers=40, days=12)
    batch = open_shop(parameters, 3).advance(parameters.end, [])
    assert [line["event"] for line in told] == [json.loads(p.body) for p in batch.publications]
    assert [datetime.fromisoformat(line["sent_at"]) for line in told] == [
        p.at for p in batch.publications
    ]
    for line in told:
        if not line["to_be_refused"]:
            read_strictly(line["event"])
    summary = json.loads(shown.stdout)
    assert summary["events"] == len(told) > 300
    assert summary["to_be_refused"] == sum(line["to_be_refused"] for line in told) > 0


def test_the_step_changes_nothing_in_the_file() -> None:
    small = ("--customers", "15", "--days", "9", "--out", "-")

    assert run(*small).stdout == run(*small, "--step", "12h").stdout


def test_events_on_stdout_are_alone_there() -> None:
    shown = run("--customers", "5", "--days", "2", "--out", "-")

    assert shown.exit_code == 0
    assert {"sent_at", "to_be_refused", "event"} == {
        name for x in lines(shown.stdout) for name in x
    }
    assert f"events          {len(lines(shown.stdout))}" in shown.stderr


def test_the_truth_is_told_of_intentions_and_in_the_end_of_everybody(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    shown = run(*SMALL, "--out", str(tmp_path / "x"), "--truth", str(truth), "--json")

    told = lines(truth.read_text())
    intentions = [x for x in told if x["kind"] == "intention"]
    summary = json.loads(shown.stdout)
    assert [x["kind"] for x in told[-40:]] == ["customer"] * 40
    assert len(told) == len(intentions) + 40
    assert len(intentions) == summary["intentions"] > 40
    assert sum(x["happened"] for x in intentions) == summary["carried_out"] > 0
    assert all(x["happened"] == (x["draw"] < x["chance_without"]) for x in intentions)


def test_the_true_effect_can_be_set(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    run(*SMALL, "--true-effect", "0", "--out", str(tmp_path / "x"), "--truth", str(truth))

    late = [x for x in lines(truth.read_text()) if x["kind"] == "intention" and x["days_late"] != 0]
    assert late
    assert all(x["chance_with"] == x["chance_without"] for x in late)


def test_a_planned_outage_holds_a_carriers_events(tmp_path: Path) -> None:
    out = tmp_path / "shop.jsonl"
    run(*SMALL, "--outage", "swift-parcel:96:48", "--outage", "old-post:1:1", "--out", str(out))

    start = PRESETS["demo"].start
    begins, ends = (start + timedelta(hours=h) for h in (96, 144))
    sent = [
        datetime.fromisoformat(line["sent_at"])
        for line in lines(out.read_text())
        if line["event"].get("source") == "/carriers/swift-parcel" and not line["to_be_refused"]
    ]
    assert not [at for at in sent if begins <= at < ends]
    assert len([at for at in sent if ends <= at < ends + timedelta(minutes=10)]) > 3


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("", "either --out FILE or --ingest URL"),
        ("--out - --ingest http://x", "either --out FILE or --ingest URL"),
        ("--out - --mail h:25", "--mail goes with --ingest"),
        ("--ingest http://x", "--ingest needs --mail"),
        ("--ingest http://x --mail h:25", "KAFKA_BOOTSTRAP_SERVERS"),
        ("--ingest http://x --mail h", "write HOST:PORT"),
        ("--ingest http://x --mail h:70000", "write HOST:PORT"),
        ("--out - --outage swift-parcel:5", "write CARRIER:START_HOUR:HOURS"),
        ("--out - --outage swift-parcel:5:0", "write CARRIER:START_HOUR:HOURS"),
        ("--out - --outage snail-mail:5:1", "no carrier 'snail-mail': green-mile, old-post"),
        ("--out - --customers 1000001", "1000001"),
        ("--out - --true-effect 1.5", "1.5"),
        ("--out /no/such/folder/x", "/no/such/folder/x"),
    ],
)
def test_wrong_usage_ends_with_two_and_a_hint(words: str, hint: str) -> None:
    shown = run(*words.split())

    assert shown.exit_code == 2
    assert hint in " ".join(shown.stderr.split())
    assert shown.stdout == ""


INGEST = ("--ingest", "http://127.0.0.1:9/", "--mail", "127.0.0.1:2525", "--bootstrap", "b:1")


def test_a_deployment_is_played_in_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Deployment] = []

    def play_into(deployment: Deployment, world: Observed, step: timedelta) -> int:
        asked.append(deployment)
        world.advance(world.start + step, [])
        return 7

    monkeypatch.setattr(command, "play_into", play_into)
    monkeypatch.setenv("CARE_PARTITIONS", "4")
    shown = run(*INGEST, "--prefix", "x-", "--customers", "5", "--json")

    (deployment,) = asked
    assert (deployment.ingest, deployment.mail) == ("http://127.0.0.1:9", ("127.0.0.1", 2525))
    assert (deployment.bootstrap, deployment.prefix) == ("b:1", "x-")
    assert deployment.partitions == 4
    assert json.loads(shown.stdout)["ticks"] == 7


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [(NoEcho("no echo of b-1"), 1, "no echo of b-1"), (KeyboardInterrupt(), 130, "stopped")],
)
def test_what_ends_it_early_is_one_line(
    error: BaseException, code: int, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play_into(*_: object) -> int:
        raise error

    monkeypatch.setattr(command, "play_into", play_into)
    shown = run(*INGEST)

    assert (shown.exit_code, shown.stderr.splitlines()[-1]) == (code, hint)


def test_where_no_broker_answers_it_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    shown = run(*INGEST[:-1], f"127.0.0.1:{port}")

    assert isinstance(shown.exception, Unavailable)
    assert "Kafka does not answer" in str(shown.exception)
