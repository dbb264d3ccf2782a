"""A large simulated shop through the whole pipeline: time, memory of every process, nothing lost.

python -m bench.whole_pipeline --customers 100000 --days 60
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console

from services.demo.figures import Report
from services.demo.run import Audience, Options, Sight, run
from services.demo.stage import Cast, Stage
from services.kit.clock import monotonic
from services.shop.presets import PRESETS
from services.verifier.verdict import Verdict
from services.verifier.verify import read, verify

_SAMPLE_SECONDS = 5.0
_SAY_SECONDS = 20.0
_PATIENCE_SECONDS = 1800.0


@dataclass(slots=True)
class Usage:
    """The most memory, and the CPU time so far, of everything that runs under one label."""

    rss_mib: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(slots=True)
class Meter:
    """Samples this process, its children and the parts they run on."""

    usage: dict[str, Usage] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample until the end of the block."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        found: dict[str, Usage] = {}
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            try:
                label = "shop, door, sink and verifier" if process == me else _label(process)
                one, times = found.setdefault(label, Usage()), process.cpu_times()
                # What PostgreSQL's processes share would be counted once for each.
                one.rss_mib += process.memory_full_info().pss / 1024 / 1024
                one.cpu_seconds += times.user + times.system
            except psutil.NoSuchProcess:
                continue
        for label, one in found.items():
            most = self.usage.setdefault(label, Usage())
            most.rss_mib = max(most.rss_mib, one.rss_mib)
            most.cpu_seconds = max(most.cpu_seconds, one.cpu_seconds)


def _label(process: psutil.Process) -> str:
    words = process.cmdline()
    service = next((w.removeprefix("services.") for w in words if w.startswith("services.")), None)
    if service is not None and "local" not in service:
        return service
    name = process.name()
    return {"java": "Apache Kafka", "postgres": "PostgreSQL"}.get(name, name)


@dataclass(slots=True)
class Run:
    """One run and what it found."""

    options: Options
    meter: Meter = field(default_factory=Meter)
    verdict: Verdict | None = None
    played_seconds: float = 0.0
    _began: float = field(default_factory=monotonic)
    _said: float = 0.0

    def play(self) -> Report:
        """Play to the end and return the report; the verdict is kept beside it."""
        audience = Audience(say=_say, see=self._see, hold=self._hold)
        with self.meter.running():
            return run(self.options, audience)

    def _see(self, sight: Sight) -> None:
        self.played_seconds = monotonic() - self._began
        if monotonic() - self._said > _SAY_SECONDS:
            self._said = monotonic()
            done = (sight.at - sight.start) / (sight.end - sight.start)
            _say(f"{done:4.0%}  {sight.events} events  {sight.mails} mails")

    def _hold(self, stage: Stage, report: Report) -> None:
        del report
        _say("verifying")
        found = read(stage.kafka_bootstrap, prefix=stage.topic_prefix, partitions=stage.partitions)
        self.verdict = verify(found, mails=[(m.problem_id, m.step) for m in stage.mails.mails])


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False)


def result(one: Run, report: Report) -> dict[str, Any]:
    """Return everything worth writing down."""
    verdict = one.verdict
    assert verdict is not None
    findings = {
        name: len(value)
        for name, value in verdict.model_dump(exclude={"outputs"}).items()
        if isinstance(value, list | tuple) and not name.endswith("checked")
    }
    return {
        "customers": one.options.parameters.customers,
        "days": one.options.parameters.days,
        "events_accepted": report.events.accepted,
        "played_seconds": round(one.played_seconds),
        "events_per_second": round(report.events.accepted / one.played_seconds),
        "findings": findings,
        "is_good": verdict.is_good,
        "faults": list(report.faults),
        "usage": {
            label: {"rss_mib": round(u.rss_mib), "cpu_seconds": round(u.cpu_seconds)}
            for label, u in sorted(one.meter.usage.items())
        },
    }


@click.command()
@click.option("--customers", default=100_000, show_default=True)
@click.option("--days", default=60, show_default=True)
@click.option("--step-hours", default=6, show_default=True, help="Simulated hours per barrier.")
@click.option("--seed", default=1, show_default=True)
@click.option("--store", type=click.Choice(["memory", "rocksdb"]), default="rocksdb")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("build/pipeline"), show_default=True
)
def main(customers: int, days: int, step_hours: int, seed: int, store: str, out: Path) -> None:
    """Play a large shop through ingest, predictor, outreach and metrics, and verify every record."""
    options = Options(
        seed=seed,
        parameters=replace(PRESETS["load"], customers=customers, days=days),
        step=timedelta(hours=step_hours),
        folder=out,
        patience_seconds=_PATIENCE_SECONDS,
        cast=Cast(settings={"CARE_CHURN_PREDICTOR_STORE": store}),
    )
    one = Run(options)
    found = json.dumps(result(one, one.play()), indent=2)
    (out / "pipeline.json").write_text(found + "\n", encoding="utf-8")
    click.echo(found)


if __name__ == "__main__":
    main()
