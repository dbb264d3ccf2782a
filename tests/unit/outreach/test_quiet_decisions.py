"""In every zone there is: nobody hears from us in their night, and what is held goes out when it ends."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from services.contracts.outreach import Outcome, Suppression
from services.contracts.problems import Clearing
from services.outreach.decide import decide
from services.outreach.facts import Ending
from services.outreach.knowledge import DueStep
from tests.unit.outreach.factories import (
    DAY,
    NOON,
    POLICY,
    due,
    knowledge,
    problem,
    profile,
    rules,
)

zones = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
minutes = st.integers(0, 4 * 366 * 24 * 60)
waits = st.integers(0, 48 * 60)


def is_quiet(at: datetime, zone: str) -> bool:
    return POLICY.quiet_hours.contain(at, ZoneInfo(zone))


@given(zones, minutes, waits)
def test_a_contact_is_never_in_the_night_and_the_night_only_holds(
    zone: str, minute: int, waited: int
) -> None:
    triggered_at = NOON + timedelta(minutes=minute)
    now = triggered_at + timedelta(minutes=waited)
    step: DueStep = due(problem(), triggered_at=triggered_at, due_at=now)
    known = knowledge(profile=profile(time_zone=zone))

    decision = decide(step, known, rules(), now)

    use_by = triggered_at + 2 * DAY
    if decision.outcome is Outcome.CONTACT:
        assert not is_quiet(now, zone)
    elif decision.outcome is Outcome.DEFERRED:
        released = decision.deferred_until
        assert released is not None
        assert is_quiet(now, zone)
        assert not is_quiet(released, zone)
        assert now < released <= use_by
        # Nothing but the night stood against it.
        assert decide(step, known, rules(), released).outcome is Outcome.CONTACT
        over = problem(ending=Ending(released, Clearing.SOLVED))
        again = decide(step, replace(knowledge(over), profile=known.profile), rules(), released)
        assert again.suppression is Suppression.SOLVED
    else:
        assert decision.suppression is Suppression.USE_BY
        free_from = POLICY.quiet_hours.free_from(now, ZoneInfo(zone))
        assert free_from > use_by
