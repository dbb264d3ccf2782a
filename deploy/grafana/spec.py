"""What a dashboard says, before it is JSON.  Pure values; `assembly` turns them into Grafana's model."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

GRID_WIDTH = 24
"""Columns of Grafana's grid."""


class Look(StrEnum):
    """How a panel shows its numbers: Grafana's panel types."""

    STAT = "stat"
    """The figure of the whole time range."""
    BARS = "bargauge"
    """One such figure for each label."""
    SERIES = "timeseries"


class Colour(StrEnum):
    """Grafana's names of the three that judge."""

    GOOD = "green"
    WORRYING = "orange"
    BAD = "red"


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a number turns from good to worrying to bad; which side is bad follows from the order."""

    worrying: float
    bad: float

    @property
    def steps(self) -> tuple[tuple[float | None, Colour], ...]:
        """Return Grafana's steps: from this value on (None: from the lowest), this colour."""
        if self.bad < self.worrying:
            return (None, Colour.BAD), (self.bad, Colour.WORRYING), (self.worrying, Colour.GOOD)
        if self.bad == self.worrying:
            return (None, Colour.GOOD), (self.bad, Colour.BAD)
        return (None, Colour.GOOD), (self.worrying, Colour.WORRYING), (self.bad, Colour.BAD)


@dataclass(frozen=True, slots=True)
class Query:
    """One expression and what its series are called; labels in double braces."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class EmptyIsGood:
    """Why a panel may show nothing while all is well; its metrics must be exported all the same."""

    reason: str


@dataclass(frozen=True, slots=True)
class RealTimeOnly:
    """Why simulated time never measures a panel's metric; where it does, this is no longer true."""

    reason: str


Silence: TypeAlias = EmptyIsGood | RealTimeOnly


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    look: Look = Look.SERIES
    limits: Limits | None = None
    """None: the number has no good and no bad side."""
    alerts: tuple[str, ...] = ()
    """Alerts that watch the same figures; each has a runbook of its name."""
    desk: str | None = None
    """Operation of the desk's API where somebody can act on it."""
    silence: Silence | None = None
    """What allows the check against a running system to find nothing."""
    decimals: int | None = None
    stacked: bool = False
    lowest: float | None = 0
    """Lower end of the axis; None: as low as the data."""
    width: int | None = None
    """Columns; None: an even part of its row."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that answer one question, under its heading."""

    title: str
    panels: tuple[Panel, ...]
    per_line: int
    height: int


@dataclass(frozen=True, slots=True)
class Window:
    """The length over which a board's rolling figures look back."""

    default: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard."""

    uid: str
    """Never changes: links and bookmarks hold it.  The file is called after it."""
    title: str
    description: str
    since: str
    """What the time range shows first, as `now-7d`."""
    refresh: str
    window: Window
    rows: tuple[Row, ...]
    jobs: str | None = None
    """Pattern of metric names of which there is one in each service; None: no panel asks by process."""

    def panels(self) -> Iterator[Panel]:
        """Return the panels in order."""
        for row in self.rows:
            yield from row.panels


def figures(title: str, *panels: Panel) -> Row:
    """Return a row of single figures."""
    return Row(title, panels, per_line=len(panels), height=4)


def charts(title: str, *panels: Panel, per_line: int = 3) -> Row:
    """Return rows of charts, so many on a line."""
    return Row(title, panels, per_line=per_line, height=8)
