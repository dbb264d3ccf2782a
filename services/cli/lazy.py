"""Command groups that import a command only when it is asked for.

An image of one service holds that service's packages alone: `care --help` must work there, and a
command whose packages are absent must say which extra brings them.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from services.kit.exits import Unavailable


@dataclass(frozen=True, slots=True)
class Entry:
    """A command by the place it is defined in: `package.module:name`, its help, and its extra."""

    target: str
    short_help: str
    extra: str | None = None


class LazyGroup(click.Group):
    """A group over entries; nothing of theirs is imported to list them."""

    def __init__(self, *, entries: Mapping[str, Entry], **attributes: Any) -> None:
        """Remember the entries; the rest is click's."""
        super().__init__(**attributes)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order they were given."""
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, imported now, or None.

        Raises:
            Unavailable: a package that it needs is not installed.
        """
        entry = self._entries.get(cmd_name)
        return None if entry is None else imported(entry, f"care {cmd_name}")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write names and help from the entries alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.short_help) for name, entry in self._entries.items()])


def imported(entry: Entry, command: str) -> click.Command:
    """Return the command of this entry; raises Unavailable where a package it needs is absent."""
    module, _, name = entry.target.partition(":")
    with_packages(module, command, [entry.extra] if entry.extra else [])
    found: click.Command = getattr(importlib.import_module(module), name)
    return found


def with_packages(module: str, command: str, extras: Sequence[str]) -> Any:
    """Return the imported module; raises Unavailable where a package of these extras is absent."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "services":
            raise
        wanted = f"[{','.join(extras)}]" if extras else ""
        raise Unavailable(
            f"`{command}` needs {missing}, which is not installed: "
            f"pip install 'proactive-care{wanted}'"
        ) from None
