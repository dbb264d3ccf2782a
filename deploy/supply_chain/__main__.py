"""`python -m deploy.supply_chain sbom|audit`: `make sbom` and `make audit`."""

from pathlib import Path

import click

from deploy.supply_chain.audit import OSV, audit
from deploy.supply_chain.locks import IMAGES, ROOT, all_locks, lock_of
from deploy.supply_chain.sbom import write
from services.kit import exits


@click.group()
def main() -> None:
    """What is installed where, and what is known against it."""


@main.command("sbom")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "build" / "sbom",
    help="Folder of the bills.",
)
def write_bills(out: Path) -> None:
    """Write a CycloneDX bill of materials for each image, and for what TRACING=1 adds."""
    for name in (*IMAGES, "tracing"):
        file = out / f"{name}.cdx.json"
        write(lock_of(name), file)
        click.echo(file)


@main.command("audit")
@click.option(
    "--service",
    default=OSV,
    show_default=True,
    help="Who is asked: the address of an OSV API, or `pypi`.",
)
def report_vulnerabilities(service: str) -> None:
    """Ask what is known against every locked package: ends with 1 for anything, 75 for no answer."""
    locks = all_locks()
    findings = audit(locks, service)
    for each in findings:
        click.echo(each)
    click.echo(f"{len(locks)} locks: {len(findings)} known vulnerabilities")
    if findings:
        raise SystemExit(1)


if __name__ == "__main__":
    exits.run(main)
