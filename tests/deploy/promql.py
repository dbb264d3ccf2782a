"""What an expression asks for, and which labels its result has."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser as p

Labels = frozenset[str]
NO_LABELS: Labels = frozenset()

_OF_SETS = ("and", "or", "unless")
_NUMBERS = ("scalar", "time")
_WITHOUT_LABELS = ("absent", "vector")


@dataclass(frozen=True, slots=True)
class Asked:
    """One selector: a metric, and the labels that pick among its series."""

    name: str
    matchers: tuple[tuple[str, str], ...]
    """Label and value, or regular expression."""


def selectors(expr: str) -> list[Asked]:
    """Return every selector of an expression; ValueError where it cannot be parsed."""
    return [
        Asked(node.name or "", tuple((m.name, m.value) for m in node.matchers.matchers))
        for node in _nodes(p.parse(expr))
        if isinstance(node, p.VectorSelector)
    ]


def grouped_by(expr: str) -> set[str]:
    """Return every label that an aggregation keeps or a binary operation matches on."""
    found: set[str] = set()
    for node in _nodes(p.parse(expr)):
        match node:
            case p.AggregateExpr(modifier=p.AggModifier(labels=labels)):
                found |= set(labels)
            case p.BinaryExpr(modifier=p.BinModifier(matching=p.LabelModifier(labels=labels))):
                found |= set(labels)
    return found


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in _children(node):
        yield from _nodes(child)


def _children(node: Any) -> Iterable[Any]:
    match node:
        case p.BinaryExpr():
            return (node.lhs, node.rhs)
        case p.Call():
            return tuple(node.args)
        case p.MatrixSelector():
            return (node.vector_selector,)
        case p.AggregateExpr() | p.ParenExpr() | p.UnaryExpr() | p.SubqueryExpr():
            return (node.expr,)
    return ()


def unmatched(expr: str, known: Mapping[str, Labels]) -> list[tuple[Labels, Labels]]:
    """Return the labels of both sides of each calculation whose sides can never meet.

    Without `on` or `ignoring` only series with all labels alike do; then the answer is silently empty.
    """
    found = []
    for node in _nodes(p.parse(expr)):
        if isinstance(node, p.BinaryExpr) and (
            node.modifier is None or node.modifier.matching is None
        ):
            left, right = _labels(node.lhs, known), _labels(node.rhs, known)
            if None not in (left, right) and str(node.op) not in _OF_SETS and left != right:
                found.append((left or NO_LABELS, right or NO_LABELS))
    return found


def result_labels(expr: str, known: Mapping[str, Labels]) -> Labels:
    """Return the labels of what an expression gives.

    Args:
        expr: The expression.
        known: Metric → the labels of its series.
    """
    return _labels(p.parse(expr), known) or NO_LABELS


def _labels(node: Any, known: Mapping[str, Labels]) -> Labels | None:
    """None: a number, which has no labels and takes none away."""
    match node:
        case p.VectorSelector():
            return known[node.name or ""]
        case p.MatrixSelector():
            return known[node.vector_selector.name or ""]
        case p.ParenExpr() | p.UnaryExpr() | p.SubqueryExpr():
            return _labels(node.expr, known)
        case p.AggregateExpr():
            return _of_aggregate(node, known)
        case p.BinaryExpr():
            return _of_two(node, known)
        case p.Call():
            return _of_call(node, known)
    return None


def _of_aggregate(node: p.AggregateExpr, known: Mapping[str, Labels]) -> Labels:
    if node.modifier is None:
        return NO_LABELS
    named = frozenset(node.modifier.labels)
    if node.modifier.type == p.AggModifierType.Without:
        return (_labels(node.expr, known) or NO_LABELS) - named
    return named


def _of_two(node: p.BinaryExpr, known: Mapping[str, Labels]) -> Labels | None:
    left, right = _labels(node.lhs, known), _labels(node.rhs, known)
    if left is None or right is None:
        return right if left is None else left
    modifier = node.modifier
    is_one_to_one = modifier is not None and modifier.card == p.VectorMatchCardinality.OneToOne
    if is_one_to_one and modifier is not None and modifier.matching is not None:
        return frozenset(modifier.matching.labels)
    return left


def _of_call(node: p.Call, known: Mapping[str, Labels]) -> Labels | None:
    if node.func.name in _NUMBERS:
        return None
    if node.func.name in _WITHOUT_LABELS:
        return NO_LABELS
    found = (_labels(arg, known) for arg in node.args)
    labels = next((each for each in found if each is not None), NO_LABELS)
    return labels - {"le"} if node.func.name == "histogram_quantile" else labels
