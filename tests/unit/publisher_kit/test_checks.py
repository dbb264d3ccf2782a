"""An answer passes where it is what was expected, in every part of it; a value of an event is never told."""

import pytest

from services.publisher_kit.certificate import latency
from services.publisher_kit.checks import (
    Answer,
    Check,
    Expected,
    Finding,
    Group,
    Sending,
    came,
    judge,
)

FAULT = {"pointer": "/data/lines/0/quantity", "code": "int_type", "detail": "canary"}


def finding(expected: Expected, answer: Answer) -> Finding:
    return judge(Check("t", Group.VALID, "n", Sending(b"{}", facts=1), expected), answer)


@pytest.mark.parametrize(
    ("expected", "answer", "passes"),
    [
        (Expected((202,)), Answer(202, {}), True),
        (Expected((202,)), Answer(503, {}), False),
        (Expected((202,)), Answer(0, because="ReadTimeout"), False),
        (Expected((202,), topic="purchases"), Answer(202, {"topic": "purchases"}), True),
        (Expected((202,), topic="purchases"), Answer(202, {"topic": "contacts"}), False),
        (Expected((202,), topic="purchases"), Answer(202, "purchases"), False),
        (Expected((422,), "/data/lines"), Answer(422, {"errors": [FAULT]}), True),
        (Expected((422,), "/data/line"), Answer(422, {"errors": [FAULT]}), False),
        (Expected((422,), "/data/lines", "missing"), Answer(422, {"errors": [FAULT]}), False),
        (Expected((422,), ""), Answer(422, {"errors": [FAULT | {"pointer": ""}]}), True),
        (Expected((422,), "/id"), Answer(422, {"errors": ["/id", 5]}), False),
        (Expected((422,), "/id"), Answer(422, None), False),
        (
            Expected((207,), items=("accepted",)),
            Answer(207, {"results": [{"status": "accepted"}]}),
            True,
        ),
        (
            Expected((207,), items=("accepted",)),
            Answer(207, {"results": [{"status": "rejected"}]}),
            False,
        ),
        (Expected((207,), items=("accepted",)), Answer(207, {"results": []}), False),
        (Expected((207,), items=("accepted",)), Answer(207, {"results": 5}), False),
    ],
)
def test_every_part_of_an_answer_counts(expected: Expected, answer: Answer, passes: bool) -> None:
    assert finding(expected, answer).passed is passes


def test_an_answer_is_told_by_its_places_and_codes() -> None:
    body = {"type": "urn:care:ingest:invalid", "errors": [FAULT] * 9, "detail": "canary"}

    told = came(Answer(422, body))

    assert told.startswith("422 invalid at /data/lines/0/quantity (int_type)")
    assert "canary" not in told
    assert came(Answer(0, because="ReadTimeout")) == "no answer (ReadTimeout)"


def test_neither_body_nor_key_is_shown_by_a_sending() -> None:
    assert "canary" not in repr(Sending(b"canary", key="canary"))


def test_the_middle_and_the_slowest_hundredth_are_of_what_was_accepted() -> None:
    took = [finding(Expected((202,)), Answer(202, {}, n / 1000)) for n in range(100, 0, -1)]
    slow = [finding(Expected((422,)), Answer(422, {}, 9.0))]

    found = latency([*took, *slow])

    assert found is not None
    assert (found.events, found.p50_seconds, found.p99_seconds) == (100, 0.05, 0.099)
    assert latency(slow) is None
