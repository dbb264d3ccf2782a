"""`python -m deploy.grafana.live`: plays the demo under a Prometheus and asks it every query there is."""

import json
import os
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from deploy.grafana import committed
from deploy.grafana.live import prometheus, report
from deploy.grafana.live.asking import Stretch
from deploy.grafana.live.inspection import inspect
from deploy.grafana.live.prometheus import SCRAPE_SECONDS, Prometheus
from deploy.grafana.live.verdicts import Result
from services.demo.barriers import NoEcho
from services.demo.door import DoorClosed
from services.demo.figures import Report
from services.demo.replay import Moments
from services.demo.run import Audience, Options, run
from services.demo.stage import Stage
from services.demo.supervisor import SERVICES, ServiceLost
from services.kit.clock import SystemClock, monotonic
from services.kit.exits import EXIT_UNAVAILABLE, Unavailable, leave
from services.shop.parameters import ShopParameters

RULES = Path(__file__).parents[2] / "prometheus" / "rules"
_CALM = timedelta(seconds=5 * SCRAPE_SECONDS)
"""Scraped so long after the end: what the last step said has been counted by then."""
_PATIENCE_SECONDS = 60.0


class Inspector:
    """Starts a Prometheus when the demo's services are up, and asks it before they go."""

    def __init__(self, program: Path, folder: Path, rules: Path, stack: ExitStack) -> None:
        self._program = program
        self._rules = sorted(rules.glob("*.yml"))
        self._folder = folder
        self._stack = stack
        self._server: Prometheus | None = None
        self._began = SystemClock().now()
        self.results: list[Result] = []

    def begin(self, stage: Stage) -> Moments:
        """Scrape the services from now on; the demo goes on undisturbed."""
        targets = {name: stage.services.address(name) for name in SERVICES}
        self._server = self._stack.enter_context(
            prometheus.running(self._program, self._folder, targets, self._rules)
        )
        self._began = SystemClock().now()
        return Moments()

    def ask(self, stage: Stage, played: Report) -> None:
        """Wait until the end is scraped, then ask everything."""
        del stage, played
        assert self._server is not None
        ended = self._calm(self._server)
        over = Stretch(self._began.timestamp(), ended.timestamp(), SCRAPE_SECONDS)
        self.results = inspect(self._server, committed.FOLDER, over)

    def _calm(self, server: Prometheus) -> datetime:
        wanted = SystemClock().now() + _CALM
        deadline = monotonic() + _PATIENCE_SECONDS
        while (seen := server.seen_until()) < wanted:
            if monotonic() > deadline:
                raise Unavailable(
                    f"Prometheus has not scraped everything within {_PATIENCE_SECONDS:.0f} s of the "
                    f"demo's end: seen until {seen:%H:%M:%S}, wanted {wanted:%H:%M:%S}"
                )
            threading.Event().wait(SCRAPE_SECONDS / 4)
        return seen.astimezone(UTC)


@click.command()
@click.option(
    "--customers",
    type=click.IntRange(1),
    default=300,
    show_default=True,
    help="Of the demo's shop.",
)
@click.option(
    "--days", type=click.IntRange(1), default=30, show_default=True, help="How long its shop runs."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Which shop.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("build/dashboards"), show_default=True,
    help="Where mails, logs, Prometheus' files and report.json go.",
)  # fmt: skip
@click.option(
    "--rules", type=click.Path(path_type=Path, file_okay=False), default=RULES,
    help="Folder with recording rules; without it the repository's own.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON and nothing else.")
def main(*, customers: int, days: int, seed: int, folder: Path, rules: Path, as_json: bool) -> None:
    """Play the demo, scrape it with a real Prometheus, and run every panel's query and recording rule.

    Exit code 1 where a query shows nothing and nothing allows it to; 75 where there is no Prometheus.
    """
    options = Options(
        seed=seed, parameters=ShopParameters(customers=customers, days=days), folder=folder / "demo"
    )
    try:
        results = _inspected(options, folder, rules, quiet=as_json)
    except Unavailable as error:
        leave(str(error), EXIT_UNAVAILABLE)
    except (ServiceLost, DoorClosed, NoEcho) as error:
        leave(str(error), 1)
    told = report.as_json(results)
    text = json.dumps(told, indent=2, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    click.echo(text if as_json else "\n".join(report.lines(results)))
    raise SystemExit(0 if told["ok"] else 1)


def _inspected(options: Options, folder: Path, rules: Path, *, quiet: bool) -> list[Result]:
    program = prometheus.found(os.environ)
    with ExitStack() as stack:
        inspector = Inspector(program, folder / "prometheus", rules, stack)
        audience = Audience(
            say=(lambda text: None) if quiet else click.echo,
            disturb=inspector.begin,
            hold=inspector.ask,
        )
        run(options, audience)
    return inspector.results


if __name__ == "__main__":
    main()
