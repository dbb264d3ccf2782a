"""`python -m tests.faults`: every disturbance with every store, against the whole pipeline."""

import shutil
from pathlib import Path

import click

from services.kit.exits import EXIT_USAGE, leave
from tests.faults.calm import CalmRuns
from tests.faults.driver import run_row
from tests.faults.journal import Journal, digest_of_code
from tests.faults.loads import FULL, QUICK
from tests.faults.rows import Row, UnknownRow, asked, planned
from tests.faults.screen import Screen, open_console, showing, table

_EXIT_INTERRUPTED = 130


@click.command(help="Disturb the stream in every way there is and verify what came of it.")
@click.option("--row", "name", default=None, help="One disturbance, or <disturbance>/<store>.")
@click.option("--seed", type=int, default=None, help="Of the row asked for.")
@click.option("--quick", is_flag=True, help="Fewer rows and a small load.")
@click.option("--fresh", is_flag=True, help="Run rows again that passed before.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("build/stream"), show_default=True
)
def main(*, name: str | None, seed: int | None, quick: bool, fresh: bool, folder: Path) -> None:
    """Run what is asked for; exit code 1 where a row does not pass."""
    load = QUICK if quick else FULL
    try:
        rows = asked(name, seed, load) if name else planned(load)
    except UnknownRow as error:
        leave(str(error), EXIT_USAGE)
    journal, code = Journal(folder / "report.json"), digest_of_code()
    # Who names a row wants to see it.
    waiting = [row for row in rows if fresh or name or not journal.is_finished(row)]
    console = open_console()
    if len(waiting) < len(rows):
        console.print(f"{len(rows) - len(waiting)} rows passed before; FRESH=1 runs them again")
    try:
        with showing(console) as screen:
            run_all(waiting, folder, journal, screen, code)
    except KeyboardInterrupt:
        leave("stopped; the rows so far are in the report", _EXIT_INTERRUPTED)
    outcomes = [outcome for row in rows if (outcome := journal.of(row))]
    console.print(table(outcomes, code))
    console.print(f"report written to {folder / 'report.json'}", highlight=False)
    raise SystemExit(0 if all(outcome.passed for outcome in outcomes) else 1)


def run_all(rows: list[Row], folder: Path, journal: Journal, screen: Screen, code: str) -> None:
    """Run these rows one after the other and keep each outcome at once."""
    calm = CalmRuns(folder, code, screen.watch)
    for number, row in enumerate(rows, start=1):
        screen.begin(number, len(rows), f"{row.disturbance}/{row.store} seed {row.seed}")
        place = folder / row.name
        keep_failed(place, journal, row)
        outcome = run_row(row, place, calm.of(row.seed, row.load), screen.watch, code)
        screen.end(journal.add(row, outcome))


def keep_failed(place: Path, journal: Journal, row: Row) -> None:
    """Move the logs of a row that failed out of the way: they are the only evidence there is."""
    before = journal.of(row)
    if before is not None and not before.passed and place.exists():
        kept = place.with_name(f"{place.name}.failed-{before.earlier_failures + 1}")
        shutil.rmtree(kept, ignore_errors=True)
        place.rename(kept)


if __name__ == "__main__":
    main()
