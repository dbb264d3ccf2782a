"""How far a long command has got: a bar on a terminal, a line every few seconds elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.kit.clock import monotonic
from services.kit.progress import Tell

_PLAIN_LINE_SECONDS = 5.0
_SELDOM_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Reached:
    """A moment of simulated time, on the way from start to end."""

    at: datetime
    start: datetime
    end: datetime
    counts: str
    """What there is by then, in words."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Where progress is told."""

    say: Tell
    """A line that stays."""
    see: Callable[[Reached], None]


@contextmanager
def showing(console: Console) -> Iterator[Shown]:
    """Yield a place to tell progress; on a terminal the bar is gone afterwards."""
    if console.is_terminal:
        with _bar(console) as shown:
            yield shown
    else:
        yield Shown(_saying(console), _lines(console))


@contextmanager
def telling(console: Console) -> Iterator[Tell]:
    """Yield a place to tell the steps of something that cannot say how far it has got."""
    if not console.is_terminal:
        yield _saying(console)
        return
    with console.status("starting") as status:
        yield status.update


def seldom(tell: Tell) -> Tell:
    """Return a place to tell what changes all the time: the first and then one every two seconds."""
    told = float("-inf")

    def perhaps(text: str) -> None:
        nonlocal told
        if monotonic() - told > _SELDOM_SECONDS:
            told = monotonic()
            tell(text)

    return perhaps


@contextmanager
def _bar(console: Console) -> Iterator[Shown]:
    columns = (
        TextColumn("{task.fields[at]}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", at="starting", counts="", total=None)

        def see(reached: Reached) -> None:
            progress.update(
                task,
                total=(reached.end - reached.start).total_seconds(),
                completed=(reached.at - reached.start).total_seconds(),
                at=f"{reached.at:%Y-%m-%d %H:%M}",
                counts=reached.counts,
            )

        yield Shown(_saying(progress.console), see)


def _saying(console: Console) -> Tell:
    return lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True)


def _lines(console: Console) -> Callable[[Reached], None]:
    told = float("-inf")

    def see(reached: Reached) -> None:
        nonlocal told
        if monotonic() - told > _PLAIN_LINE_SECONDS:
            told = monotonic()
            console.print(f"{reached.at:%Y-%m-%d %H:%M}  {reached.counts}", highlight=False)

    return see
