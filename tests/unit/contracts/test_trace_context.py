"""Which trace an event is in."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import trace_context as tc
from services.contracts.trace_context import TraceContext, derived, of_event, of_record, parse
from tests.factories import placed

GOOD = f"00-{'a' * 32}-{'b' * 16}-01"
OTHER = f"00-{'c' * 32}-{'d' * 16}-00"


def test_a_place_is_read_and_written() -> None:
    at = parse(GOOD, "vendor=1")

    assert at == TraceContext(GOOD, "vendor=1")
    assert (at.trace_id, at.span_id, at.is_sampled) == ("a" * 32, "b" * 16, True)
    assert tc.of_headers(at.headers) == tc.from_one_line(at.in_one_line) == at
    assert tc.from_one_line(TraceContext(OTHER).in_one_line) == TraceContext(OTHER)
    assert TraceContext(OTHER).headers == (("traceparent", OTHER.encode()),)
    assert not TraceContext(OTHER).is_sampled


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "x",
        GOOD[:-1],
        GOOD.upper(),
        f"00-{'0' * 32}-{'b' * 16}-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
        f"ff-{'a' * 32}-{'b' * 16}-01",
        f"{GOOD}-more",
        f"{GOOD}\n",
    ],
)
def test_what_the_standard_does_not_allow_is_no_place(traceparent: str | None) -> None:
    assert parse(traceparent, "vendor=1") is None


def test_of_a_later_version_only_what_is_known_is_kept() -> None:
    assert parse(f"cc{GOOD[2:]}-what-is-to-come") == TraceContext(GOOD)


@pytest.mark.parametrize("state", ["", "a=" + "b" * 511, "a=ä", "a=1\r\nx: y"])
def test_a_state_that_is_none_is_left_out(state: str) -> None:
    assert parse(GOOD, state) == TraceContext(GOOD)


def test_a_record_goes_before_its_event_and_that_before_what_is_derived() -> None:
    plain = placed(event_id="e-1")
    traced = plain.model_copy(update={"traceparent": GOOD})
    headers = [("content-type", b"x"), ("traceparent", OTHER.encode())]

    assert of_record(traced, headers) == TraceContext(OTHER)
    assert of_record(traced, [("traceparent", b"\xff"), ("tracestate", None)]) == of_event(traced)
    assert of_event(traced) == TraceContext(GOOD)
    assert of_event(plain) == derived("event", plain.source, "e-1")


def test_what_is_derived_is_the_same_for_ever() -> None:
    problem = tc.of_problem(UUID(int=7))

    assert problem.traceparent == "00-72184ef30b0e85613b3b8296b51ec264-d82096a9717d96c5-01"


@given(st.lists(st.text(), min_size=1, max_size=3), st.lists(st.text(), min_size=1, max_size=3))
def test_what_is_derived_is_a_place_of_its_own(one: list[str], other: list[str]) -> None:
    assert parse(derived(*one).traceparent) == derived(*one)
    is_same = "\x1f".join(one) == "\x1f".join(other)
    assert (derived(*one) == derived(*other)) is is_same


def test_chance_lies_where_samplers_look_for_it() -> None:
    """A sampler by share compares the last 64 bits with a bound; a UUID's are never small."""
    lows = [int(derived(str(n)).trace_id[16:], 16) for n in range(1000)]

    assert 400 < sum(low < 2**63 for low in lows) < 600
    assert 50 < sum(low < 2**64 // 10 for low in lows) < 150
