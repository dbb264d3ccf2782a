"""Instants as a person in one time zone reads them.  Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo


@dataclass(frozen=True, slots=True)
class Times:
    """How instants are written for readers in one zone."""

    zone: tzinfo = UTC

    def column(self, at: datetime) -> str:
        """Return the instant as a sortable stamp; outside UTC with its offset."""
        local = at.astimezone(self.zone)
        # In the hour that comes twice the offset tells which is meant.
        bare = local.replace(tzinfo=None) if self.zone is UTC else local
        return bare.isoformat(sep=" ", timespec="seconds")

    def words(self, at: datetime) -> str:
        """Return the instant for a sentence: `12 March 2026, 09:30`."""
        local = at.astimezone(self.zone)
        seconds = f":{local:%S}" if local.second else ""
        return f"{local.day} {local:%B %Y, %H:%M}{seconds}"
