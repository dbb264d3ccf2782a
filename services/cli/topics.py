"""`care topics`: the topics of the contracts, made on a broker or listed."""

import json
from typing import Any

import click

from services.cli import options
from services.contracts.topics import TOPICS, Topic
from services.kit.kafka_admin import FoundTopic, apply_topics, find_topics


@click.group()
def topics() -> None:
    """Make and list the topics.

    \b
    Examples:
      care topics apply --partitions 12
      care topics list --json
    """


@topics.command()
@options.bootstrap
@options.partitions
@options.prefix
@click.option(
    "--replication",
    envvar="CARE_REPLICATION",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    show_envvar=True,
    help="Copies of every topic; 3 in production.",
)
@options.as_json
def apply(bootstrap: str, partitions: int, prefix: str, replication: int, as_json: bool) -> None:
    """Make the topics that are missing and leave the others as they are.

    \b
    Example:
      care topics apply --bootstrap kafka-1:9092,kafka-2:9092 --partitions 12 --replication 3
    """
    made = apply_topics(bootstrap, partitions=partitions, replication=replication, prefix=prefix)
    if as_json:
        click.echo(json.dumps({"created": made, "existed": len(TOPICS) - len(made)}))
    else:
        click.echo(f"{len(made)} topics made, {len(TOPICS) - len(made)} were there")


@topics.command("list")
@options.bootstrap
@options.prefix
@options.as_json
def list_(bootstrap: str, prefix: str, as_json: bool) -> None:
    """List the topics of the contracts and what the broker has of them.

    \b
    Examples:
      care topics list
      care topics list --json | jq -r '.[] | select(.partitions == null) | .name'
    """
    found = find_topics(bootstrap)
    rows = [_row(topic, topic.physical(prefix), found) for topic in TOPICS]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{'TOPIC':<36} {'PARTITIONS':>10}  {'CLEAN-UP':<8} {'KEPT':<9} HOLDS")
    for row in rows:
        partitions = row["partitions"] or "missing"
        kept = "for ever" if row["retention_days"] is None else f"{row['retention_days']} days"
        click.echo(
            f"{row['name']:<36} {partitions:>10}  {row['clean_up']:<8} {kept:<9} {row['holds']}"
        )


def _row(topic: Topic, name: str, found: dict[str, FoundTopic]) -> dict[str, Any]:
    there = found.get(name)
    return {
        "name": name,
        "partitions": there.partitions if there else None,
        "clean_up": topic.clean_up.value,
        "retention_days": topic.retention.days if topic.retention else None,
        "key": topic.key,
        "holds": topic.holds,
    }
