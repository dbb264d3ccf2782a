"""A few rows of `make stream-check`, small: a lost disk, a worker that comes back from the dead."""

import sys
from pathlib import Path

import pytest

from tests.faults.calm import CalmRuns
from tests.faults.disturbances import DISTURBANCES, Disturbance
from tests.faults.driver import Watch, run_row
from tests.faults.loads import TINY
from tests.faults.rows import Row

pytestmark = [pytest.mark.connected, pytest.mark.usefixtures("on_the_tests_parts")]

ROWS = ("empty_store/rocksdb", "freeze_one/memory")


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> CalmRuns:
    """The undisturbed run, played once for all rows."""
    return CalmRuns(tmp_path_factory.mktemp("calm"), "now", Watch())


@pytest.mark.parametrize("name", ROWS)
def test_what_is_disturbed_ends_as_what_is_not(name: str, calm: CalmRuns, tmp_path: Path) -> None:
    disturbance, store = name.split("/")
    row = Row(disturbance, store, 1, TINY)

    outcome = run_row(row, tmp_path / row.name, calm.of(1, TINY), Watch(), "now")

    assert outcome.passed, outcome.note
    assert outcome.hits
    assert outcome.events is not None
    assert outcome.events > 100


def test_a_worker_that_forgets_is_found_out(
    calm: CalmRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that passes above would mean anything if this passed too."""
    command = sys.executable, "-m", "tests.faults.predictor_forgetting"
    forgetful = Disturbance(plan=lambda _: (), commands={"churn_predictor": command})
    monkeypatch.setitem(DISTURBANCES, "forgetful", forgetful)

    row = Row("forgetful", "memory", 1, TINY)
    outcome = run_row(row, tmp_path / row.name, calm.of(1, TINY), Watch(), "now")

    assert not outcome.passed
    assert outcome.wrong
    assert "the facts' digest is not the undisturbed run's" in outcome.note
