"""Who becomes another, or is erased, while a message is under way: it ends as what they are by then."""

from collections.abc import Callable
from typing import Any

import pytest

from services.contracts.envelope import Event
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.suppression import is_opaque
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.test_channels_in_turn import Hook, equipped
from tests.component.outreach.test_erasing import LATER, erased, names_in, with_keys
from tests.component.outreach.test_merging import merged
from tests.component.outreach.test_survey_step import asking, told_on_contacts
from tests.component.outreach.visitor import Visitor
from tests.support.outreach import opened, profile, query

pytestmark = pytest.mark.connected


def meanwhile(desk: Desk, event: Event[Any], ending: Ending) -> Callable[[Any], Delivery]:
    """Return how a channel ends that is so slow that this is read before it does."""

    def send(_: Any) -> Delivery:
        desk.learn(event, now=LATER)
        return Delivery(ending, "as told")

    return send


def refused_while(desk: Desk, event: Event[Any], hook: Hook) -> None:
    """Let mail refuse a message of which another channel is left."""
    equipped(with_keys(desk), hook)
    desk.learn(profile("c-1"), opened("c-1", NOON))
    desk.decide()
    desk.channel.send = meanwhile(desk, event, Ending.REFUSED)  # type: ignore[method-assign, assignment]
    desk.send()


def test_who_became_another_is_asked_by_the_next_channel(desk: Desk) -> None:
    hook = Hook()
    refused_while(desk, merged("c-1", "c-2"), hook)

    assert [one.recipient for one in hook.taken] == ["c-2"]
    assert query(desk.url, "SELECT customer_id, channel, state FROM sends") == [
        ("c-2", "webhook", "sent")
    ]


def test_who_was_erased_is_asked_by_no_other_channel(desk: Desk) -> None:
    hook = Hook()
    refused_while(desk, erased("c-1"), hook)

    assert hook.taken == []
    assert query(desk.url, "SELECT channel, state, order_id FROM sends") == [
        ("email", "failed", None)
    ]


def survey_while(desk: Desk, visitor: Visitor, event: Event[Any]) -> None:
    asking(with_keys(desk), visitor.links)
    desk.channel.send = meanwhile(desk, event, Ending.TAKEN)  # type: ignore[method-assign, assignment]
    desk.send()


def test_the_survey_of_who_became_another_is_theirs(desk: Desk, visitor: Visitor) -> None:
    survey_while(desk, visitor, merged("c-1", "c-2"))

    assert query(desk.url, "SELECT customer_id FROM surveys") == [("c-2",)]
    assert query(desk.url, "SELECT state FROM sends") == [("sent",)]
    assert len(told_on_contacts(desk.url)) == 1


def test_no_survey_is_noted_of_who_was_erased(desk: Desk, visitor: Visitor) -> None:
    survey_while(desk, visitor, erased("c-1"))

    assert all(is_opaque(name) for name in names_in(desk))
    assert query(desk.url, "SELECT state, order_id FROM sends") == [("sent", None)]
    assert told_on_contacts(desk.url) == []
