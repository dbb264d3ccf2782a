"""Runs one row: the whole pipeline on a stage of its own, disturbed, then verified."""

import contextlib
import shutil
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from services.demo.figures import Report
from services.demo.replay import Moments
from services.demo.run import Audience, Options, Sight, run
from services.demo.stage import Cast, Stage
from services.demo.supervisor import SERVICES, Limits
from services.kit.clock import monotonic
from services.kit.exits import EXIT_UNAVAILABLE, EXIT_USAGE
from services.shop.parameters import ShopParameters
from services.verifier.verdict import Verdict
from services.verifier.verify import read, verify
from tests.faults.acts import WORKER
from tests.faults.conductor import Conductor
from tests.faults.disturbances import DISTURBANCES
from tests.faults.outcome import Outcome, Played, broken, judge
from tests.faults.remade import refuse_a_remade_topic
from tests.faults.rows import Row

LIMITS = Limits(of_code={EXIT_UNAVAILABLE: 100, EXIT_USAGE: 1}, others=30)
"""An outage of the broker ends services again and again; in the demo that would be given up."""


def _unsaid(text: str) -> None:
    return


def _unseen(sight: Sight) -> None:
    return


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how far it got."""

    say: Callable[[str], None] = _unsaid
    see: Callable[[Sight], None] = _unseen


class Run:
    """One run of the pipeline."""

    def __init__(self, row: Row, folder: Path, watch: Watch) -> None:
        self._row, self._folder, self._watch = row, folder, watch
        self._disturbance = DISTURBANCES[row.disturbance]
        self._conductor: Conductor | None = None
        self._verdict: Verdict | None = None
        self._ends: tuple[tuple[str, int], ...] = ()
        self._note = ""

    def play(self) -> Played:
        """Play it to its end and return what is known of it; raises whatever stopped it."""
        report = run(
            self._options(),
            Audience(
                say=self._watch.say,
                see=self._watch.see,
                disturb=self._disturb,
                hold=self._hold,
                leave=self._leave,
            ),
        )
        assert self._conductor is not None
        assert self._verdict is not None
        return Played(
            report,
            self._verdict,
            hits=tuple(str(hit) for hit in self._conductor.hits),
            missed=tuple(self._conductor.left),
            recoveries=tuple(self._conductor.recoveries),
            exit_codes=self._ends,
            note=self._note,
        )

    def _options(self) -> Options:
        row, load = self._row, self._row.load
        others = [name for name in SERVICES if name != WORKER]
        return Options(
            seed=row.seed,
            parameters=ShopParameters(customers=load.customers, days=load.days),
            step=load.step,
            folder=self._folder,
            patience_seconds=load.patience_seconds,
            cast=Cast(
                posts=(*others, *self._disturbance.posts),
                commands=self._disturbance.commands,
                settings={
                    "CARE_CHURN_PREDICTOR_STORE": row.store,
                    "CARE_CHURN_PREDICTOR_SESSION_SECONDS": str(load.session_seconds),
                },
                limits=LIMITS,
                partitions=load.partitions,
            ),
        )

    def _disturb(self, stage: Stage) -> Moments:
        random = Random(f"{self._row.seed}/{self._row.disturbance}")
        strikes = self._disturbance.plan(random)
        self._conductor = Conductor(stage, strikes, self._row.load, random, self._watch.say)
        return self._conductor.moments()

    def _hold(self, stage: Stage, report: Report) -> None:
        assert self._conductor is not None
        self._conductor.finish()
        self._watch.say("verifying")
        evidence = read(
            stage.kafka_bootstrap, prefix=stage.topic_prefix, partitions=stage.partitions
        )
        mails = [(mail.problem_id, mail.step) for mail in stage.mails.mails]
        self._verdict = verify(evidence, mails=mails)
        text = self._verdict.model_dump_json(indent=2, exclude={"outputs"})
        (self._folder / "verdict.json").write_text(text + "\n", encoding="utf-8")
        if self._disturbance.remakes_a_topic:
            self._note = refuse_a_remade_topic(stage, self._conductor.pause)

    def _leave(self, stage: Stage) -> None:
        """Keep what would go with the stage, and let nothing be done to it any more."""
        if self._conductor is not None:
            self._conductor.abandon()
            lines = "".join(f"{hit}\n" for hit in self._conductor.hits)
            (self._folder / "hits.txt").write_text(lines, encoding="utf-8")
        self._ends = tuple((end.name, end.code) for end in stage.services.ends)
        if stage.parts.folder is not None:
            with contextlib.suppress(OSError):
                shutil.copy(stage.parts.kafka.log, self._folder / "logs" / "kafka.log")


def run_row(row: Row, folder: Path, calm: Callable[[], Played], watch: Watch, code: str) -> Outcome:
    """Return the outcome of a row; whatever stops it is an outcome too, told in `error.txt`.

    Args:
        row: What to run.
        folder: Its own, emptied first; logs, mails, report and verdict stay there.
        calm: Gives the undisturbed run of the same seed and load.
        watch: Told how far it got.
        code: Digest of the code that runs.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = monotonic()
    try:
        undisturbed = calm()
        began = monotonic()
        played = Run(row, folder, watch).play()
        outcome = judge(row, played, undisturbed, seconds=monotonic() - began, code=code)
    except Exception as error:  # noqa: BLE001 - one row that breaks must not hide the others
        (folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
        outcome = broken(row, error, seconds=monotonic() - began, code=code)
    if outcome.passed:
        _thin_out(folder, ("work", "mails"))
    (folder / "outcome.json").write_text(outcome.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return outcome


def _thin_out(folder: Path, names: tuple[str, ...]) -> None:
    """Remove what nobody asks for where all is well: stores and mails, by the thousand."""
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
