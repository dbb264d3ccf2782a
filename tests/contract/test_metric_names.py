"""Names after Prometheus' rules, and labels whose values are few."""

import re
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from pkgutil import iter_modules

import pytest

from services import contracts
from services.contracts import metric_names
from services.contracts.metric_names import METRICS, Kind, Metric

DOCS = Path(__file__).parents[2] / "docs"
NAME = re.compile(r"care_[a-z]+(_[a-z]+)*")
UNITS = ("seconds", "bytes", "records", "ratio", "info")
THINGS_COUNTED = (
    "open",
    "customers",
    "feeds",
    "keys",
    "partitions",
    "steps",
    "connections",
    "offsets",
    "active",
    "by_rhythm",
    "first_response",
    "sends",
    "playbooks",
)
"""Gauges that count things, whose name is the thing."""
INDICES = ("drift", "balance")
"""Gauges whose number has no unit, and is no share either."""
STATES = ("fault", "silent")
"""Gauges that are 1 while something is so."""

LABELS = {
    *("topic", "type", "outcome", "reason", "status", "service"),
    *("kind", "tier", "clearing", "playbook", "channel", "reached_first", "feed"),
    *("name", "version", "digest", "point", "band", "feature"),
    *("opened_by", "cause", "hours", "origin", "score"),
    *("held", "publisher", "carrier", "stage", "state", "pool"),
    *("window", "recency", "frequency", "arm", "worth", "feed_silent"),
    *("adapter", "source", "client", "file"),
}
"""Every label there may be: each has few values, and none names a customer or an event."""


def faults(metric: Metric) -> list[str]:
    """Return what is wrong with a metric, in words."""
    is_counter = metric.kind is Kind.COUNTER
    broken = {
        "name": not NAME.fullmatch(metric.name),
        "counters, and they alone, end in _total": is_counter != metric.name.endswith("_total"),
        "no base unit": not is_counter
        and not metric.name.endswith((*UNITS, *THINGS_COUNTED, *INDICES, *STATES)),
        "suffix that Prometheus adds": metric.name.endswith(("_bucket", "_count", "_sum")),
        "milliseconds": "milli" in metric.name or metric.name.endswith("_ms"),
        "label": not set(metric.labels) <= LABELS,
        "help": not metric.help.endswith("."),
        "buckets": bool(metric.buckets) != (metric.kind is Kind.HISTOGRAM),
        "buckets do not rise": any(low >= high for low, high in pairwise(metric.buckets)),
    }
    return [rule for rule, is_broken in broken.items() if is_broken]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_keeps_the_rules(metric: Metric) -> None:
    assert faults(metric) == []


@pytest.mark.parametrize(
    ("base", "changes", "rule"),
    [
        (metric_names.EVENTS, {"name": "care_events"}, "counters, and they alone, end in _total"),
        (metric_names.PROBLEMS_OPEN, {"name": "care_problems_open_total"}, "no base unit"),
        (metric_names.EVENTS, {"name": "care_Events_total"}, "name"),
        (metric_names.EVENTS, {"name": "events_total"}, "name"),
        (metric_names.LAG_SECONDS, {"name": "care_lag"}, "no base unit"),
        (metric_names.LAG_SECONDS, {"name": "care_lag_ms"}, "milliseconds"),
        (metric_names.LAG_SECONDS, {"name": "care_lag_count"}, "suffix that Prometheus adds"),
        (metric_names.EVENTS, {"labels": ("customer",)}, "label"),
        (metric_names.EVENTS, {"labels": ("event_id",)}, "label"),
        (metric_names.EVENTS, {"help": "Records"}, "help"),
        (metric_names.EVENTS, {"buckets": (1.0,)}, "buckets"),
        (metric_names.LEAD_TIME, {"buckets": ()}, "buckets"),
        (metric_names.LEAD_TIME, {"buckets": (2.0, 1.0)}, "buckets do not rise"),
    ],
    ids=str,
)
def test_a_metric_that_breaks_a_rule_is_found(
    base: Metric, changes: dict[str, object], rule: str
) -> None:
    assert rule in faults(replace(base, **changes))  # type: ignore[arg-type]


def test_names_are_unique() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_every_figure_of_the_metrics_service_is_defined_on_a_page() -> None:
    pages = ("kpis.md", "kpis-customers.md", "pipeline-health.md")
    told = "".join((DOCS / page).read_text(encoding="utf-8") for page in pages)
    figures = [each.name for each in METRICS[METRICS.index(metric_names.EVENTS) :]]

    # Of what is withdrawn the pages say once how it is read.
    assert [n for n in figures if "_withdrawn" not in n and not _is_named(n, told)] == []


def _is_named(name: str, text: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


def test_the_registry_holds_every_metric_of_the_contracts() -> None:
    modules = [
        import_module(f"services.contracts.{module.name}")
        for module in iter_modules(contracts.__path__)
        if module.name != "__main__"
    ]
    values = (value for module in modules for value in vars(module).values())
    named = {value for value in values if isinstance(value, Metric)}

    assert named == set(METRICS)
