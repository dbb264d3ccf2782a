"""`python -m deploy.settings`: the reference of settings made, and held against the models."""

import sys

import click

from deploy.settings import page


@click.group()
def main() -> None:
    """Make and check docs/settings.md."""


@main.command()
def write() -> None:
    """Write the page anew where it differs from the models."""
    click.echo("\n".join(page.write()) or "settings are up to date")


@main.command()
def check() -> None:
    """Say whether the page differs from the models, and of which setting nothing is said (exit code 1)."""
    found = [f"{name}: not what the settings say; make settings" for name in page.drift()]
    found += [f"{name}: has no description" for name in page.undescribed()]
    click.echo("\n".join(found) or "settings are up to date")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
