"""The Prometheus of the check: found or asked for, told what to do, asked and understood."""

import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.grafana.live import prometheus
from deploy.grafana.live.asking import Answer, Asking, Question, Stretch
from deploy.grafana.live.inspection import inspect
from deploy.grafana.live.prometheus import Prometheus
from deploy.grafana.live.verdicts import Verdict
from services.kit.exits import Unavailable

TARGETS = {"ingest": "http://127.0.0.1:8001", "metrics": "http://127.0.0.1:8002"}
RULES = """
groups:
  - name: slow
    interval: 5m
    rules:
      - record: care:events:rate5m
        expr: sum(rate(care_events_total[5m]))
"""


def question(asking: Asking) -> Question:
    return Question(
        where="care-feeds", title="Events", letter="A", expr="up", asking=asking,
        start=10, end=20, step=2,
    )  # fmt: skip


def program(folder: Path) -> Path:
    path = folder / "prometheus"
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def answering(told: dict[str, Any], asked: list[httpx.Request] | None = None) -> Prometheus:
    """Prometheus' API with these answers by path; what is not there is refused."""

    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        path = request.url.path.removeprefix("/api/v1/")
        if path in told:
            return httpx.Response(200, json={"status": "success", "data": told[path]})
        return httpx.Response(400, json={"status": "error", "error": f"no {path} here"})

    return Prometheus("http://prometheus.test", httpx.MockTransport(answer))


def test_a_named_program_is_taken(tmp_path: Path) -> None:
    assert prometheus.found({prometheus.VARIABLE: str(program(tmp_path))}).name == "prometheus"


def test_one_on_the_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    there = program(tmp_path)

    assert prometheus.found({prometheus.VARIABLE: ""}) == there.resolve()


@pytest.mark.parametrize("named", ["", "/nowhere/prometheus"])
def test_without_one_the_message_says_how_to_get_it(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unavailable, match=r"apt install prometheus.*set PROMETHEUS"):
        prometheus.found({prometheus.VARIABLE: named})


def test_every_service_is_a_job_scraped_each_second() -> None:
    told = prometheus.configuration(TARGETS, [Path("rules/care.yml")])

    assert told["global"]["scrape_interval"] == "1s"
    assert told["scrape_configs"] == [
        {"job_name": "ingest", "static_configs": [{"targets": ["127.0.0.1:8001"]}]},
        {"job_name": "metrics", "static_configs": [{"targets": ["127.0.0.1:8002"]}]},
    ]
    assert told["rule_files"] == [str(Path("rules/care.yml").resolve())]


def test_rules_are_looked_at_as_often_as_everything_else() -> None:
    (group,) = yaml.safe_load(prometheus.hurried(RULES))["groups"]

    assert "interval" not in group
    assert group["rules"] == yaml.safe_load(RULES)["groups"][0]["rules"]


def test_a_range_is_asked_with_its_steps_and_an_instant_at_its_end() -> None:
    asked: list[httpx.Request] = []
    empty = {"resultType": "vector", "result": []}
    server = answering({"query": empty, "query_range": empty}, asked)

    assert server.ask(question(Asking.INSTANT)) == Answer()
    assert server.ask(question(Asking.RANGE)) == Answer()

    instant, ranged = (dict(request.url.params) for request in asked)
    assert instant == {"query": "up", "time": "20"}
    assert ranged == {"query": "up", "start": "10", "end": "20", "step": "2"}


def test_a_refused_query_tells_why() -> None:
    assert answering({}).ask(question(Asking.INSTANT)) == Answer(refusal="no query here")


def test_seen_until_is_when_the_last_to_be_looked_at_was() -> None:
    rule = {
        "name": "care:a:b",
        "query": "a",
        "lastEvaluation": "2026-03-01T10:00:07.123456789+01:00",
    }
    server = answering(
        {
            "targets": {
                "activeTargets": [
                    {"health": "up", "lastScrape": "2026-03-01T09:00:09.5Z"},
                    {"health": "up", "lastScrape": "2026-03-01T10:00:08.123456789+01:00"},
                ]
            },
            "rules": {"groups": [{"rules": [rule]}]},
        }
    )

    assert server.seen_until() == datetime(2026, 3, 1, 9, 0, 7, tzinfo=UTC)


def test_a_target_that_does_not_answer_was_never_scraped() -> None:
    target = {"health": "down", "lastScrape": "2026-03-01T09:00:09.5Z"}
    server = answering({"targets": {"activeTargets": [target]}, "rules": {"groups": []}})

    assert server.seen_until().year == 1


def test_a_program_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    broken = program(tmp_path)
    broken.write_text("#!/bin/sh\necho no such flag\nexit 2\n")

    with (
        pytest.raises(Unavailable, match="does not start: no such flag"),
        prometheus.running(broken, tmp_path / "work", TARGETS, []),
    ):
        pass


def test_a_recording_rule_is_judged_by_what_it_recorded() -> None:
    asked: list[httpx.Request] = []
    good = {"name": "care:a:b", "query": "care_events_total", "labels": {"of": "x"}}
    broken = {"name": "care:c:d", "query": "care_events_total", "lastError": "many-to-many"}
    server = answering(
        {
            "metadata": {"care_events": []},
            "rules": {"groups": [{"rules": [good, broken]}]},
            "query_range": {"resultType": "matrix", "result": []},
        },
        asked,
    )

    empty, refused = inspect(server, Path("/nowhere"), Stretch(start=0, end=60, scrape_seconds=1))

    assert [empty.verdict, refused.verdict] == [Verdict.EMPTY, Verdict.REFUSED]
    assert refused.why == "many-to-many"
    assert dict(asked[-1].url.params)["query"] == 'care:a:b{of="x"}'
