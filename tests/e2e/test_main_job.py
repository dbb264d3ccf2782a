"""The main job from door to letter box, undisturbed and with services killed on the way."""

import signal
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.demo.figures import Report
from services.demo.mail_sink import MailSink
from services.demo.replay import Moments, Step
from services.demo.run import Audience, Options, run
from services.demo.stage import Cast, Stage
from services.shop.parameters import ShopParameters

pytestmark = [pytest.mark.connected, pytest.mark.usefixtures("on_the_tests_parts")]

SHOP = ShopParameters(customers=200, days=10)
SHORT_DAYS = 6
STEP = timedelta(hours=3)
PREDICTOR_DIES_AT = 28
METRICS_DIES_AT = (20, 40)
OUTREACH_DIES_BEFORE_SEND = 4
"""In a step with several, so that others of the same step wait in the ledger."""


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What happens when nothing goes wrong."""
    return run(options(tmp_path_factory.mktemp("calm")))


def options(folder: Path) -> Options:
    return Options(seed=3, parameters=SHOP, step=STEP, folder=folder)


def test_problems_are_noticed_and_people_written_to_once(calm: Report) -> None:
    assert calm.faults == ()
    assert calm.contacts.sent > 5
    assert calm.contacts.double == 0
    assert calm.events.accepted > 0
    assert calm.events.accepted == (
        calm.events.applied + calm.events.duplicate + calm.events.late + calm.events.dead_lettered
    )
    assert calm.events.duplicate > 0
    assert calm.events.late > 0
    assert calm.events.dead_lettered > 0
    assert calm.events.rejected
    assert calm.metrics.series > 50


def test_the_predictor_and_outreach_and_metrics_killed_on_the_way_change_nothing(
    calm: Report, tmp_path: Path
) -> None:
    """One SIGKILL of the predictor with a tick under way, one of outreach between two sends, two of
    the metrics service, whose figures are counted anew in the end."""

    def disturb(stage: Stage) -> Moments:
        def after_tick(step: Step) -> None:
            if step.number == PREDICTOR_DIES_AT:
                stage.services.kill("churn_predictor")
            if step.number in METRICS_DIES_AT:
                stage.services.kill("metrics")

        return Moments(after_tick=after_tick)

    dying = [sys.executable, "-m", "tests.faults.outreach_dying", "before"]
    once = str(tmp_path / "died")
    commands = {"outreach": [*dying, str(OUTREACH_DIES_BEFORE_SEND), once]}
    cast = Cast(commands=commands)
    killed = run(replace(options(tmp_path / "demo"), cast=cast), Audience(disturb=disturb))

    assert killed.restarts["churn_predictor"] == 1
    assert killed.restarts["outreach"] == 1
    assert killed.restarts["metrics"] == len(METRICS_DIES_AT)
    assert killed.metrics == calm.metrics
    assert killed.decisions_digest == calm.decisions_digest
    assert killed.contacts == calm.contacts
    assert killed.events == calm.events
    assert killed.profiles == calm.profiles
    assert killed.problems == calm.problems


def test_outreach_killed_between_data_and_its_250_writes_to_nobody_twice(tmp_path: Path) -> None:
    died = threading.Event()

    def disturb(stage: Stage) -> Moments:
        def hang_and_kill(sink: MailSink) -> None:
            if len(sink.mails) == 2 and not died.is_set():
                died.set()
                stage.services.send_signal("outreach", signal.SIGKILL)

        stage.mails.before_answer = lambda _: hang_and_kill(stage.mails)
        return Moments()

    # The second mail is written within a few days.
    short = replace(options(tmp_path), parameters=replace(SHOP, days=SHORT_DAYS))
    report = run(short, Audience(disturb=disturb))

    assert died.is_set()
    assert report.restarts["outreach"] == 1
    assert report.contacts.double == 0
    assert report.contacts.unknown <= 1
    assert report.faults == ()
