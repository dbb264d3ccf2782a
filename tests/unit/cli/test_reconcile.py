"""What `care reconcile` says to a person, and to a program."""

import json
from collections import Counter
from uuid import UUID

import pytest

from services.cli.reconcile import _nothing_to_do, _show
from services.outreach.findings import NOT_ON_TOPICS, Findings
from services.outreach.standing import State
from tests.factories import HOUR, START

STEP = UUID(int=7)


def found() -> Findings:
    return Findings(
        read_events=1_200,
        learnt=Counter({"care.outreach.sent.v1": 3, "care.outreach.decided.v1": 4}),
        first=START,
        last=START + HOUR,
        without_problem=2,
        sends={STEP: State.UNKNOWN, UUID(int=8): State.SENT},
    )


def test_a_person_reads_what_was_found_what_is_doubtful_and_what_to_set_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _show(found(), dry_run=False, as_json=False)

    told = capsys.readouterr().out
    for words in (
        "1,200 events of outreach read, 7 not known",
        START.isoformat(),
        "3  care.outreach.sent.v1",
        "1  unknown",
        str(STEP),
        "passed over: 2 events",
        *NOT_ON_TOPICS,
        "reconciled: outreach decides and sends again",
    ):
        assert words in told


def test_a_trial_says_that_nothing_was_changed(capsys: pytest.CaptureFixture[str]) -> None:
    _show(Findings(), dry_run=True, as_json=False)

    assert "nothing was changed" in capsys.readouterr().out


def test_a_program_gets_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    _show(found(), dry_run=False, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["reconciled"] is True
    assert told["unknown"] == [str(STEP)]
    assert told["sends"] == {"sent": 1, "unknown": 1}

    _nothing_to_do(as_json=True)
    assert json.loads(capsys.readouterr().out)["reconciled"] is False
