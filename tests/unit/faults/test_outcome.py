"""A row passes when nothing is wrong, and each thing that can be wrong makes it fail."""

from typing import Any

import pytest

from services.verifier.verdict import CLASSES
from tests.faults.loads import FULL
from tests.faults.outcome import Outcome, Played, broken, judge
from tests.faults.rows import Row
from tests.support.reports import CONTACTS, EVENTS, report
from tests.unit.faults.made import played

ONE_MORE_LETTER = EVENTS.model_copy(update={"dead_lettered": 2, "accepted": 12})
ANOTHER_COUNT = {"outputs": {"problems|c|1": "a", "accounts|purchases|0": "other"}}


def judged(of: Played, disturbance: str = "kill") -> Outcome:
    return judge(Row(disturbance, "memory", 1, FULL), of, played(), seconds=1.23, code="c")


def test_a_run_like_the_undisturbed_one_passes() -> None:
    outcome = judged(played(recoveries=(0.5, 2.341), exit_codes=(("w", -9), ("w", -9), ("o", 75))))

    assert outcome.passed
    assert outcome.note == ""
    assert outcome.recovery_seconds == 2.34
    assert outcome.exit_codes == {"w": {-9: 2}, "o": {75: 1}}
    assert (outcome.lost, outcome.wrong, outcome.outputs_differing) == (0, 0, 0)


@pytest.mark.parametrize("name", CLASSES)
def test_any_finding_of_the_verifier_fails_it(name: str) -> None:
    outcome = judged(played(verdict={name: ("c-1 it is",)}))

    assert not outcome.passed
    assert "1, such as c-1 it is" in outcome.note


def test_wrong_counts_customers_and_problems() -> None:
    assert judged(played(verdict={"wrong": ("a",), "problems_wrong": ("b", "c")})).wrong == 3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"verdict": {"facts_digest": "other"}}, "facts' digest"),
        ({"verdict": {"outputs": {}}}, "outputs differing: 2"),
        ({"verdict": ANOTHER_COUNT}, "accounts|purchases|0"),
        ({"report": report(decisions_digest="other")}, "decisions_digest"),
        ({"report": report(contacts=CONTACTS.model_copy(update={"double": 1}))}, "twice"),
        ({"report": report(events=ONE_MORE_LETTER)}, "1 more dead letters"),
        ({"missed": ("SIGKILL w",)}, "never fell: SIGKILL w"),
    ],
)
def test_any_difference_fails_it(changes: dict[str, Any], told: str) -> None:
    outcome = judged(played(**changes))

    assert not outcome.passed
    assert told in outcome.note


def test_the_deadly_record_must_be_the_one_dead_letter_and_may_change_the_counts() -> None:
    right = played(report=report(events=ONE_MORE_LETTER), verdict=ANOTHER_COUNT)

    outcome = judged(right, "deadly_record")

    assert outcome.passed
    assert (outcome.outputs_differing, outcome.counts_differing) == (0, 1)
    assert not judged(played(), "deadly_record").passed


def test_a_broker_that_was_away_may_change_counts_and_nothing_else() -> None:
    assert judged(played(verdict=ANOTHER_COUNT), "broker_kill").passed
    assert not judged(played(verdict={"outputs": {}}), "broker_kill").passed


def test_a_run_that_broke_off_fails_without_counts() -> None:
    row = Row("kill", "memory", 1, FULL)
    outcome = broken(row, TimeoutError("no echo\nof 7"), seconds=3.0, code="c")

    assert not outcome.passed
    assert outcome.lost is None
    assert outcome.note == "TimeoutError: no echo of 7"
