"""Recorded orders on the command line: where they are, and the days that are asked for."""

from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path

import click

from services.churn_predictor.train.replay import Case, replay
from services.contracts.tolerances import Tolerances
from services.kit.exits import EXIT_USAGE, leave
from services.kit.progress import Tell
from services.recorded.olist import SAO_PAULO, read_orders, told_about
from services.recorded.olist_files import UnusableFiles


class Day(click.ParamType):
    """A calendar day: `2018-03-01`."""

    name = "date"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        """Return the day; a usage error where it is none."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day: write YYYY-MM-DD, as 2018-03-01", param, ctx)


def midnight(day: date) -> datetime:
    """Return the instant at which this day began where the recorded shop is."""
    return datetime.combine(day, time(), SAO_PAULO)


def read_cases(folder: Path, tell: Tell, tolerances: Tolerances | None = None) -> Sequence[Case]:
    """Return a case for every recorded order; leaves with one line where the files are unusable."""
    try:
        orders = read_orders(folder.expanduser(), in_full=True)
    except UnusableFiles as error:
        leave(str(error), EXIT_USAGE)
    tell(f"{len(orders):,} orders read; replaying them")
    return replay(
        (event for order in orders for event in told_about(order)), tolerances or Tolerances()
    )
