"""What was told and then shown to be wrong: one short correction, to who was told and to nobody else."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from services.contracts import ids
from services.contracts.envelope import Event
from services.contracts.outreach import OutreachCorrected
from services.contracts.people import Channel
from services.contracts.problems import Tier
from services.outreach.channels.endings import Delivery, Ending
from services.outreach.playbook import catalogue_of, parse
from services.outreach.routes import MailRoute
from services.outreach.sender import Sender
from services.outreach.tables import OUTBOX
from tests.component.outreach.desk import NIGHT, NOON, Desk
from tests.factories import DAY, HOUR, wrote
from tests.support.mail import FakeChannel, Manner
from tests.support.outreach import changed, cleared, consent, opened, profile, query, states

pytestmark = pytest.mark.connected

LATER = NOON + HOUR
AT_DESK = """
name: delivery_late
version: 1
mode: live
message_class: service
trigger: {kind: delivery_delay, tiers: [late]}
steps: [{name: notice, action: escalate, use_by_hours: 48}]
"""


def retracted(at: datetime = LATER, **fields: Any) -> Event[Any]:
    return cleared("c-1", at, clearing="retracted", **fields)


def told(desk: Desk, at: datetime = NOON, **fields: Any) -> Desk:
    """Return the desk after it wrote, or tried to, about a parcel that is late."""
    desk.learn(profile("c-1", NOON), opened("c-1", at, **fields), now=at)
    assert desk.decide(at) == ["contact"]
    desk.send(at)
    return desk


def subjects(desk: Desk) -> list[str]:
    return [str(mail["Subject"]).split(" ")[0] for mail in desk.channel.mails]


def sends(desk: Desk) -> dict[str, str]:
    return dict(query(desk.url, "SELECT playbook, state FROM sends"))


def last_verdicts(desk: Desk) -> dict[str, str]:
    """Return gate → what it said at the latest decision about a correction."""
    ((gates,),) = query(
        desk.url,
        "SELECT gates FROM decisions WHERE playbook = 'delivery_correction'"
        " ORDER BY decided_at DESC LIMIT 1",
    )
    return {gate["gate"]: gate["because"] for gate in gates}


def test_what_was_sent_and_is_taken_back_is_corrected_once_although_no_room_is_left(
    desk: Desk,
) -> None:
    """An hour after the notice, within the 24 in which one message is the most."""
    told(desk)
    desk.learn(retracted(), now=LATER)

    assert desk.decide(LATER) == ["contact"]
    assert desk.send(LATER) == 2
    assert subjects(desk) == ["Order", "Correction:"]
    said = last_verdicts(desk)
    assert said["problem_open"] == "cleared: retracted; told before"
    assert {said[gate].split(":")[0] for gate in ("budget", "reserved", "net_value")} == {
        "a correction"
    }
    assert desk.told()[-4:] == ["decided", "started", "sent", "corrected"]


def test_that_it_was_corrected_is_said_under_an_id_of_the_step_and_its_attempt(desk: Desk) -> None:
    told(desk)
    desk.learn(retracted(), now=LATER)
    desk.decide(LATER)
    desk.send(LATER)

    with desk.engine.connect() as connection:
        value = connection.execute(OUTBOX.select().order_by(OUTBOX.c.seq.desc())).first()
    assert value is not None
    event = Event[OutreachCorrected].model_validate_json(value.value)
    step = ids.step_id(event.data.problem_id, "delivery_correction", "correction")
    assert (event.type, event.data.step_id) == (OutreachCorrected.TYPE, step)
    assert event.id == str(ids.derive("outreach", event.type, str(step), 1))


def test_a_correction_takes_room_from_what_comes_after_it(desk: Desk) -> None:
    told(desk)
    at = NOON + 25 * HOUR
    desk.learn(retracted(at), now=at)
    assert desk.decide(at) == ["contact"]

    other: dict[str, Any] = {
        "problem_id": ids.problem_id("c-1", "sh-9", "delivery_delay", 1),
        "subject": "sh-9",
    }
    desk.learn(opened("c-1", at + HOUR, order_id="o-9", **other), now=at + HOUR)
    assert desk.decide(at + HOUR) == ["budget"]


def test_one_correction_for_all_that_was_written_and_however_often_it_is_taken_back(
    desk: Desk,
) -> None:
    desk.learn(profile("c-1", NOON), opened("c-1", NOON, tier=Tier.AT_RISK))
    assert desk.decide(NOON) == ["contact"]
    desk.send(NOON)
    two_days_on = NOON + 2 * DAY
    desk.learn(changed("c-1", two_days_on), now=two_days_on)
    assert desk.decide(two_days_on) == ["contact"]
    assert desk.send(two_days_on) == 2

    for hours in (1, 2):
        at = two_days_on + hours * HOUR
        desk.learn(retracted(at), now=at)
        assert desk.decide(at) == (["contact"] if hours == 1 else [])
        assert desk.send(at) == 3


@pytest.mark.parametrize("clearing", ["solved", "expired"])
def test_what_was_true_is_not_corrected(desk: Desk, clearing: str) -> None:
    told(desk)
    desk.learn(cleared("c-1", LATER, clearing=clearing), now=LATER)

    assert desk.decide(LATER) == []
    assert desk.send(LATER) == 1


def test_who_was_told_nothing_hears_no_correction(desk: Desk) -> None:
    """The notice was refused by a gate: there is no address."""
    desk.learn(profile("c-1", NOON, email=None), opened("c-1", NOON))
    assert desk.decide(NOON) == ["channel"]
    desk.learn(profile("c-1", LATER), retracted(), now=LATER)

    assert desk.decide(LATER) == ["solved"]
    assert last_verdicts(desk)["problem_open"] == "cleared: retracted; never told"
    assert desk.send(LATER) == 0


def test_what_was_withdrawn_before_it_was_sent_needs_no_correction(desk: Desk) -> None:
    desk.learn(profile("c-1", NOON), opened("c-1", NOON))
    assert desk.decide(NOON) == ["contact"]
    desk.learn(retracted(), now=LATER)

    assert desk.decide(LATER) == ["solved"]
    assert desk.send(LATER) == 0
    assert sends(desk) == {"delivery_late": "withdrawn"}


def test_what_surely_failed_needs_no_correction(url: str) -> None:
    desk = told(Desk(url, Manner.REFUSES_RECIPIENT))
    desk.learn(retracted(), now=LATER)

    assert sends(desk) == {"delivery_late": "failed"}
    assert desk.decide(LATER) == ["solved"]


def test_what_may_have_been_taken_is_corrected(url: str) -> None:
    desk = told(Desk(url, Manner.TAKES_AND_HANGS))
    assert sends(desk) == {"delivery_late": "unknown"}
    desk.learn(retracted(), now=LATER)

    assert desk.decide(LATER) == ["contact"]
    assert desk.send(LATER) == 2
    # Nobody knows whether the correction arrived either: it is not said that it did.
    assert desk.told()[-2:] == ["started", "unknown"]


def test_what_went_to_a_person_of_ours_was_told_to_nobody(desk: Desk) -> None:
    correction = desk.out.rules.catalogue["delivery_correction"]
    catalogue = catalogue_of([parse(AT_DESK, "x"), correction])
    desk.out = replace(
        desk.out,
        rules=replace(desk.out.rules, catalogue=catalogue, channels=frozenset(desk.out.routes)),
    )
    desk.sender = Sender(desk.engine, desk.out, desk.sender._log)
    told(desk, complaint_risk=0.5)
    desk.learn(retracted(), now=LATER)

    assert sends(desk) == {"delivery_late": "sent"}
    assert desk.decide(LATER) == ["solved"]


def test_in_the_night_it_waits_for_the_morning(desk: Desk) -> None:
    told(desk)
    desk.learn(retracted(NIGHT), now=NIGHT)

    assert desk.decide(NIGHT) == ["deferred"]
    assert desk.send(NIGHT) == 1
    # Eight in the morning in Berlin.
    assert desk.decide(NIGHT + 8 * HOUR) == ["contact"]
    assert desk.send(NIGHT + 8 * HOUR) == 2


def test_who_wrote_to_us_hears_it_from_who_answers_and_a_no_is_a_no(desk: Desk) -> None:
    told(desk)
    desk.learn(wrote("k-1", order="o-c-1", customer="c-1", at=LATER), retracted(), now=LATER)
    assert desk.decide(LATER) == ["already_known"]


def test_who_wants_no_such_messages_gets_none(desk: Desk) -> None:
    told(desk)
    desk.learn(consent("c-1", "denied", at=LATER), retracted(), now=LATER)

    assert desk.decide(LATER) == ["consent"]


def test_what_is_wrong_again_is_not_taken_back(desk: Desk) -> None:
    """One look may end an episode and begin the next: that the parcel is late stays true."""
    told(desk)
    again = {"problem_id": ids.problem_id("c-1", "sh-c-1", "delivery_delay", 2), "episode": 2}
    desk.learn(retracted(), opened("c-1", LATER, tier=Tier.OVERDUE, **again), now=LATER)

    assert desk.decide(LATER) == ["solved"]
    assert last_verdicts(desk)["problem_open"] == "cleared: retracted, and open again"


def test_another_customers_message_corrects_nothing_of_mine(desk: Desk) -> None:
    told(desk)
    desk.learn(profile("c-2", NOON), cleared("c-2", LATER, clearing="retracted"), now=LATER)
    # Of a problem that was never heard of before its end nothing was told anyway.
    assert desk.decide(LATER) == ["solved"]


class Interrupted(FakeChannel):
    """A channel that is told, while it takes a message, that the problem never was."""

    def __init__(self, desk: Desk, ending: Ending) -> None:
        super().__init__()
        self.desk, self.ending = desk, ending
        self.decided: list[str] = []

    def send(self, message: Any) -> Delivery:
        self.mails.append(message)
        if len(self.mails) > 1:
            return Delivery(Ending.TAKEN, "")
        self.desk.learn(retracted(), now=LATER)
        self.decided = self.desk.decide(LATER)
        return Delivery(self.ending, "as told")


@pytest.mark.parametrize(
    ("ending", "afterwards", "mails"),
    [
        (Ending.TAKEN, "contact", 2),
        (Ending.UNKNOWN, "contact", 2),
        (Ending.REFUSED, "solved", 1),
        # Surely not taken: it would be tried again, and is withdrawn instead.
        (Ending.DEFERRED, "solved", 1),
    ],
)
def test_a_problem_that_ends_while_its_message_leaves_is_corrected_where_that_left(
    desk: Desk, ending: Ending, afterwards: str, mails: int
) -> None:
    channel = Interrupted(desk, ending)
    routes = {**desk.out.routes, Channel.EMAIL: MailRoute(channel, "care@example.org")}
    desk.out = replace(desk.out, routes=routes)
    desk.sender = Sender(desk.engine, desk.out, desk.sender._log)
    desk.learn(profile("c-1", NOON), opened("c-1", NOON))
    desk.decide(NOON)

    desk.send(NOON)
    assert channel.decided == ["deferred"]
    assert last_verdicts(desk)["problem_open"] == "cleared: retracted; being told just now"
    desk.send(LATER)
    at = LATER + HOUR
    assert desk.decide(at) == [afterwards]
    desk.send(at)
    assert len(channel.mails) == mails


def test_a_correction_does_not_overtake_another_message_that_is_leaving(desk: Desk) -> None:
    """Decided on what was sent; by the time it could leave, a second one is under way."""
    told(desk)
    desk.learn(retracted(), now=LATER)
    assert desk.decide(LATER) == ["contact"]
    _set_state(desk, "started")

    desk.send(LATER)
    assert sends(desk) == {"delivery_late": "started", "delivery_correction": "pending"}
    _set_state(desk, "failed")
    desk.send(LATER + HOUR)
    # Known by now: the customer never got what was to be corrected.
    assert sends(desk) == {"delivery_late": "failed", "delivery_correction": "withdrawn"}
    assert states(desk.url) == {"failed": 1, "withdrawn": 1}


def _set_state(desk: Desk, state: str) -> None:
    with desk.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE sends SET state = %s WHERE playbook = 'delivery_late'", (state,)
        )
