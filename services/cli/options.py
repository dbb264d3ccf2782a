"""Options that several commands share, each with the environment variable the services read too."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from services.contracts.problems import RiskKind
from services.contracts.topics import DEFAULT_PARTITIONS
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
