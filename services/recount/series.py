"""One series of Prometheus, and how what is exported is held against what was counted.  Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from services.contracts.metric_names import METRICS, Kind, Metric

_WITHDRAWN = "_withdrawn"
_NOT_COUNTED = frozenset({"held"})
"""Labels over which the recount sums: why a message waited is the service's own judgement."""


class Series(NamedTuple):
    """A metric and its labels; of a histogram the bucket with this upper bound in seconds."""

    metric: str
    labels: tuple[tuple[str, str], ...]
    bound: float | None = None

    def __str__(self) -> str:
        """Return it as Prometheus writes it."""
        labels = [f'{name}="{value}"' for name, value in self.labels]
        if self.bound is not None:
            bound: str = floatToGoString(self.bound)  # type: ignore[no-untyped-call]
            labels.append(f'le="{bound}"')
        return f"{self.metric}{{{','.join(labels)}}}"


def series(metric: Metric, *labels: str, bound: float | None = None) -> Series:
    """Return the series of this metric with these labels, in the contract's order."""
    values = (str(label) for label in labels)
    return Series(metric.name, tuple(zip(_labels(metric), values, strict=True)), bound)


def _labels(metric: Metric) -> list[str]:
    return [name for name in metric.labels if name not in _NOT_COUNTED]


@dataclass(frozen=True, slots=True)
class Difference:
    """A series that says something else than the topics."""

    series: Series
    exported: float
    counted: float

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.series}: exported {self.exported:g}, counted {self.counted:g}"


def exported(text: str) -> dict[Series, float]:
    """Return every counter, gauge and bucket in Prometheus' text format, less what was withdrawn."""
    by_sample = {_sample_name(metric): metric for metric in METRICS}
    found: Counter[Series] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            metric = by_sample.get(sample.name)
            if metric is not None:
                one, sign = _read(metric, sample.labels)
                found[one] += sign * sample.value  # type: ignore[assignment]
    return dict(found)


def _sample_name(metric: Metric) -> str:
    return f"{metric.name}_bucket" if metric.kind is Kind.HISTOGRAM else metric.name


def _read(metric: Metric, labels: Mapping[str, str]) -> tuple[Series, int]:
    bound = float(labels["le"]) if "le" in labels else None
    values = tuple((name, labels[name]) for name in _labels(metric))
    name = metric.name.replace(_WITHDRAWN, "")
    return Series(name, values, bound), -1 if name != metric.name else 1


def differences(
    exported_: Mapping[Series, float], counted: Mapping[Series, float], metrics: Iterable[Metric]
) -> list[Difference]:
    """Return what differs among the series of these metrics; one that is absent is 0."""
    wanted = {metric.name for metric in metrics}
    every = {one for one in (*exported_, *counted) if one.metric in wanted}
    return [
        Difference(one, exported_.get(one, 0), counted.get(one, 0))
        for one in sorted(every, key=str)
        if exported_.get(one, 0) != counted.get(one, 0)
    ]
