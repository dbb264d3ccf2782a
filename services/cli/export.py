"""`care export`: everything that is known about one customer, for them to read."""

import json
from base64 import b64encode
from typing import Any

import click

from services.cli import on_database, options
from services.cli.customer import Customer
from services.cli.person_topics import BY_CUSTOMER, Lying, Topics
from services.contracts.topics import DEFAULT_PARTITIONS
from services.outreach.about import everything_about

_APPLICATION = "care-export"


@click.command()
@click.argument("customer", type=Customer())
@on_database.database_url
@click.option(
    "--bootstrap",
    envvar="KAFKA_BOOTSTRAP_SERVERS",
    metavar="HOST:PORT,…",
    show_envvar=True,
    help="Kafka's address; without it the topics are left out.",
)
@options.partitions
@options.prefix
def export(
    customer: str, database_url: str, bootstrap: str | None, partitions: int, prefix: str
) -> None:
    """Print everything known about CUSTOMER as JSON.

    From outreach's database, under every id that is one with this: profile, consents, problems, contacts,
    answers with their comments, decisions with every gate's word, and messages.  With Kafka's address also
    every record under these ids on the topics.  What is printed is personal: mind where it goes.

    \b
    Examples:
      care export c-48213 > c-48213.json
      care export c-48213 --bootstrap kafka-1:9092 | jq '.topics | map_values(.count)'
    """
    with on_database.connected(database_url, _APPLICATION) as connection:
        found = everything_about(connection, customer)
    if bootstrap:
        topics = Topics(bootstrap, prefix, partitions or DEFAULT_PARTITIONS)
        names = {*found["names"], *topics.known_as(customer)[0].names}
        found["topics"] = on_topics(topics, sorted(names))
    click.echo(json.dumps(found, indent=2, default=str, ensure_ascii=False))


def on_topics(topics: Topics, names: list[str]) -> dict[str, Any]:
    """Return topic → how many records lie under these names, and which."""
    found: dict[str, list[Any]] = {topic.name: [] for topic in BY_CUSTOMER}
    for lying in topics.lying(names, BY_CUSTOMER):
        found[lying.topic.name].append(_as_object(lying))
    return {name: {"count": len(lying), "records": lying} for name, lying in found.items()}


def _as_object(lying: Lying) -> dict[str, Any]:
    return {
        "key": lying.name,
        "partition": lying.partition,
        "offset": lying.offset,
        "written_at": lying.at.isoformat(),
        "value": _readable(lying.value),
    }


def _readable(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return json.loads(value)
    except ValueError:
        return {"base64": b64encode(value).decode()}
