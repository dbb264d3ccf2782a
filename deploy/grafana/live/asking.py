"""What is asked of Prometheus, and what it answers.  Pure."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.grafana.house_rules import panels_of


class Refused(Exception):
    """Prometheus did not answer a query; the message says why."""


class Asking(StrEnum):
    """How Grafana asks: for one instant, or for a range."""

    INSTANT = "instant"
    RANGE = "range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One query, ready to be asked."""

    where: str
    """The dashboard's uid; `rules` for recording rules."""
    title: str
    letter: str
    expr: str
    asking: Asking
    start: float
    end: float
    step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    series: int = 0
    samples: int = 0
    """Numbers; what is no number does not count."""
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """The stretch of time that is looked at, in seconds since 1970, as Grafana would look at it."""

    start: float
    end: float
    scrape_seconds: float
    most_points: int = 250

    @property
    def step(self) -> float:
        """Seconds between two points of a chart."""
        return max(self.scrape_seconds, math.ceil((self.end - self.start) / self.most_points))

    @property
    def variables(self) -> Mapping[str, str]:
        """Return what Grafana puts in place of its own variables."""
        rate = max(self.step + self.scrape_seconds, 4 * self.scrape_seconds)
        return {
            "$__rate_interval": f"{math.ceil(rate)}s",
            "$__range": f"{math.ceil(self.end - self.start)}s",
        }


def replaced(expr: str, values: Mapping[str, str]) -> str:
    """Return the expression with these variables' values; longer names first."""
    for name in sorted(values, key=len, reverse=True):
        expr = expr.replace(name, values[name])
    return expr


def questions(
    board: Mapping[str, Any], chosen: Mapping[str, str], over: Stretch
) -> Iterator[Question]:
    """Return every query of a dashboard's JSON.

    Args:
        board: The dashboard.
        chosen: Its variables (`$job`) → what is chosen.
        over: What is looked at.
    """
    for panel in panels_of(dict(board)):
        for target in panel["targets"]:
            yield Question(
                where=board["uid"],
                title=panel["title"],
                letter=target["refId"],
                expr=replaced(target["expr"], {**over.variables, **chosen}),
                asking=Asking.INSTANT if target.get("instant") else Asking.RANGE,
                start=over.start,
                end=over.end,
                step=over.step,
            )


_LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+), (?P<label>\w+)\)", flags=re.DOTALL)


def label_query(query: str) -> tuple[str, str]:
    """Return label and selector of a variable's query; raises ValueError where it is no such query."""
    match = _LABEL_VALUES.fullmatch(query)
    if match is None:
        raise ValueError(f"no label_values(selector, label): {query}")
    return match["label"], match["selector"]


def read_answer(told: Mapping[str, Any]) -> Answer:
    """Return the count of series with a number, and of numbers, in Prometheus' answer."""
    if told["resultType"] == "scalar":
        return Answer(series=1, samples=_numbers([told["result"]]))
    counts = [
        _numbers(one["values"] if "values" in one else [one["value"]]) for one in told["result"]
    ]
    return Answer(series=sum(count > 0 for count in counts), samples=sum(counts))


def _numbers(samples: list[list[Any]]) -> int:
    return sum(not math.isnan(float(json.loads(f'"{value}"'))) for _, value in samples)
