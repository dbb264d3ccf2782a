"""`care demo`: the whole system on real Kafka and PostgreSQL, played through a shop's weeks."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console

from services.cli.lengths import StepLength
from services.cli.progress import Reached, showing
from services.demo.barriers import NoEcho
from services.demo.door import DoorClosed
from services.demo.figures import Report
from services.demo.run import Audience, Options, Sight, run
from services.demo.stage import Stage
from services.demo.summary import addresses, summarise
from services.demo.supervisor import ServiceLost
from services.kit.exits import EXIT_UNAVAILABLE, EXIT_USAGE, Unavailable, leave
from services.kit.plurals import counted
from services.recorded.olist_files import UnusableFiles
from services.shop.parameters import ShopParameters

_EXIT_INTERRUPTED = 130
_EXPECTED = (ServiceLost, DoorClosed, NoEcho)
"""Failures that need a line, not a traceback."""


@click.command(
    help="Run the whole system on a simulated or recorded shop and report what happened.",
    epilog=(
        "\b\nExamples:\n"
        "  care demo\n"
        "  care demo --seed 7 --days 14\n"
        "  care demo --olist ~/olist --orders 3000\n"
        "  care demo --keep\n"
    ),
)
@click.option("--seed", type=int, default=1, show_default=True, help="Which simulated shop.")
@click.option(
    "--customers", type=click.IntRange(1, 20_000), default=500, show_default=True,
    help="Of the simulated shop.",
)  # fmt: skip
@click.option(
    "--days", type=click.IntRange(1, 365), default=30, show_default=True,
    help="How long the simulated shop runs.",
)  # fmt: skip
@click.option(
    "--olist", type=click.Path(path_type=Path), default=None,
    help="Folder with the Olist files (.csv or .csv.gz): play the recorded shop instead.",
)  # fmt: skip
@click.option(
    "--orders", type=click.IntRange(1), default=3000, show_default=True,
    help="Of the recorded shop: the last so many.",
)  # fmt: skip
@click.option(
    "--step", type=StepLength(), default=timedelta(hours=1), show_default="1h",
    help="Simulated time between two looks at the clock.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Leave everything up until Ctrl-C, print the addresses.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON and nothing else.")
def demo(
    *, seed: int, customers: int, days: int, olist: Path | None, orders: int, step: timedelta,
    keep: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run the demo; exit code 1 where somebody was contacted twice or a record is missing."""
    options = Options(
        seed=seed,
        parameters=ShopParameters(customers=customers, days=days),
        olist=olist.expanduser() if olist else None,
        orders=orders,
        step=step,
    )
    out = Console()
    shown = Console(quiet=True) if as_json else out
    try:
        with _live(shown) as audience:
            report = run(options, replace(audience, hold=_hold(shown)) if keep else audience)
    except Unavailable as error:
        leave(str(error), EXIT_UNAVAILABLE)
    except UnusableFiles as error:
        leave(str(error), EXIT_USAGE)
    except _EXPECTED as error:
        leave(str(error), 1)
    except KeyboardInterrupt:
        leave("stopped", _EXIT_INTERRUPTED)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        # Who kept the services up has read the summary already.
        _tell(report, options, out, with_summary=not keep)
    raise SystemExit(1 if report.faults else 0)


def _hold(console: Console) -> Callable[[Stage, Report], None]:
    def hold(stage: Stage, report: Report) -> None:
        console.print(summarise(report))
        console.print("\nEverything is still up; Ctrl-C ends it.", style="bold")
        for name, where in addresses(stage):
            # Never cut or wrapped: addresses are there to be copied.
            console.print(f"{name:<28}{where}", markup=False, highlight=False, soft_wrap=True)
        try:
            while True:
                threading.Event().wait(1)
                stage.services.check()
        except KeyboardInterrupt:
            return

    return hold


def _tell(report: Report, options: Options, console: Console, *, with_summary: bool) -> None:
    if with_summary:
        console.print(summarise(report))
    console.print(f"decisions digest {report.decisions_digest}", highlight=False)
    console.print(f"report written to {options.folder / 'report.json'}", highlight=False)


@contextmanager
def _live(console: Console) -> Iterator[Audience]:
    with showing(console) as shown:
        yield Audience(
            say=shown.say,
            see=lambda s: shown.see(Reached(s.at, s.start, s.end, _counts(s))),
        )


def _counts(sight: Sight) -> str:
    return ", ".join(
        (
            counted(sight.events, "event"),
            counted(sight.problems, "problem"),
            counted(sight.mails, "message"),
        )
    )
