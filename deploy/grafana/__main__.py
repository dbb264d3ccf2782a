"""`python -m deploy.grafana`: the committed dashboards made, and held against the code and the rules."""

import json
import sys
from pathlib import Path

import click

from deploy.grafana import committed, house_rules
from deploy.grafana.assembly import Addresses


@click.group()
def main() -> None:
    """Make and check the Grafana dashboards."""


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=committed.FOLDER,
    help="Folder that gets them; without it the committed ones are made anew.",
)  # fmt: skip
@click.option(
    "--alerts", default=Addresses().alerts, show_default=True, help="Before an alert's name."
)
@click.option(
    "--runbooks", default=Addresses().runbooks, show_default=True, help="Before `<alert>.md`."
)
@click.option("--desk", default=Addresses().desk, show_default=True, help="Before `/v1/…`.")
def write(out: Path, alerts: str, runbooks: str, desk: str) -> None:
    """Write the dashboards; with your addresses, into a folder of your own."""
    changed = committed.write(out, Addresses(alerts=alerts, runbooks=runbooks, desk=desk))
    click.echo("\n".join(changed) or "dashboards are up to date")


@main.command()
def check() -> None:
    """Say which committed dashboard differs from the code, and which rule one breaks (exit code 1)."""
    found = [f"{name}: not what the code says; make dashboards" for name in committed.drift()]
    for path in sorted(committed.FOLDER.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found += [f"{path.name}: {fault}" for fault in house_rules.faults(content, path.stem)]
    click.echo("\n".join(found) or "dashboards keep the rules")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
