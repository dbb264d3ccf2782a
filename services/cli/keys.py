"""`care keys`: who may ask our services for what; the file holds hashes, never a key."""

import json
import secrets
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from services.cli import options
from services.kit import api_keys, key_file
from services.kit.api_keys import Key, Keys, TooManyKeys
from services.kit.clock import SystemClock
from services.kit.key_file import ClientName, Scope

_file = click.option(
    "--file", "path", envvar="CARE_API_KEYS_FILE", required=True, show_envvar=True, metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path), help="The file of keys.",
)  # fmt: skip


class _Shaped(click.ParamType):
    """A text that the file takes."""

    name = "text"

    def __init__(self, shape: Any, takes: str) -> None:
        self._shape = TypeAdapter[str](shape)
        self._takes = takes

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the text; a usage error where the file would not take it."""
        try:
            return self._shape.validate_python(value)
        except ValidationError:
            self.fail(f"{value!r}: {self._takes}", param, ctx)


class _Instant(click.ParamType):
    """An instant with its zone, or a day, which counts to its end in UTC."""

    name = "instant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the instant; a usage error where it is none."""
        text = str(value)
        try:
            if len(text) == len("2027-01-31"):
                return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
            instant = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is no instant: write 2027-01-31 or 2027-01-31T12:00Z", param, ctx)
        if instant.tzinfo is None:
            self.fail(f"{text!r} has no zone: write 2027-01-31T12:00Z", param, ctx)
        return instant


_CLIENT = _Shaped(ClientName, "write lower-case letters, digits, '.', '_' and '-'")
_SCOPE = _Shaped(
    Scope,
    "write a scope such as outreach:read, or its beginning and a *; or publish:TYPE@SOURCE, either side "
    "of which may end in *",
)


@click.group()
def keys() -> None:
    """Make, list and revoke the API keys of our services.

    A running service reads the file again as soon as it changes.  Who changes it meanwhile waits for
    the other.

    \b
    Scopes:
      outreach:read   see problems, timelines, decisions, playbooks, pauses
      outreach:act    pause and resume, approve and reject, say what became of something
      outreach:*      both
      publish:TYPE@SOURCE   publish such events through ingest; either side may end in *
      publish:*             publish everything

    \b
    Examples:
      care keys create --file keys.json --client care-desk --scope outreach:read --scope outreach:act
      care keys create --file keys.json --client shop --scope 'publish:care.order.*@/shop/*'
      care keys list --file keys.json
      care keys revoke --file keys.json 5f1c22ab90de7711
    """


@keys.command()
@_file
@click.option("--client", type=_CLIENT, required=True, metavar="NAME", help="Who uses it.")
@click.option(
    "--scope", "scopes", type=_SCOPE, multiple=True, required=True, metavar="SCOPE",
    help="What it may do; may be repeated.",
)  # fmt: skip
@click.option(
    "--not-after", type=_Instant(), metavar="DATE",
    help="From when on it opens nothing: an instant, or a day, which still counts.",
)  # fmt: skip
@click.option(
    "--events-per-second", type=click.FloatRange(min=0, max=1_000_000, min_open=True),
    help="How fast it may publish; ingest's own setting where it is not said.",
)  # fmt: skip
@click.option(
    "--burst", type=click.IntRange(min=1, max=10_000_000),
    help="How many events it may publish at once; likewise.",
)  # fmt: skip
@options.as_json
def create(
    path: Path,
    client: str,
    scopes: tuple[str, ...],
    not_after: datetime | None,
    as_json: bool,
    **rate: Any,
) -> None:
    """Make a key and print it, this once: the file keeps its hash alone.

    A client may have two keys in force: to replace one, make the next, hand it out, then revoke the old.

    \b
    Example:
      care keys create --file keys.json --client care-desk --scope 'outreach:*' --not-after 2027-01-31
    """
    now = SystemClock().now()
    if not_after is not None and not_after <= now:
        raise click.UsageError("--not-after has passed already: the key would open nothing")
    key, text = api_keys.made(secrets.token_bytes, client, scopes, not_after)
    key = replace(key, **rate)
    _add(path, key, now)
    click.echo(json.dumps({**_as_object(key, now), "key": text}) if as_json else text)
    if not as_json:
        click.echo("keep it now: it is shown only once", err=True)


def _add(path: Path, key: Key, now: datetime) -> None:
    with key_file.changing(path):
        known = key_file.read(path) if path.exists() else ()
        try:
            Keys((*known, key), now)
        except TooManyKeys as error:
            raise click.UsageError(f"{error} with `care keys revoke`") from None
        key_file.write(path, (*known, key))


@keys.command(name="list")
@_file
@options.as_json
def list_(path: Path, as_json: bool) -> None:
    """Show the keys: whose, for what, and whether they are in force.

    \b
    Example:
      care keys list --file keys.json --json | jq -r '.[] | select(.state == "active") | .client'
    """
    now = SystemClock().now()
    rows = [_as_object(key, now) for key in key_file.read(path)]
    if as_json:
        click.echo(json.dumps(rows))
    elif rows:
        Console().print(_table(rows))
    else:
        click.echo("no key")


@keys.command()
@_file
@click.argument("key_id", metavar="KEYID")
def revoke(path: Path, key_id: str) -> None:
    """Let the key KEYID open nothing from now on; it stays in the file.

    \b
    Example:
      care keys revoke --file keys.json 5f1c22ab90de7711
    """
    with key_file.changing(path):
        known = key_file.read(path)
        if all(key.key_id != key_id for key in known):
            raise click.UsageError(
                f"there is no key {key_id}: `care keys list --file {path}` shows them"
            )
        key_file.write(path, (replace(k, revoked=True) if k.key_id == key_id else k for k in known))
    click.echo(f"{key_id} is revoked; services see it at their next request")


def _as_object(key: Key, now: datetime) -> dict[str, object]:
    return {
        "id": key.key_id,
        "client": key.client,
        "scopes": list(key.scopes),
        "not_after": None if key.not_after is None else key.not_after.isoformat(),
        "events_per_second": key.events_per_second,
        "burst": key.burst,
        "state": _state(key, now),
    }


def _state(key: Key, now: datetime) -> str:
    if key.revoked:
        return "revoked"
    return "active" if key.is_active(now) else "expired"


def _table(rows: list[dict[str, object]]) -> Table:
    table = Table("id", "client", "scopes", "not after", "state")
    for row in rows:
        scopes = row["scopes"]
        assert isinstance(scopes, list)
        ends = str(row["not_after"] or "")
        table.add_row(str(row["id"]), str(row["client"]), " ".join(scopes), ends, str(row["state"]))
    return table
