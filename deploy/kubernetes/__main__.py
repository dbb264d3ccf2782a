"""`python -m deploy.kubernetes`: manifests made, held against what they are made from, and inspected."""

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TextIO

import click

from deploy.kubernetes import generated, operators
from deploy.kubernetes.rendering import COMPONENTS, choices, combined, read
from deploy.kubernetes.topics import Layout
from deploy.kubernetes.users import kafka_user
from services.contracts.access import PRINCIPALS as ALL_PRINCIPALS


@click.group()
def main() -> None:
    """Make, check and inspect the Kubernetes manifests."""


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=generated.COMPONENTS,
    help="Folder that gets them; without it the committed ones are made anew.",
)  # fmt: skip
@click.option("--prefix", default=Layout().prefix, help="Put before every topic name.")
@click.option(
    "--partitions", type=click.IntRange(min=1), default=Layout().partitions, show_default=True,
    help="Partitions of every topic.",
)  # fmt: skip
@click.option(
    "--replicas", type=click.IntRange(min=1), default=Layout().replicas, show_default=True,
    help="Copies of every topic; all but one must have a record before it counts as written.",
)  # fmt: skip
def write(out: Path, prefix: str, partitions: int, replicas: int) -> None:
    """Write the manifests that are made; with your own layout, into a folder of your own."""
    changed = generated.write(Layout(prefix, partitions, replicas), out)
    click.echo("\n".join(changed) or "manifests are up to date")


@main.command()
def check() -> None:
    """Say which committed manifest differs from what it is made from (exit code 1)."""
    _end(generated.drift(), "manifests are up to date")


@main.command()
@click.argument("rendered", type=click.File("r", encoding="utf-8"), default="-")
def inspect(rendered: TextIO) -> None:
    r"""Say what is wrong with an overlay of yours, rendered (exit code 1).

    \b
    Example:
      kubectl kustomize my-overlay | python -m deploy.kubernetes inspect
    """
    # Only here: all services' settings are read, which takes its time.
    from deploy.kubernetes.inspection.every import faults

    _end(faults(read(rendered.read())), "nothing is wrong")


@main.command()
@click.option(
    "--most", type=click.IntRange(min=0), default=None,
    help="So many components at once, and all; otherwise every choice.",
)  # fmt: skip
def combinations(most: int | None) -> None:
    """Render and inspect the overlays with every choice of components (exit code 1)."""
    asked = [
        ("dev", ()),
        *(("production", choice) for choice in choices(len(COMPONENTS) if most is None else most)),
    ]
    # Each reads settings from an environment of its own: processes, not threads.
    with ProcessPoolExecutor() as pool:
        wrong = [fault for found in pool.map(_of_one, asked, chunksize=8) for fault in found]
    _end(wrong, f"{len(asked)} combinations are right")


def _of_one(asked: tuple[str, tuple[str, ...]]) -> list[str]:
    from deploy.kubernetes.inspection.every import faults

    overlay, choice = asked
    named = " + ".join((overlay, *choice))
    return [f"{named}: {fault}" for fault in faults(combined(overlay, choice))]


@main.command()
@click.argument("principal", type=click.Choice(ALL_PRINCIPALS))
@click.option("--prefix", default=Layout().prefix, help="Put before every topic name.")
@click.option("--cluster", default="kafka", show_default=True, help="Name of the Kafka object.")
def user(principal: str, prefix: str, cluster: str) -> None:
    r"""Print the KafkaUser of one principal: one that is there for a time, or of a company system.

    \b
    Example:
      python -m deploy.kubernetes user mover | kubectl apply -n care -f -
    """
    click.echo(generated.document([kafka_user(principal, prefix, cluster)]), nl=False)


@main.command("operator-schemas")
@click.option(
    "--source", required=True, help="Where the definitions come from, with their version."
)
@click.argument("definitions", nargs=-1, required=True, type=click.File("r", encoding="utf-8"))
def operator_schemas(source: str, definitions: tuple[TextIO, ...]) -> None:
    """Keep the schemas of CustomResourceDefinitions: what `inspect` holds operators' objects against."""
    for file in definitions:
        for definition in read(file.read()).objects:
            click.echo("\n".join(operators.write(definition, source)))


def _end(wrong: list[str], right: str) -> None:
    click.echo("\n".join(wrong) or right)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
