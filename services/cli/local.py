"""`care local`: Kafka and PostgreSQL on this machine, without Docker."""

import json
import os
import shlex
import signal
import time
from pathlib import Path
from typing import Any, NoReturn

import click

from services.cli import options
from services.cli.detached import start_detached
from services.kit.exits import Unavailable
from services.kit.kafka_admin import apply_topics
from services.kit.settings import DEPLOYMENT_VARIABLE, DEVELOPMENT, assume_development
from services.local import instance
from services.local.folders import state_folder
from services.local.instance import Instance
from services.local.parts import (
    DATABASE_VARIABLE,
    KAFKA_PORT_VARIABLE,
    KAFKA_VARIABLE,
    POSTGRES_PORT_VARIABLE,
    Parts,
    running,
)
from services.local.ports import answers
from services.local.processes import Seen
from services.outreach.migrate import upgrade

_WATCH_SECONDS = 0.5

_port = click.IntRange(1, 65535)


@click.group()
def local() -> None:
    """Run Apache Kafka and PostgreSQL on this machine, without Docker.

    Kafka's jars are fetched once, into the user's cache folder (or CARE_CACHE).  What is up is noted
    in the checkout's .care folder (or CARE_STATE), where the other commands find it.  Data that is not kept
    lies in the system's temporary folder (or CARE_LOCAL_TMPDIR: /dev/shm is fast, and takes memory).

    \b
    Examples:
      care local up
      care local up --detach && eval "$(care local env)"
      care local down
    """


@local.command()
@click.option(
    "--detach", is_flag=True, help="Return once both are up; `care local down` ends them."
)
@click.option(
    "--kafka-port",
    type=_port,
    envvar=KAFKA_PORT_VARIABLE,
    show_envvar=True,
    help="Kafka's port; a free one otherwise.",
)
@click.option(
    "--postgres-port",
    type=_port,
    envvar=POSTGRES_PORT_VARIABLE,
    show_envvar=True,
    help="PostgreSQL's port; a free one otherwise.",
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the data in this folder; without it, it goes at the end.",
)
@options.partitions
@options.prefix
def up(
    *,
    detach: bool,
    kafka_port: int | None,
    postgres_port: int | None,
    directory: Path | None,
    partitions: int,
    prefix: str,
) -> None:
    """Start both, make the topics and the schema, and stay until Ctrl-C.

    Where KAFKA_BOOTSTRAP_SERVERS or DATABASE_URL is set, that one is used and not started.

    \b
    Examples:
      care local up
      care local up --detach
      care local up --dir ~/care-data --kafka-port 9092 --postgres-port 5432
    """
    found = instance.find(state_folder())
    if detach and found is None:
        found = start_detached(state_folder())
    elif not detach:
        _stay(kafka_port, postgres_port, directory, partitions=partitions, prefix=prefix)
        return
    assert found is not None
    _tell("Up; `care local down` ends both.", found)


@local.command()
def down() -> None:
    """End what `care local up` keeps running.

    \b
    Example:
      care local down
    """
    found = instance.find(state_folder())
    if found is None:
        click.echo("Nothing is up.")
        return
    instance.end(found)
    click.echo("Stopped.")


@local.command()
@options.as_json
def status(as_json: bool) -> None:
    """Show what is up and whether it answers; exit code 1 where nothing is up.

    \b
    Examples:
      care local status
      care local status --json | jq -r .database_url
    """
    found = instance.find(state_folder())
    if as_json:
        click.echo(json.dumps(_described(found)))
    elif found is None:
        click.echo("Nothing is up: start it with `care local up`.")
    else:
        _tell(f"Up, kept by process {found.owner.pid}.", found)
        for name, there in _answering(found).items():
            if not there:
                click.echo(f"{name} does not answer.")
    raise SystemExit(0 if found else 1)


@local.command()
def env() -> None:
    """Print the addresses as the shell sets them, and that nothing there is worth protecting.

    \b
    Example:
      eval "$(care local env)"
    """
    found = instance.find(state_folder())
    if found is None:
        raise Unavailable("nothing is up: start it with `care local up --detach`")
    values = {
        KAFKA_VARIABLE: found.kafka_bootstrap,
        DATABASE_VARIABLE: found.database_url,
        DEPLOYMENT_VARIABLE: DEVELOPMENT,
    }
    pairs = (f"{name}={shlex.quote(value)}" for name, value in values.items())
    click.echo(f"export {' '.join(pairs)}")


def _stay(
    kafka_port: int | None,
    postgres_port: int | None,
    directory: Path | None,
    *,
    partitions: int,
    prefix: str,
) -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    state = state_folder()
    try:
        with (
            instance.claim(state),
            running(
                directory, kafka_port=kafka_port, postgres_port=postgres_port, progress=_progress
            ) as parts,
        ):
            _prepare(parts, partitions, prefix)
            me = _instance(parts)
            with instance.noted(state, me):
                _tell("Up; Ctrl-C ends both.", me)
                _watch(parts)
    except KeyboardInterrupt:
        _progress("stopped")


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _prepare(parts: Parts, partitions: int, prefix: str) -> None:
    assume_development()
    made = apply_topics(parts.kafka_bootstrap, partitions=partitions, prefix=prefix)
    _progress(f"{len(made)} topics made")
    applied = upgrade(parts.database_url)
    _progress(f"{len(applied)} migrations applied")


def _instance(parts: Parts) -> Instance:
    folder = str(parts.folder) if parts.folder else None
    return Instance(Seen.of(os.getpid()), parts.kafka_bootstrap, parts.database_url, folder)


def _watch(parts: Parts) -> NoReturn:
    while True:
        parts.check()
        time.sleep(_WATCH_SECONDS)


def _tell(headline: str, found: Instance) -> None:
    click.echo(headline)
    click.echo(f"  Kafka       {found.kafka_bootstrap}")
    click.echo(f"  PostgreSQL  {found.database_url}")
    if found.folder:
        click.echo(f"  Data        {found.folder}")


def _progress(line: str) -> None:
    click.echo(line, err=True)


def _described(found: Instance | None) -> dict[str, Any]:
    if found is None:
        return {"up": False}
    return {
        "up": True,
        "pid": found.owner.pid,
        "kafka_bootstrap_servers": found.kafka_bootstrap,
        "database_url": found.database_url,
        "folder": found.folder,
        "answers": _answering(found),
    }


def _answering(found: Instance) -> dict[str, bool]:
    return {
        "kafka": any(answers(address) for address in found.kafka_bootstrap.split(",")),
        "postgres": answers(found.database_url),
    }
