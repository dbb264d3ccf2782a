"""What a person sees: where the run is, and in the end a table."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.demo.run import Sight
from services.kit.clock import monotonic
from tests.faults.driver import Watch
from tests.faults.outcome import Outcome

_COUNTS = {
    "lost": "lost",
    "doubled": "doubled",
    "wrong": "wrong",
    "missing": "problems_missing",
    "renamed": "problems_renamed",
    "extra": "problems_extra",
    "differ": "outputs_differing",
    "twice": "contacts_doubled",
}
"""Column → count."""
_WIDTH = 132
"""Where nobody knows how wide a line may be."""
_PLAIN_LINE_SECONDS = 10.0


class Screen:
    """Lines for everybody; on a terminal a bar below them."""

    def __init__(self, console: Console, progress: Progress | None) -> None:
        self._console, self._progress = console, progress
        self._title = ""
        self._told = monotonic()
        self._rows = progress.add_task("rows", at="") if progress else None
        self._run = progress.add_task("run", at="") if progress else None

    def begin(self, number: int, total: int, title: str) -> None:
        """A row begins."""
        self._title = title
        self._console.print(f"[bold]{number}/{total} {title}[/bold]", highlight=False)
        if self._progress is not None and self._rows is not None and self._run is not None:
            self._progress.update(self._rows, completed=number - 1, total=total, at=title)
            self._progress.reset(self._run, at="starting")

    def end(self, outcome: Outcome) -> None:
        """A row has ended."""
        mark = "[green]passed[/green]" if outcome.passed else "[red]FAILED[/red]"
        recovery = outcome.recovery_seconds
        back = f", recovered within {recovery:.1f} s" if recovery else ""
        self._console.print(f"  {mark} in {outcome.seconds:.0f} s{back}", highlight=False)
        if outcome.note:
            self._plain(f"  {outcome.note}")

    @property
    def watch(self) -> Watch:
        """Who looks on while a row runs."""
        return Watch(say=lambda text: self._plain(f"  {text}"), see=self._see)

    def _plain(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _see(self, sight: Sight) -> None:
        where = (
            f"{sight.at:%m-%d %H:%M}  {sight.events} events, {sight.problems} problems, "
            f"{sight.mails} messages"
        )
        if self._progress is not None and self._run is not None:
            total = (sight.end - sight.start).total_seconds()
            done = (sight.at - sight.start).total_seconds()
            self._progress.update(self._run, total=total, completed=done, at=where)
        elif monotonic() - self._told > _PLAIN_LINE_SECONDS:
            self._told = monotonic()
            self._plain(f"  {where}")


def open_console() -> Console:
    """Return standard output; as wide as the table where it is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


@contextmanager
def showing(console: Console) -> Iterator[Screen]:
    """Yield a screen: with bars on a terminal, with lines alone elsewhere."""
    if not console.is_terminal:
        yield Screen(console, None)
        return
    columns = (BarColumn(), TextColumn("{task.fields[at]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield Screen(progress.console, progress)


def table(outcomes: Sequence[Outcome], code: str) -> Table:
    """Return the rows as a table; a row of other code than today's is marked."""
    shown = Table(title="The stream under disturbance")
    for name in ("disturbance", "store", "seed"):
        shown.add_column(name, no_wrap=True)
    for name in (*_COUNTS, "back after s"):
        shown.add_column(name, justify="right")
    shown.add_column("passed")
    for outcome in outcomes:
        counts = (_figure(getattr(outcome, name)) for name in _COUNTS.values())
        recovery = outcome.recovery_seconds
        shown.add_row(
            outcome.disturbance,
            outcome.store,
            str(outcome.seed),
            *counts,
            "?" if recovery is None else f"{recovery:.1f}",
            _verdict(outcome, code),
        )
    return shown


def _figure(count: int | None) -> str:
    if count is None:
        return "[red]?[/red]"
    return f"[red]{count}[/red]" if count else "0"


def _verdict(outcome: Outcome, code: str) -> str:
    word = "[green]yes[/green]" if outcome.passed else "[red]NO[/red]"
    again = f" (failed before: {outcome.earlier_failures})" if outcome.earlier_failures else ""
    return word + ("" if outcome.code == code else " (older code)") + again
