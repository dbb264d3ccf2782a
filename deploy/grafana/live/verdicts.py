"""What an answer says about a query: it shows something, may show nothing, or is broken.  Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from deploy.grafana import known_metrics
from deploy.grafana.expressions import read
from deploy.grafana.live.asking import Answer, Question
from deploy.grafana.spec import EmptyIsGood, RealTimeOnly, Silence


class Verdict(StrEnum):
    """How it went."""

    SHOWS = "shows"
    MAY_BE_EMPTY = "empty, as declared"
    NOT_MEASURED = "not measured in simulated time, as declared"
    NOT_THERE_YET = "not exported yet"
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
    question: Question, answer: Answer, silence: Silence | None, exported: Collection[str]
) -> Result:
    """Return what follows from an answer.

    Args:
        question: What was asked.
        answer: What came back.
        silence: What the panel declares.
        exported: Metrics that some target exports, series or not.
    """
    verdict, why = _verdict(question, answer, silence, exported)
    return Result(question=question, answer=answer, verdict=verdict, why=why)


def _verdict(
    question: Question, answer: Answer, silence: Silence | None, exported: Collection[str]
) -> tuple[Verdict, str]:
    if answer.refusal is not None:
        return Verdict.REFUSED, answer.refusal
    if answer.samples:
        if isinstance(silence, RealTimeOnly):
            return Verdict.MEASURED_AFTER_ALL, silence.reason
        return Verdict.SHOWS, ""
    awaited = not_there_yet(question.expr)
    if awaited:
        return Verdict.NOT_THERE_YET, ", ".join(awaited)
    if isinstance(silence, RealTimeOnly):
        return Verdict.NOT_MEASURED, silence.reason
    missing = sorted(name for name in families(question.expr) if not _is_exported(name, exported))
    if missing:
        return Verdict.UNKNOWN_METRIC, ", ".join(missing)
    if isinstance(silence, EmptyIsGood):
        return Verdict.MAY_BE_EMPTY, silence.reason
    return Verdict.EMPTY, ""


def families(expr: str) -> set[str]:
    """Return the metrics an expression asks for."""
    return {known_metrics.family(name) for name in read(expr).metrics}


def not_there_yet(expr: str) -> list[str]:
    """Return those of its metrics that are agreed on and not exported, or not with its labels."""
    asked = read(expr)
    return sorted(
        name for name in families(expr) if not known_metrics.is_there(name, frozenset(asked.labels))
    )


def _is_exported(name: str, exported: Collection[str]) -> bool:
    # OpenMetrics names a counter's family without its ending.
    return name in exported or name.removesuffix("_total") in exported
