"""`python -m deploy.kubernetes`: the generated manifests made, or held against what they are made from."""

import sys
from pathlib import Path

import click

from deploy.kubernetes import generated
from deploy.kubernetes.topics import Layout


@click.group()
def main() -> None:
    """Make and check the manifests that are made from the contracts and the rules."""


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
    """Write the manifests; with your own layout, into a folder of your own."""
    changed = generated.write(Layout(prefix, partitions, replicas), out)
    click.echo("\n".join(changed) or "manifests are up to date")


@main.command()
def check() -> None:
    """Say which committed manifest differs from what it is made from (exit code 1)."""
    found = generated.drift()
    click.echo("\n".join(found) or "manifests are up to date")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
