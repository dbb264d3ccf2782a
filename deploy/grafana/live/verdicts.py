"""What an answer says about a query: it shows something, may show nothing, or is broken.  Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from deploy.grafana import known_metrics
from deploy.grafana.expressions import read
from deploy.grafana.live.asking import Answer, Question
from deploy.grafana.spec import EmptyIsGood, RealTimeOnly, Silence

Recorded: TypeAlias = Mapping[str, Collection[str]]
"""Recording rule → its expressions: several rules may record under one name, with other labels."""

_NO_RULES: Recorded = {}


class Verdict(StrEnum):
    """How it went."""

    SHOWS = "shows"
    MAY_BE_EMPTY = "empty, as declared"
    NOT_MEASURED = "not measured in simulated time, as declared"
    EMPTY = "EMPTY"
    UNKNOWN_METRIC = "EMPTY, AND NOBODY EXPORTS IT"
    MEASURED_AFTER_ALL = "DECLARED AS NOT MEASURED, AND IS"
    REFUSED = "REFUSED"

    @property
    def is_fault(self) -> bool:
        """Whether somebody has to mend something."""
        return self in _FAULTS


_FAULTS = (
    Verdict.EMPTY,
    Verdict.UNKNOWN_METRIC,
    Verdict.MEASURED_AFTER_ALL,
    Verdict.REFUSED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A query, its answer and what follows."""

    question: Question
    answer: Answer
    verdict: Verdict
    why: str = ""
    """The declared reason, or the metrics that are missing."""


def judge(
    question: Question,
    answer: Answer,
    silence: Silence | None,
    exported: Collection[str],
    recorded: Recorded = _NO_RULES,
) -> Result:
    """Return what follows from an answer.

    Args:
        question: What was asked.
        answer: What came back.
        silence: What the panel declares.
        exported: Metrics that some target exports, series or not.
        recorded: Recording rules; what they are made of is asked for too.
    """
    verdict, why = _verdict(question, answer, silence, exported, recorded)
    return Result(question=question, answer=answer, verdict=verdict, why=why)


def _verdict(
    question: Question,
    answer: Answer,
    silence: Silence | None,
    exported: Collection[str],
    recorded: Recorded,
) -> tuple[Verdict, str]:
    if answer.refusal is not None:
        return Verdict.REFUSED, answer.refusal
    if answer.samples:
        if isinstance(silence, RealTimeOnly):
            return Verdict.MEASURED_AFTER_ALL, silence.reason
        return Verdict.SHOWS, ""
    if isinstance(silence, RealTimeOnly):
        return Verdict.NOT_MEASURED, silence.reason
    asked = families(question.expr, recorded)
    missing = sorted(name for name in asked if not _is_exported(name, exported))
    if missing:
        return Verdict.UNKNOWN_METRIC, ", ".join(missing)
    if isinstance(silence, EmptyIsGood):
        return Verdict.MAY_BE_EMPTY, silence.reason
    return Verdict.EMPTY, ""


def families(expr: str, recorded: Recorded = _NO_RULES) -> set[str]:
    """Return the metrics an expression asks for, through recording rules down to what is exported."""
    return {known_metrics.family(name) for one in _through(expr, recorded) for name in one.metrics}


def rules_asked(expr: str, recorded: Recorded) -> set[str]:
    """Return the recording rules an expression rests on, directly or through another."""
    return {name for one in _through(expr, recorded) for name in one.rules}


@dataclass(frozen=True, slots=True)
class _Layer:
    """What one expression asks for itself."""

    metrics: frozenset[str]
    rules: frozenset[str]


def _through(expr: str, recorded: Recorded) -> Iterator[_Layer]:
    waiting, seen = [expr], {expr}
    while waiting:
        asked = read(waiting.pop())
        rules = frozenset(asked.metrics & recorded.keys())
        yield _Layer(frozenset(asked.metrics - rules), rules)
        beneath = {one for rule in rules for one in recorded[rule]} - seen
        seen |= beneath
        waiting += sorted(beneath)


def _is_exported(name: str, exported: Collection[str]) -> bool:
    # OpenMetrics names a counter's family without its ending.
    return name in exported or name.removesuffix("_total") in exported
