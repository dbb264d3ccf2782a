"""The formulas that the pages on figures give: each can be asked as it stands, and has an answer."""

import re
from pathlib import Path

import pytest

from services.contracts.metric_names import METRICS
from tests.deploy import promql

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("kpis.md", "kpis-customers.md", "pipeline-health.md", "alerts.md")
OF_A_TARGET = frozenset({"job", "instance"})
KNOWN = {
    name: frozenset(metric.labels) | OF_A_TARGET | ({"le"} if name.endswith("_bucket") else set())
    for metric in METRICS
    for name in metric.series
} | {
    "care:save_attempts:increase90d": frozenset({"arm", "outcome"}),
}


def formulas() -> list[str]:
    """Return every formula; a line of comment begins the next one."""
    texts = [(DOCS / page).read_text(encoding="utf-8") for page in PAGES]
    blocks = [
        block for text in texts for block in re.findall(r"```promql\n(.*?)```", text, re.DOTALL)
    ]
    parts = [part for block in blocks for part in re.split(r"^#.*$", block, flags=re.MULTILINE)]
    return [part.strip() for part in parts if part.strip()]


@pytest.mark.parametrize("formula", formulas())
def test_both_sides_of_each_calculation_have_the_same_labels(formula: str) -> None:
    assert {each.name for each in promql.selectors(formula)} <= KNOWN.keys()
    assert promql.unmatched(formula, KNOWN) == []


def test_sides_that_never_meet_are_found() -> None:
    wrong = "sum by (kind) (care_problems_opened_total) / (care_problems_opened_total > 0)"
    right = wrong.replace("/ (", "/ sum by (kind) (")

    assert len(promql.unmatched(wrong, KNOWN)) == 1
    assert promql.unmatched(right, KNOWN) == []
