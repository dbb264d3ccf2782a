"""Instants and time zones on the command line."""

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import click


class Zone(click.ParamType):
    """A time zone: `Europe/Berlin`."""

    name = "zone"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> ZoneInfo | timezone:
        """Return the zone; a usage error where nobody knows it."""
        if isinstance(value, ZoneInfo | timezone):
            return value
        try:
            return ZoneInfo(str(value))
        except (KeyError, ValueError, OSError):
            self.fail(f"{value!r} is no IANA time zone: write Europe/Berlin", param, ctx)


class Instant(click.ParamType):
    """An ISO 8601 instant; without an offset it is left without, for the command to place."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the instant; a usage error where it is none."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-03-12T09:00Z", param, ctx)
