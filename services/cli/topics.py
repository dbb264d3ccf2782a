"""`care topics`: the topics of the contracts, made on a broker or listed, and who may do what there."""

import json
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

import click

from services.cli import options
from services.contracts.access import PRINCIPALS, Grant, Resource, grants, user_of
from services.contracts.topics import TOPICS, Topic
from services.kit.kafka_admin import FoundTopic, apply_topics, find_topics

_OPTIONS = {
    Resource.TOPIC: "--topic",
    Resource.GROUP: "--group",
    Resource.TRANSACTIONAL_ID: "--transactional-id",
}


@click.group()
def topics() -> None:
    """Make and list the topics.

    \b
    Examples:
      care topics apply --partitions 12
      care topics list --json
      care topics acls --kafka-acls
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


@topics.command()
@options.prefix
@click.option(
    "--for",
    "principals",
    type=click.Choice(PRINCIPALS),
    multiple=True,
    help="Only this one; may be given several times.",
)
@click.option("--kafka-acls", is_flag=True, help="Print commands of Kafka's own tool.")
@options.as_json
def acls(prefix: str, principals: tuple[str, ...], kafka_acls: bool, as_json: bool) -> None:
    """Print what each Kafka user needs, and nothing beyond; asks no broker.

    The commands expect Kafka's address in KAFKA_BOOTSTRAP_SERVERS and a file with an administrator's
    client properties in KAFKA_ADMIN_PROPERTIES.

    \b
    Examples:
      care topics acls --for outreach
      care topics acls --kafka-acls | sh -e
      care topics acls --json | jq '.[] | select(.principal == "metrics")'
    """
    if kafka_acls and as_json:
        raise click.UsageError("--kafka-acls and --json: choose one")
    wanted = {name: grants(name, prefix) for name in principals or PRINCIPALS}
    if as_json:
        rows = [_grant_row(name, prefix, each) for name, all_ in wanted.items() for each in all_]
        click.echo(json.dumps(rows, indent=2))
        return
    for name, its in wanted.items():
        lines = _commands(user_of(name, prefix), its) if kafka_acls else _lines(name, prefix, its)
        click.echo("\n".join(lines))


def _lines(principal: str, prefix: str, its: Iterable[Grant]) -> Iterator[str]:
    yield f"{principal}: User:{user_of(principal, prefix)}"
    for grant in its:
        name = f"{grant.name}{'*' if grant.is_prefix else ''}"
        yield f"  {grant.resource:<16} {name:<40} {', '.join(grant.operations)}"


def _commands(user: str, its: Iterable[Grant]) -> Iterator[str]:
    for grant in its:
        operations = " ".join(f"--operation {operation}" for operation in grant.operations)
        pattern = "prefixed" if grant.is_prefix else "literal"
        yield (
            'kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" '
            '--command-config "$KAFKA_ADMIN_PROPERTIES" --add '
            f"--allow-principal {shlex.quote(f'User:{user}')} {operations} "
            f"{_OPTIONS[grant.resource]} {shlex.quote(grant.name)} --resource-pattern-type {pattern}"
        )


def _grant_row(principal: str, prefix: str, grant: Grant) -> dict[str, Any]:
    return {
        "principal": principal,
        "user": user_of(principal, prefix),
        "resource": grant.resource.value,
        "name": grant.name,
        "pattern": "prefix" if grant.is_prefix else "literal",
        "operations": [operation.value for operation in grant.operations],
    }


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
