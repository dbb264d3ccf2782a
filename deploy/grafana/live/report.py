"""The check's report: for people, a line for each query; for programs, JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from deploy.grafana.live.verdicts import Result, Verdict


def lines(results: Sequence[Result]) -> Iterator[str]:
    """Return a line for each query, by dashboard, with its expression below where it is at fault."""
    for where, found in groupby(results, key=lambda result: result.question.where):
        yield ""
        yield where
        for result in found:
            yield from _lines(result)
    yield ""
    counts = Counter(result.verdict for result in results)
    for verdict in Verdict:
        if counts[verdict]:
            yield f"{counts[verdict]:>5}  {verdict}"


def _lines(result: Result) -> Iterator[str]:
    question, answer = result.question, result.answer
    mark = "✗" if result.verdict.is_fault else "✓"
    yield (
        f"  {mark} {question.title} [{question.letter}]: "
        f"{answer.series} series, {answer.samples} samples; {result.verdict}"
        + (f" ({result.why})" if result.why else "")
    )
    yield f"      {question.expr}"


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Return the same as JSON."""
    return {
        "ok": not any(result.verdict.is_fault for result in results),
        "counts": dict(Counter(str(result.verdict) for result in results)),
        "queries": [
            {
                "dashboard": result.question.where,
                "panel": result.question.title,
                "query": result.question.letter,
                "expr": result.question.expr,
                "asked": str(result.question.asking),
                "series": result.answer.series,
                "samples": result.answer.samples,
                "verdict": str(result.verdict),
                "is_fault": result.verdict.is_fault,
                "why": result.why,
            }
            for result in results
        ],
    }
