"""Of what was taken back: to who was told, once, and only where the problem never was."""

from itertools import chain
from typing import Any

import pytest

from services.contracts.envelope import Event
from services.contracts.ids import step_id
from services.contracts.outreach import (
    Outcome,
    OutreachCorrected,
    OutreachDecided,
    OutreachFailed,
    OutreachSent,
    OutreachStarted,
    OutreachUnknown,
)
from services.verifier.contacted import Findings, judge_steps
from services.verifier.evidence import Attempted, PartitionEvidence
from tests.factories import HOUR, START
from tests.support.outreach import cleared, opened

NOTICE, CORRECTION = ("delivery_late", "notice"), ("delivery_correction", "correction")
OPENED = opened("c-1", START)


def said(step: tuple[str, str], *types: Any) -> list[Attempted]:
    """Return that a step was decided to be sent, started, and what else is said of it."""
    problem = OPENED.data.problem_id
    return [
        Attempted(
            type=fact.TYPE,
            id=f"{step}-{fact.TYPE}",
            customer="c-1",
            at=START,
            step_id=str(step_id(problem, *step)),
            problem_id=str(problem),
            playbook=step[0],
            step=step[1],
            attempt=0 if fact is OutreachDecided else 1,
            outcome=Outcome.CONTACT if fact is OutreachDecided else None,
            is_live=True,
            deferred_until=None,
            digest="",
        )
        for fact in (OutreachDecided, OutreachStarted, *types)
    ]


def wrong(*words: list[Attempted], clearing: str | None = "retracted") -> list[str]:
    """Return what is found wrong, without the names."""
    problems: list[Event[Any]] = [OPENED]
    if clearing is not None:
        problems.append(cleared("c-1", START + HOUR, clearing=clearing))
    found = Findings()
    judge_steps(0, PartitionEvidence(problems=[*problems]), list(chain(*words)), found)
    return [line.rpartition(": ")[2] for line in found.outreach_wrong]


CORRECTED = said(CORRECTION, OutreachSent, OutreachCorrected)


@pytest.mark.parametrize("ending", [OutreachSent, OutreachUnknown])
def test_what_was_told_or_may_have_been_is_taken_back(ending: Any) -> None:
    assert wrong(said(NOTICE, ending), CORRECTED) == []


def test_what_was_never_told_cannot_be_taken_back() -> None:
    assert wrong(said(NOTICE, OutreachFailed), CORRECTED) == ["corrects what nobody was told"]
    assert wrong(CORRECTED) == ["corrects what nobody was told"]


@pytest.mark.parametrize("clearing", [None, "solved", "expired"])
def test_what_was_true_is_not_taken_back(clearing: str | None) -> None:
    assert wrong(said(NOTICE, OutreachSent), CORRECTED, clearing=clearing) == [
        "corrects what was never retracted"
    ]


def test_what_was_taken_back_is_not_taken_back_again() -> None:
    twice = said(("another", "correction"), OutreachSent, OutreachCorrected)

    found = wrong(said(NOTICE, OutreachSent), CORRECTED, twice)
    assert found == ["corrects what was corrected before"] * 2


def test_a_correction_that_was_never_sent_is_none() -> None:
    unsent = said(CORRECTION, OutreachUnknown, OutreachCorrected)

    assert wrong(said(NOTICE, OutreachSent), unsent) == ["was corrected and never sent"]
