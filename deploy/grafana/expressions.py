"""What an expression asks for: metrics, labels, stretches of time.  Read by the parser, not by eye."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import promql_parser as promql

_STAND_INS: Mapping[str, timedelta] = {
    "$__rate_interval": timedelta(seconds=11_111),
    "$__range": timedelta(seconds=22_222),
    "$window": timedelta(seconds=33_333),
}
"""Lengths that nobody writes, by which Grafana's variables are known again after parsing."""

_VARIABLES = {length: name for name, length in _STAND_INS.items()}
_RATES = ("rate", "irate")
_VARIABLE = re.compile(r"\$\{?\w+\}?")


class NotPromQL(ValueError):
    """The text is no expression; the message says why."""


@dataclass(slots=True)
class Asked:
    """What one expression asks for."""

    metrics: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    """In matchers, groupings and matching."""
    stretches: set[tuple[str, str]] = field(default_factory=set)
    """(function, stretch of time); the stretch is a variable's name or a duration."""


def read(expr: str) -> Asked:
    """Return what an expression with Grafana's variables asks for; raises NotPromQL."""
    try:
        tree = promql.parse(with_stand_ins(expr))
    except ValueError as error:
        raise NotPromQL(str(error)) from error
    asked = Asked()
    for node in _nodes(tree):
        _note(node, asked)
    return asked


def with_stand_ins(expr: str) -> str:
    """Return the expression with a length for each variable of Grafana's that is one."""
    for name, length in sorted(_STAND_INS.items(), key=lambda item: -len(item[0])):
        expr = expr.replace(name, f"{int(length.total_seconds())}s")
    return _VARIABLE.sub("any", expr)


def _nodes(tree: promql.Expr) -> Iterator[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(tree, found.append)
    return iter(found)


def _note(node: promql.Expr, asked: Asked) -> None:
    match node:
        case promql.VectorSelector():
            if node.name:
                asked.metrics.add(node.name)
            asked.labels |= {matcher.name for matcher in node.matchers.matchers}
        case promql.AggregateExpr() if node.modifier is not None:
            asked.labels |= set(node.modifier.labels)
        case promql.BinaryExpr() if (
            node.modifier is not None and node.modifier.matching is not None
        ):
            asked.labels |= set(node.modifier.matching.labels)
        case promql.Call():
            asked.stretches |= {
                (node.func.name, _shown(argument.range))
                for argument in node.args
                if isinstance(argument, promql.MatrixSelector | promql.SubqueryExpr)
                and argument.range is not None
            }


def _shown(length: timedelta) -> str:
    return _VARIABLES.get(length) or promql.display_duration(length)


def wrong_stretches(asked: Asked) -> list[str]:
    """Return what should follow the viewer's zoom and does not, in words."""
    return [
        f"{function}(…[{stretch}])"
        for function, stretch in sorted(asked.stretches)
        if (stretch != "$__rate_interval" if function in _RATES else stretch not in _STAND_INS)
    ]
