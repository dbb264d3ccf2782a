"""What a row found, as a table for people and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

_FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one row; it passed where there is no fault."""

    row: str
    seed: int
    quick: bool
    seconds: float
    figures: Mapping[str, int | float | str]
    faults: Sequence[str]
    sheets: Sequence[Sheet] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {**asdict(self), "passed": self.passed}


def show(console: Console, outcome: Outcome) -> None:
    """Print figures, tables, faults and the verdict."""
    kind = ", quick" if outcome.quick else ""
    figures = Table(title=f"{outcome.row}, seed {outcome.seed}{kind}", show_header=False)
    for name, figure in outcome.figures.items():
        figures.add_row(name, str(figure))
    console.print(figures)
    for sheet in outcome.sheets:
        table = Table(title=sheet.title)
        for column in sheet.columns:
            table.add_column(column)
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
    for fault in outcome.faults[:_FAULTS_SHOWN]:
        console.print(f"  {fault}", markup=False, highlight=False, soft_wrap=True)
    if len(outcome.faults) > _FAULTS_SHOWN:
        console.print(f"  and {len(outcome.faults) - _FAULTS_SHOWN} more")
    verdict = "[green]passed[/green]" if outcome.passed else "[red]FAILED[/red]"
    console.print(f"{outcome.row}: {verdict} in {outcome.seconds:.0f} s", highlight=False)
