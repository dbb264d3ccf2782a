"""Files of events on the command line, and the time at which they are read."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO

import click

from services.kit.clock import SystemClock
from services.kit.exits import EXIT_USAGE, leave
from services.publisher_kit.pieces import Piece, pieces


def events_in(files: Iterable[BinaryIO]) -> Iterator[tuple[str, Piece]]:
    """Yield each event with the name of its file; leaves with one line where there is none at all."""
    is_any = False
    for file in files:
        # What stands in for standard input need not have a name.
        name = str(getattr(file, "name", "<stdin>"))
        for piece in pieces(iter(file)):
            is_any = True
            yield name, piece
    if not is_any:
        leave("there is no event in what was given", EXIT_USAGE)


def time_or_now(named: datetime | None) -> datetime:
    """Return the time that was named, else the machine's; a usage error where its zone is missing."""
    if named is not None and named.tzinfo is None:
        raise click.UsageError("--now needs its zone: write 2026-03-12T09:00Z")
    return named or SystemClock().now()


def place(file: str, line: int, index: int | None) -> str:
    """Return how an event's place is written: file and line, and its position in an array."""
    return f"{file}:{line}" + ("" if index is None else f"[{index}]")
