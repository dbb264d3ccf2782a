"""Options that several commands share, each with the environment variable the services read too."""

from collections.abc import Callable
from typing import Any

import click

from services.contracts.topics import DEFAULT_PARTITIONS

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

as_json: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
