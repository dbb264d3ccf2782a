"""`python -m tests.faults.ingest`: outages and strangers at the door, and a verdict for each."""

from pathlib import Path

import click
from rich.console import Console

from services.kit.clock import monotonic
from services.kit.exits import EXIT_UNAVAILABLE, EXIT_USAGE, Unavailable, leave
from tests.faults.ingest.rows import ROWS
from tests.faults.ingest.scene import Scene, outcome
from tests.faults.outreach.outcome import Outcome, show
from tests.faults.verdicts import NOT_CARRIED_OUT, conclude, fault_of, made_anew

_WIDTH = 132
_EPILOG = """\b
Examples:
  python -m tests.faults.ingest --folder build/ingest --quick
  python -m tests.faults.ingest --folder build/ingest --row broker_frozen
"""


@click.command(
    help="Take ingest's broker away under load and let strangers be slow, many, large and wrong; hold "
    "what publishers were told against what the topic holds, and watch memory and probes.",
    epilog=_EPILOG,
)
@click.option("--row", "name", default=None, help=f"One of {', '.join(ROWS)}; all if not given.")
@click.option("--quick", is_flag=True, help="Less of everything.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="For logs and report.json; a row's folder in it is made anew.",
)
def main(*, name: str | None, quick: bool, as_json: bool, folder: Path) -> None:
    """Run what is asked for; exit code 1 where a row does not pass."""
    if name is not None and name not in ROWS:
        leave(f"no row {name}; there are {', '.join(ROWS)}", EXIT_USAGE)
    console = Console(stderr=as_json, width=_WIDTH)
    try:
        outcomes = [_run(row, folder, quick, console) for row in ([name] if name else ROWS)]
    except Unavailable as error:
        leave(str(error), EXIT_UNAVAILABLE)
    conclude(outcomes, folder, as_json=as_json)


def _run(row: str, folder: Path, quick: bool, console: Console) -> Outcome:
    """Run a row; one that cannot be carried out has failed, and the next one runs."""
    place = made_anew(folder, row)

    def say(text: str) -> None:
        console.print(f"{row}: {text}", markup=False, highlight=False, soft_wrap=True)

    scene, began = Scene(row, place, quick, say), monotonic()
    try:
        found = ROWS[row](scene)
    except NOT_CARRIED_OUT as error:
        found = outcome(scene, began, {}, [fault_of(error)])
    show(console, found)
    return found


if __name__ == "__main__":
    main()
