"""Which of a notice and a complaint came first, and what counts as the window between them."""

from datetime import datetime, timedelta

import pytest

from bench.published_race import judged
from tests.factories import START


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


PUBLISHED = {"c-1": after(1)}
STARTED, COMPLAINED = "started", "complained"


def test_a_notice_that_started_before_the_complaint_was_acknowledged_was_first() -> None:
    told = judged(PUBLISHED, [("c-1", STARTED, after(0.9)), ("c-1", COMPLAINED, after(1.1))])

    assert (told.rounds, told.started_before_the_complaint) == (1, 1)
    assert told.window_seconds == {}


def test_a_notice_between_acknowledgement_and_commit_is_in_the_window() -> None:
    told = judged(PUBLISHED, [("c-1", STARTED, after(1.25)), ("c-1", COMPLAINED, after(1.5))])

    assert told.started_in_the_window == 1
    assert told.window_seconds == {"median": 0.25, "p90": 0.25, "max": 0.25}


@pytest.mark.parametrize("started", [0.5, 1.25, 1.6])
def test_what_starts_behind_the_commit_is_found_whatever_the_clocks_say(started: float) -> None:
    told = judged(PUBLISHED, [("c-1", COMPLAINED, after(1.5)), ("c-1", STARTED, after(started))])

    assert told.started_after_it_was_committed == 1
    assert told.started_in_the_window == 0


def test_every_round_ends_in_one_way() -> None:
    published = {f"c-{n}": after(1) for n in range(5)}
    told = judged(
        published,
        [
            ("c-0", COMPLAINED, after(1.2)),
            ("c-1", STARTED, after(0.5)),
            ("c-2", STARTED, after(1.1)),
            ("c-3", STARTED, after(1.3)),
            ("c-1", COMPLAINED, after(1.4)),
            ("c-2", COMPLAINED, after(1.4)),
            ("c-3", COMPLAINED, after(1.4)),
            ("c-4", COMPLAINED, after(1.4)),
        ],
    )

    assert told.never_started == 2
    assert told.started_before_the_complaint == 1
    assert told.started_in_the_window == 2
    assert told.window_seconds == {"median": 0.2, "p90": 0.3, "max": 0.3}
