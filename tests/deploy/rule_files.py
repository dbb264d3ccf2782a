"""What lies under deploy/prometheus, as values: rules, alerts, and what promtool's tests ask of them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import promql_parser
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
SUITES = tuple(sorted((PROMETHEUS / "tests").glob("*.yml")))


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording rule, or an alert."""

    name: str
    expr: str
    is_alert: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class Story(StrEnum):
    """What a test has shown of an alert."""

    FIRES = "fires"
    SILENT = "silent"
    """In a test of its own in which it never fires."""
    CLEARS = "clears"
    """It fired before, in the same test."""


def read(path: Path) -> Any:
    """Return what a YAML file holds."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rule_files() -> list[Path]:
    """Return the files of recording rules and of alerts."""
    return [*sorted(PROMETHEUS.glob("rules/*.yml")), *sorted(PROMETHEUS.glob("alerts/*.yml"))]


def rules() -> list[Rule]:
    """Return every recording rule and alert, in the order of their files."""
    return [
        _rule(found)
        for path in rule_files()
        for group in read(path)["groups"]
        for found in group["rules"]
    ]


def _rule(found: Mapping[str, Any]) -> Rule:
    return Rule(
        name=found.get("record") or found["alert"],
        expr=str(found["expr"]),
        is_alert="alert" in found,
        labels=found.get("labels", {}),
        annotations=found.get("annotations", {}),
    )


def stories(suite: Any) -> Mapping[str, set[Story]]:
    """Return alert → what the tests of a suite show of it."""
    shown: dict[str, set[Story]] = defaultdict(set)
    for test in suite["tests"]:
        asked: dict[str, list[tuple[timedelta, bool]]] = defaultdict(list)
        for question in test.get("alert_rule_test", ()):
            at = promql_parser.parse_duration(question["eval_time"])
            asked[question["alertname"]].append((at, bool(question.get("exp_alerts"))))
        for alert, answers in asked.items():
            shown[alert] |= set(_stories([fires for _, fires in sorted(answers)]))
    return shown


def _stories(fires_in_turn: list[bool]) -> Iterator[Story]:
    if not any(fires_in_turn):
        yield Story.SILENT
        return
    yield Story.FIRES
    if not fires_in_turn[-1]:
        yield Story.CLEARS


def all_stories() -> Mapping[str, set[Story]]:
    """Return alert → what all suites show of it."""
    shown: dict[str, set[Story]] = defaultdict(set)
    for path in SUITES:
        for alert, found in stories(read(path)).items():
            shown[alert] |= found
    return shown


def expressions_asked() -> list[str]:
    """Return the expressions whose values the suites know."""
    return [
        question["expr"]
        for path in SUITES
        for test in read(path)["tests"]
        for question in test.get("promql_expr_test", ())
    ]
