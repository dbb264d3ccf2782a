"""Lengths of simulated time on the command line."""

import re
from datetime import timedelta

import click

from services.demo.steps import check_step
from services.shop.parameters import Outage

_UNITS = {"m": "minutes", "h": "hours"}


class StepLength(click.ParamType):
    """A length of simulated time: `30m`, `1h`."""

    name = "length"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return the length; a usage error where it is none, or not one that can be used."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,4})([mh])", str(value))
        if not found:
            self.fail(f"{value!r} is no length: write 30m or 1h", param, ctx)
        try:
            return check_step(timedelta(**{_UNITS[found[2]]: int(found[1])}))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class OutageSpan(click.ParamType):
    """A carrier's silent feed: `swift-parcel:48:6`."""

    name = "outage"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Outage:
        """Return the outage; a usage error where it is none."""
        if isinstance(value, Outage):
            return value
        found = re.fullmatch(r"([a-z0-9-]+):(\d{1,5}):(\d{1,4})", str(value))
        if not found or found[3] == "0":
            self.fail(
                f"{value!r} is no outage: write CARRIER:START_HOUR:HOURS, as swift-parcel:48:6",
                param,
                ctx,
            )
        return Outage(found[1], timedelta(hours=int(found[2])), timedelta(hours=int(found[3])))
