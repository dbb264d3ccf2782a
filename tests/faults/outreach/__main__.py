"""`python -m tests.faults.outreach`: faults around the contact ledger, and a verdict for each."""

import os
from pathlib import Path

import click
from rich.console import Console

from services.kit.clock import monotonic
from services.kit.exits import EXIT_UNAVAILABLE, EXIT_USAGE, Unavailable, leave
from tests.backends import BACKENDS
from tests.faults.outreach.outcome import Outcome, show
from tests.faults.outreach.rows import ROWS
from tests.faults.outreach.world import Scene
from tests.faults.verdicts import NOT_CARRIED_OUT, conclude, fault_of, made_anew

_WIDTH = 132
_EPILOG = """\b
Examples:
  python -m tests.faults.outreach --folder build/outreach --quick
  python -m tests.faults.outreach --folder build/outreach --row kills --seed 3
"""


@click.command(
    help="Do to outreach, its mail server and its neighbours what the world does, and hold what the "
    "mail server got, what the topic tells and what the ledger says against each other.",
    epilog=_EPILOG,
)
@click.option("--row", "name", default=None, help=f"One of {', '.join(ROWS)}; all if not given.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of what is drawn by chance.")
@click.option("--quick", is_flag=True, help="Less of everything.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="For logs and report.json; a row's folder in it is made anew.",
)
def main(*, name: str | None, seed: int, quick: bool, as_json: bool, folder: Path) -> None:
    """Run what is asked for; exit code 1 where a row does not pass."""
    if name is not None and name not in ROWS:
        leave(f"no row {name}; there are {', '.join(ROWS)}", EXIT_USAGE)
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console = Console(stderr=as_json, width=_WIDTH)
    try:
        outcomes = _run_all([name] if name else list(ROWS), folder, seed, quick, console)
    except Unavailable as error:
        leave(str(error), EXIT_UNAVAILABLE)
    conclude(outcomes, folder, as_json=as_json)


def _run_all(
    names: list[str], folder: Path, seed: int, quick: bool, console: Console
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with BACKENDS[os.environ.get("CARE_TEST_BACKEND") or "embedded"]() as addresses:
        for row in names:
            place = made_anew(folder, row)

            def say(text: str, row: str = row) -> None:
                console.print(f"{row}: {text}", markup=False, highlight=False, soft_wrap=True)

            outcome = _run(row, Scene(addresses, place, seed, quick, say))
            show(console, outcome)
            outcomes.append(outcome)
    return outcomes


def _run(row: str, scene: Scene) -> Outcome:
    """Run a row; one that cannot be carried out has failed, and the next one runs."""
    began = monotonic()
    try:
        return ROWS[row](scene)
    except NOT_CARRIED_OUT as error:
        return Outcome(row, scene.seed, scene.quick, monotonic() - began, {}, [fault_of(error)])


if __name__ == "__main__":
    main()
