"""Options that several commands share, each with the environment variable the services read too."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from services.contracts.problems import RiskKind
from services.contracts.topics import DEFAULT_PARTITIONS
from services.kit.exits import EXIT_USAGE, leave
from services.kit.settings import ClockSource

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

bootstrap: Decorator = click.option(
    "--bootstrap",
    envvar="KAFKA_BOOTSTRAP_SERVERS",
    required=True,
    metavar="HOST:PORT,…",
    show_envvar=True,
    help="Kafka's address.",
)

partitions: Decorator = click.option(
    "--partitions",
    envvar="CARE_PARTITIONS",
    type=click.IntRange(min=1),
    default=DEFAULT_PARTITIONS,
    show_default=True,
    show_envvar=True,
    help="Partitions of every topic.",
)

prefix: Decorator = click.option(
    "--prefix",
    envvar="CARE_TOPIC_PREFIX",
    default="",
    show_envvar=True,
    help="Put before every topic name.",
)

api_key: Decorator = click.option(
    "--api-key",
    envvar="CARE_INGEST_API_KEY",
    metavar="KEY",
    show_envvar=True,
    help="What opens ingest, where it asks for a key; in the environment others do not see it.",
)

api_key_file: Decorator = click.option(
    "--api-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file with that key.",
)

clock: Decorator = click.option(
    "--clock",
    envvar="CARE_CLOCK",
    type=click.Choice([source.value for source in ClockSource]),
    default=ClockSource.SYSTEM.value,
    show_default=True,
    show_envvar=True,
    help="As outreach has it; by `ticks` it is as late as the latest tick says.",
)

as_json: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def key_of(key: str | None, file: Path | None) -> str | None:
    """Return the key that a file holds, where there is one; leaves where the file holds something else."""
    if file is None:
        return key
    found = file.read_text(encoding="utf-8").strip()
    if not found or not found.isprintable() or not found.isascii():
        leave(f"{file} does not hold a key: one line, as it was given out", EXIT_USAGE)
    return found


def refuse_others(kind: RiskKind, given: Mapping[str, tuple[RiskKind, object]]) -> None:
    """Refuse options that mean nothing for this kind of risk, rather than pass them over.

    Args:
        kind: What is asked about.
        given: Option → the kind it belongs to, and its value; None: it was not named.

    Raises:
        click.UsageError: one of them was named.
    """
    for option, (its_kind, value) in given.items():
        if value is not None and its_kind is not kind:
            raise click.UsageError(
                f"{option} is for {its_kind} risk, and this is about {kind} risk: leave it out"
            )
