"""Workers that have names in their group: a restart moves nobody's partitions, and a name is one process'.

What takes longest, and what happens without names, is left to `make partitions-check`.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from services.contracts import topics as t
from tests.factories import HOUR, START, placed
from tests.support.service import Service, running
from tests.support.topics import Deployment, wait_for

pytestmark = pytest.mark.connected

OWNED = re.compile(r'"partition": (\d+).*"event": "partition_owned"')


def settings(deployment: Deployment, folder: Path, **more: str) -> dict[str, str]:
    return {
        **deployment.environment(CARE_CLOCK="system"),
        # Longer than a start takes here.
        "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "45",
        "CARE_CHURN_PREDICTOR_FOLDER": str(folder),
        "CARE_CHURN_PREDICTOR_STORE": "rocksdb",
        **more,
    }


def taken(service: Service) -> list[int]:
    """Return the partitions a worker has taken over so far, each as often as it did."""
    return [int(number) for number in OWNED.findall(service.output())]


@contextmanager
def two(
    deployment: Deployment, folder: Path, names: tuple[str, ...], session: str = "45"
) -> Iterator[list[Service]]:
    """Yield two workers that share the partitions."""
    with ExitStack() as stack:
        workers = []
        for number in range(2):
            own = folder / str(number)
            own.mkdir()
            named = {"CARE_CHURN_PREDICTOR_MEMBER": names[number]} if names else {}
            told = settings(deployment, own, CARE_CHURN_PREDICTOR_SESSION_SECONDS=session, **named)
            workers.append(stack.enter_context(running("churn_predictor", told, own / "log")))
            wait_for(lambda: taken(workers[-1]), "partitions to be taken", 120)
        first, second = workers
        # The second one made the first one give half of them up.
        wait_for(lambda: len(taken(first)) == deployment.partitions * 3 // 2, "a half to stay", 120)
        wait_for(lambda: len(taken(second)) == deployment.partitions // 2, "the other half", 120)
        yield workers


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("predictor-0", "predictor-1"), id="named"),
        pytest.param((), id="unnamed", marks=pytest.mark.long),
    ],
)
def test_a_restart_in_time_moves_no_partition_of_workers_with_names(
    names: tuple[str, ...], deployment: Deployment, tmp_path: Path
) -> None:
    with two(deployment, tmp_path, names) as (first, second):
        before, half = len(taken(second)), set(taken(second))
        mine = len(taken(first))

        assert first.terminate() == 0
        first.restart()
        wait_for(lambda: len(taken(first)) > mine, "its partitions again", 120)
        # What comes now is worked on by whoever owns it.
        deployment.publish(*(placed(f"o-{n}", customer=f"c-{n}", at=START) for n in range(40)))
        wait_for(lambda: _applied(deployment) == 40, "every event", 120)

        moved = len(taken(second)) - before
        if names:
            assert moved == 0
            assert set(taken(first)[mine:]) == set(range(deployment.partitions)) - half
        else:
            assert moved > 0
        assert second.process.poll() is None


def test_a_second_process_of_a_name_puts_the_first_one_out_and_says_so(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Nothing is committed meanwhile, which would be refused by itself: the group alone tells it."""
    alike = {
        "CARE_CHURN_PREDICTOR_MEMBER": "predictor-0",
        "CARE_CHURN_PREDICTOR_SESSION_SECONDS": "12",
        "CARE_CLOCK": "ticks",
    }
    with ExitStack() as stack:
        workers = []
        for number in range(2):
            own = tmp_path / str(number)
            own.mkdir()
            told = settings(deployment, own, **alike)
            workers.append(stack.enter_context(running("churn_predictor", told, own / "log")))
            wait_for(lambda: len(taken(workers[-1])) == deployment.partitions, "to take them", 120)
        first, second = workers

        assert first.process.wait(60) == 75, first.output()
        assert "no longer the group's member predictor-0" in first.output().splitlines()[-1]
        deployment.publish(*(placed(f"o-{n}", customer=f"c-{n}", at=START) for n in range(40)))
        deployment.await_barrier(deployment.tick(START + HOUR))
        assert _applied(deployment) == 40
        assert second.process.poll() is None
        assert len(taken(second)) == deployment.partitions


@pytest.mark.long
def test_a_worker_that_was_frozen_beyond_its_session_ends_and_its_partitions_go_on(
    deployment: Deployment, tmp_path: Path
) -> None:
    with two(deployment, tmp_path, ("predictor-0", "predictor-1"), session="12") as (first, second):
        half = len(taken(second))
        first.pause()
        # The others have them by now.
        wait_for(lambda: len(taken(second)) == half + deployment.partitions, "all to be taken", 120)
        first.resume()

        assert first.process.wait(60) == 75, first.output()
        deployment.publish(*(placed(f"o-{n}", customer=f"c-{n}", at=START) for n in range(40)))
        wait_for(lambda: _applied(deployment) == 40, "every event", 120)
        assert second.process.poll() is None


def _applied(deployment: Deployment) -> int:
    latest = {
        (v["topic"], v["partition"]): v["applied"]
        for v in deployment.values(t.ACCOUNTS)
        if v["topic"] == t.PURCHASES.name
    }
    return sum(latest.values())
