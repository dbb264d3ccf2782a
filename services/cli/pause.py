"""`care pause` and `care resume`: a person stops what is sent, and lets it go on."""

import json
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from services.cli import on_database, options
from services.contracts.people import Channel
from services.kit.clock import SystemClock
from services.outreach import pauses
from services.outreach.pauses import (
    EVERYTHING,
    AlreadyPaused,
    NotPaused,
    Pause,
    Scope,
    Target,
)

_APPLICATION = "care-pause"

Command = Callable[..., Any]


def _words(_: click.Context, __: click.Parameter, text: str) -> str:
    if not text.strip():
        raise click.BadParameter("say why, in a word or two: it is recorded")
    return text.strip()


_because = click.option(
    "--because", required=True, metavar="TEXT", callback=_words, help="Why; it is recorded."
)
_playbook = click.argument("name")
_channel = click.argument("name", type=click.Choice([channel.value for channel in Channel]))


def _pausing(command: Command) -> Command:
    return _because(on_database.by(on_database.database_url(command)))


def _resuming(command: Command) -> Command:
    return on_database.by(on_database.database_url(command))


@click.group()
def pause() -> None:
    """Stop sending: everything, one playbook, or one channel.

    Nothing more is started once the command is done, in no replica; what is under way is finished.
    Decisions go on and are recorded.  What waits is judged again once it is resumed, and fails at its
    use-by.

    \b
    Examples:
      care pause all --because "wrong dates from the carrier"
      care pause playbook delivery_late --because "a wrong sentence in it"
      care pause channel email --because "our provider bounces"
      care pause list
      care resume playbook delivery_late
    """


@pause.command(name="all")
@_pausing
def pause_all(because: str, by: str, database_url: str) -> None:
    """Send nothing at all.

    \b
    Example:
      care pause all --because "wrong dates from the carrier"
    """
    _pause(EVERYTHING, because, by, database_url)


@pause.command(name="playbook")
@_playbook
@_pausing
def pause_playbook(name: str, because: str, by: str, database_url: str) -> None:
    """Send nothing of the playbook NAME.

    \b
    Example:
      care pause playbook delivery_late --because "a wrong sentence in it"
    """
    _pause(Target(Scope.PLAYBOOK, name), because, by, database_url)


@pause.command(name="channel")
@_channel
@_pausing
def pause_channel(name: str, because: str, by: str, database_url: str) -> None:
    """Send nothing by the channel NAME; it goes by no other one instead.

    \b
    Example:
      care pause channel email --because "our provider bounces"
    """
    _pause(Target(Scope.CHANNEL, name), because, by, database_url)


@pause.command(name="list")
@click.option("--history", is_flag=True, help="Also what was resumed since.")
@on_database.database_url
@options.as_json
def list_(history: bool, database_url: str, as_json: bool) -> None:
    """Show what is paused, since when, by whom and why.

    \b
    Examples:
      care pause list
      care pause list --history --json
    """
    with on_database.connected(database_url, _APPLICATION) as connection:
        found = pauses.history(connection) if history else pauses.open_pauses(connection)
    if as_json:
        click.echo(json.dumps([_as_object(one) for one in found]))
    elif found:
        Console().print(_table(found, history))
    else:
        click.echo("nothing was ever paused" if history else "nothing is paused")


@click.group()
def resume() -> None:
    """Let go on what was paused.

    What waited is judged again by every gate that is asked before a message leaves.

    \b
    Examples:
      care resume all
      care resume playbook delivery_late
      care resume channel email --by ada
    """


@resume.command(name="all")
@_resuming
def resume_all(by: str, database_url: str) -> None:
    """End the pause of everything; those of single playbooks and channels stay.

    \b
    Example:
      care resume all
    """
    _resume(EVERYTHING, by, database_url)


@resume.command(name="playbook")
@_playbook
@_resuming
def resume_playbook(name: str, by: str, database_url: str) -> None:
    """Send what the playbook NAME writes again.

    \b
    Example:
      care resume playbook delivery_late
    """
    _resume(Target(Scope.PLAYBOOK, name), by, database_url)


@resume.command(name="channel")
@_channel
@_resuming
def resume_channel(name: str, by: str, database_url: str) -> None:
    """Send by the channel NAME again.

    \b
    Example:
      care resume channel email
    """
    _resume(Target(Scope.CHANNEL, name), by, database_url)


def _pause(target: Target, because: str, by: str, database_url: str) -> None:
    new = Pause(target, SystemClock().now(), by, because)
    with on_database.connected(database_url, _APPLICATION) as connection:
        try:
            pauses.pause(connection, new)
        except AlreadyPaused as error:
            since = error.found.since.isoformat(timespec="minutes")
            raise click.UsageError(
                f"{error}, since {since} by {error.found.by}: {error.found.because}"
            ) from None
        is_new = target.scope is Scope.PLAYBOOK and not pauses.has_decided(
            connection, _name(target)
        )
    click.echo(f"{target} is paused: nothing more of it is sent until `care resume {_way(target)}`")
    if is_new:
        # It is paused all the same: it may be about to begin.  A typing error must not look like that.
        click.echo(
            f"note: no playbook of the name {target.name} has written to anybody yet; "
            "`care playbook list` shows the names",
            err=True,
        )


def _resume(target: Target, by: str, database_url: str) -> None:
    with on_database.connected(database_url, _APPLICATION) as connection:
        try:
            pauses.resume(connection, target, by, SystemClock().now())
        except NotPaused as error:
            raise click.UsageError(f"{error}; paused: {_paused(connection)}") from None
        left = _paused(connection)
    click.echo(f"{target} is resumed; still paused: {left}")


def _paused(connection: Connection) -> str:
    return ", ".join(str(one.target) for one in pauses.open_pauses(connection)) or "nothing"


def _name(target: Target) -> str:
    return target.name or ""


def _way(target: Target) -> str:
    return f"{target.scope} {_name(target)}".rstrip()


def _as_object(one: Pause) -> dict[str, object]:
    return {
        "scope": one.target.scope.value,
        "name": one.target.name,
        "since": one.since.isoformat(),
        "by": one.by,
        "because": one.because,
        "resumed_at": None if one.resumed_at is None else one.resumed_at.isoformat(),
        "resumed_by": one.resumed_by,
    }


def _table(found: list[Pause], history: bool) -> Table:
    table = Table("paused", "since", "by", "because", *(("resumed", "by") if history else ()))
    for one in found:
        until = "" if one.resumed_at is None else one.resumed_at.isoformat(timespec="minutes")
        ended = (until, one.resumed_by or "") if history else ()
        since = one.since.isoformat(timespec="minutes")
        table.add_row(str(one.target), since, one.by, one.because, *ended)
    return table
