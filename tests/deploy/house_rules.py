"""What must hold of each rule and alert, besides what promtool checks."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client.utils import floatToGoString

from services.contracts.contacts import SurveyKind
from services.contracts.metric_names import METRICS, Metric
from services.contracts.outreach import Outcome
from services.contracts.problems import Band, Clearing
from services.ingest.documents import STATUS
from services.ingest.metering import REASONS
from services.metrics.figures.sending import CONTACT_OUTCOMES
from tests.deploy import promql
from tests.deploy.promql import Asked, Labels
from tests.deploy.rule_files import DEPLOY, Rule

RECORDED = re.compile(r"(?P<level>[a-z_]+):[a-z0-9_]+:[a-z0-9_]+")
ALERT = re.compile(r"([A-Z][a-z]+)+")
SEVERITIES = ("page", "ticket")
DASHBOARDS = ("care-outcomes", "care-pipeline", "care-outreach", "care-feeds")
ANNOTATIONS = ("summary", "description", "runbook_url", "dashboard_url")
SECTIONS = ("What it means", "Who is harmed", "First look", "What to do", "If that does not help")
JOBS = ("ingest", "churn_predictor", "outreach", "metrics")
RUNBOOKS = DEPLOY.parent / "docs" / "runbooks"

WHOLE = "care"
"""The level that promises no labels: the whole deployment, or what its page says."""

_UP = "up"
_OF_A_TARGET = frozenset({"job", "instance"})
_TRUTHS = ("false", "true")

_VALUES: Mapping[str, tuple[str, ...]] = {
    "clearing": tuple(Clearing),
    "band": tuple(Band),
    "job": JOBS,
    "reached_first": _TRUTHS,
    "held": _TRUTHS,
    "feed_silent": _TRUTHS,
    "status": tuple(str(int(status)) for status in STATUS.values()),
    "worth": ("useful", "noise"),
    "arm": ("treated", "held_out", "untold"),
    "opened_by": ("customer", "agent"),
    "state": ("waiting", "unfinished"),
    "score": tuple(str(score) for score in range(11)),
    "slo": ("decision", "contact", "reached_first"),
}
"""Label → the values that may be asked for; of others any."""

_VALUES_OF: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("care_decisions_total", "outcome"): tuple(Outcome),
    ("care_contacts_total", "outcome"): CONTACT_OUTCOMES,
    ("care_contacts_matured_total", "outcome"): (
        *("first_contact", "repeated", "reopened", "unresolved"),
    ),
    ("care_save_attempts_total", "outcome"): ("saved", "lost"),
    ("care_ingest_rejected_total", "reason"): REASONS,
    ("care_survey_answers_total", "kind"): tuple(SurveyKind),
}


def metrics() -> dict[str, Metric]:
    """Return name → metric."""
    return {metric.name: metric for metric in METRICS}


def never_taken_off(asked: list[Asked]) -> Iterator[str]:
    """Yield each metric that is asked for with labels with which what was withdrawn of it is not."""
    there = {(_base(each.name), each.matchers) for each in asked}
    for name, matchers in there:
        twin = _withdrawn(name)
        if twin in metrics() and (twin, matchers) not in there:
            yield name


class HouseRules:
    """Judges rules among the others they may read."""

    def __init__(self, rules: list[Rule], runbooks: Path = RUNBOOKS) -> None:
        self._metrics = metrics()
        self._runbooks = runbooks
        self._labels: dict[str, Labels] = {_UP: _OF_A_TARGET}
        for metric in self._metrics.values():
            self._labels |= dict(self._series_of(metric))
        for rule in rules:
            if not rule.is_alert:
                labels = promql.result_labels(rule.expr, self._labels)
                self._labels[rule.name] = labels | frozenset(rule.labels)
        self._recorded = {rule.name for rule in rules if not rule.is_alert}

    def faults(self, rule: Rule) -> list[str]:
        """Return what is wrong with a rule, in words."""
        asked = promql.selectors(rule.expr)
        unknown = [f"no metric {each.name}" for each in asked if each.name not in self._labels]
        if unknown:
            return unknown
        of_all: list[Callable[[Rule], Iterator[str]]] = [
            self._labels_exist,
            self._nothing_withdrawn,
            self._sides_meet,
        ]
        of_kind = [_is_well_told, self._has_a_page] if rule.is_alert else [self._is_well_named]
        return [fault for check in (*of_all, *of_kind) for fault in check(rule)]

    def _series_of(self, metric: Metric) -> Iterator[tuple[str, Labels]]:
        labels = frozenset(metric.labels) | _OF_A_TARGET
        for name in metric.series:
            yield name, labels | ({"le"} if name.endswith("_bucket") else frozenset())

    def _labels_exist(self, rule: Rule) -> Iterator[str]:
        asked = promql.selectors(rule.expr)
        there = {label for each in asked for label in self._labels[each.name]}
        for label in sorted(promql.grouped_by(rule.expr) - there):
            yield f"no label {label}"
        for each in asked:
            for label, value in each.matchers:
                if label not in self._labels[each.name]:
                    yield f"{each.name} has no label {label}"
                elif not self._is_there(each, label, value):
                    yield f"{each.name} has no {label} {value}"

    def _is_there(self, asked: Asked, label: str, value: str) -> bool:
        if label == "le":
            buckets = self._metrics[asked.name.removesuffix("_bucket")].buckets
            return value in {*map(_bound, buckets), "+Inf"}
        there = _VALUES_OF.get((asked.name, label), _VALUES.get(label, ()))
        alternatives = value.split("|")
        return not there or all(
            any(re.fullmatch(alternative, each) for each in there) for alternative in alternatives
        )

    def _nothing_withdrawn(self, rule: Rule) -> Iterator[str]:
        """What may be withdrawn counts only less what was of the same series, in the same expression."""
        if "absent(" not in rule.expr:
            for name in sorted(set(never_taken_off(promql.selectors(rule.expr)))):
                yield f"{name} without what was withdrawn of it"

    def _sides_meet(self, rule: Rule) -> Iterator[str]:
        for left, right in promql.unmatched(rule.expr, self._labels):
            yield f"{sorted(left)} never meets {sorted(right)}"

    def _is_well_named(self, rule: Rule) -> Iterator[str]:
        named = RECORDED.fullmatch(rule.name)
        labels = self._labels[rule.name]
        if named is None:
            yield "no name of the form level:metric:operation"
        elif named["level"] not in {"_".join(sorted(labels)), WHOLE}:
            yield f"level {named['level']}, and labels {sorted(labels)}"

    def _has_a_page(self, rule: Rule) -> Iterator[str]:
        page = self._runbooks / f"{rule.name}.md"
        if not page.exists():
            yield "no runbook"
            return
        text = page.read_text(encoding="utf-8")
        yield from (f"no section {name}" for name in SECTIONS if f"\n## {name}\n" not in text)
        if not text.startswith(f"# {rule.name}\n"):
            yield "a page of another name"
        if f"../../deploy/grafana/dashboards/{_uid(rule)}.json" not in text:
            yield "no way to its dashboard"


def _is_well_told(rule: Rule) -> Iterator[str]:
    if not ALERT.fullmatch(rule.name):
        yield "no name in CamelCase"
    if rule.labels.get("severity") not in SEVERITIES:
        yield "neither page nor ticket"
    yield from (f"no {name}" for name in ANNOTATIONS if not rule.annotations.get(name))
    if rule.annotations.get("runbook_url") != f"docs/runbooks/{rule.name}.md":
        yield "a runbook_url that is not its page's"
    if _uid(rule) not in DASHBOARDS:
        yield "no dashboard of ours"


def _uid(rule: Rule) -> str:
    return rule.annotations.get("dashboard_url", "").removeprefix("d/")


def _base(name: str) -> str:
    return next((metric.name for metric in METRICS if name in metric.series), name)


def _withdrawn(name: str) -> str:
    stem, _, unit = name.rpartition("_")
    return f"{stem}_withdrawn_{unit}"


def _bound(bucket: float) -> str:
    return str(floatToGoString(bucket))  # type: ignore[no-untyped-call]
