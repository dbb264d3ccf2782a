"""Chatwoot's conversations: who wrote when, never what."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.contracts.contacts import (
    ContactChannel,
    ContactOpened,
    ContactReason,
    ContactReopened,
    ContactReplied,
    ContactResolved,
    OpenedBy,
    ReplyBy,
    SurveyAnswered,
    SurveyKind,
    SurveySent,
)
from services.contracts.envelope import Event
from services.ingest.adapters.chatwoot import CHANNELS, EVENTS, SOURCE, Options, findings
from services.ingest.adapters.findings import Ignored, Reason, Refused, events_in
from tests.unit.ingest.adapters.examples import Body, conversation, message, talk

AGENT: Body = {
    "message_type": "outgoing",
    "sender": {"id": 1, "type": "user", "email": "a@example.com"},
}


def told(body: Body, options: Options | None = None) -> list[Event[Any]]:
    """The events of a webhook of which nothing is refused."""
    found = findings(body, {}, options or Options())
    assert [finding for finding in found if isinstance(finding, Refused)] == []
    return list(events_in(found))


def facts(body: Body) -> list[Any]:
    return [event.data for event in told(body)]


def changed(status: str, before: str | None, **more: Any) -> Body:
    changes = [{"status": {"previous_value": before, "current_value": status}}]
    body = talk("conversation_status_changed", status=status, **more)
    return {**body, "changed_attributes": [{"assignee_id": {}}, *(changes if before else [])]}


def at(hour: int, minute: int = 0, second: int = 0, micro: int = 0) -> datetime:
    return datetime(2026, 3, 3, hour, minute, second, micro, tzinfo=UTC)


class TestOpening:
    def test_a_customer_who_has_written_has_opened_it(self) -> None:
        (event,) = told(talk())

        assert (event.source, event.partitionkey) == (SOURCE, "c-1042")
        assert event.time == at(10)
        assert event.data == ContactOpened(
            contact_id="812",
            channel=ContactChannel.CHAT,
            reason=ContactReason.OTHER,
            order_id="o-77",
        )

    @pytest.mark.parametrize("kind", [1, 2, 3, "outgoing"])
    def test_what_nobody_wrote_by_hand_opens_nothing(self, kind: object) -> None:
        assert told(talk(messages=[{"id": 1, "message_type": kind}])) == []
        assert told(talk(messages=[])) == []

    @pytest.mark.parametrize("kind", [1, "outgoing"])
    def test_what_an_agent_began_is_told_as_theirs(self, kind: object) -> None:
        (event,) = told(talk(messages=[{**AGENT, "id": 1, "message_type": kind}]))

        assert event.data.opened_by is OpenedBy.AGENT
        assert event.time == at(10)

    def test_a_conversation_in_which_both_have_written_is_the_customers(self) -> None:
        both = [{**AGENT, "id": 1}, {"id": 2, "message_type": 0}]

        assert facts(talk(messages=both))[0].opened_by is OpenedBy.CUSTOMER

    def test_a_campaign_is_no_agent(self) -> None:
        campaign = {**AGENT, "id": 1, "additional_attributes": {"campaign_id": 3}}

        assert told(talk(messages=[campaign])) == []

    @pytest.mark.parametrize(("channel", "ours"), CHANNELS.items())
    def test_every_channel(self, channel: str, ours: ContactChannel) -> None:
        assert facts(talk(channel=channel))[0].channel is ours

    def test_an_unknown_channel_is_a_chat(self) -> None:
        assert facts(talk(channel="Channel::Pigeon"))[0].channel is ContactChannel.CHAT

    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"labels": ["vip", "where-is-my-order"]}, ContactReason.WHERE_IS_MY_ORDER),
            ({"labels": ["Refund"]}, ContactReason.REFUND),
            ({"custom_attributes": {"reason": "damaged"}}, ContactReason.DAMAGED),
            ({"labels": ["vip", 5]}, ContactReason.OTHER),
        ],
    )
    def test_a_label_or_an_attribute_tells_the_reason(
        self, more: Body, reason: ContactReason
    ) -> None:
        assert facts(talk(**more))[0].reason is reason

    def test_a_custom_attribute_may_name_the_customer(self) -> None:
        (event,) = told(talk(), Options(customer_attribute="shop_id"))

        assert event.partitionkey == "s-9"

    @pytest.mark.parametrize(
        ("identifier", "reason"),
        [
            (None, Reason.NO_CUSTOMER),
            ("a@example.com", Reason.MAIL_AS_CUSTOMER),
            ("ä", Reason.BAD_CUSTOMER_ID),
        ],
    )
    def test_a_contact_that_is_nobody_of_ours_is_refused(
        self, identifier: str | None, reason: Reason
    ) -> None:
        meta = {"sender": {"identifier": identifier, "email": "canary@example.com"}}
        (found,) = findings(talk(meta=meta), {}, Options())

        assert isinstance(found, Refused)
        assert found.reason is reason
        assert "example.com" not in found.detail


class TestReplies:
    def test_a_customers_message_tells_the_opening_again_under_its_id(self) -> None:
        (opened,) = told(talk())
        events = told(message())

        assert [type(event.data) for event in events] == [ContactOpened, ContactReplied]
        assert events[0].id == opened.id
        assert events[1].data == ContactReplied(contact_id="812", by=ReplyBy.CUSTOMER)
        assert events[1].time == at(11)

    @pytest.mark.parametrize(
        ("more", "by"),
        [
            (AGENT, ReplyBy.AGENT),
            ({**AGENT, "sender": {"id": 1, "type": "agent_bot"}}, ReplyBy.BOT),
            ({**AGENT, "sender": {"id": 1, "type": "captain_assistant"}}, ReplyBy.BOT),
            ({**AGENT, "sender": None}, ReplyBy.BOT),
            (
                {**AGENT, "sender": None, "content_attributes": {"external_echo": True}},
                ReplyBy.AGENT,
            ),
            ({**AGENT, "content_attributes": {"automation_rule_id": 3}}, ReplyBy.BOT),
            ({**AGENT, "additional_attributes": {"campaign_id": 3}}, ReplyBy.BOT),
            ({"message_type": "template", "sender": None}, ReplyBy.BOT),
        ],
    )
    def test_only_what_a_person_wrote_is_an_agents_reply(self, more: Body, by: ReplyBy) -> None:
        assert facts(message(**more)) == [ContactReplied(contact_id="812", by=by)]

    @pytest.mark.parametrize("more", [{**AGENT, "private": True}, {"message_type": "activity"}])
    def test_notes_and_changes_reach_nobody(self, more: Body) -> None:
        assert told(message(**more)) == []

    @pytest.mark.parametrize(
        "created", ["2026-03-03T11:00:00Z", "2026-03-03 11:00:00 UTC", 1772535600]
    )
    def test_every_form_of_a_time(self, created: object) -> None:
        assert told(message(**AGENT, created_at=created))[0].time == at(11)


class TestStatus:
    def test_resolved(self) -> None:
        (event,) = told(changed("resolved", "open"))

        assert event.data == ContactResolved(contact_id="812")
        assert event.time == at(11, 0, 1, 250_000)

    @pytest.mark.parametrize("status", ["open", "pending"])
    def test_reopened(self, status: str) -> None:
        assert facts(changed(status, "resolved")) == [ContactReopened(contact_id="812")]

    @pytest.mark.parametrize(
        ("status", "before"),
        [
            ("open", "pending"),
            ("open", None),
            ("snoozed", "open"),
            ("snoozed", "resolved"),
            ("brand_new", "open"),
        ],
    )
    def test_other_changes_are_ignored(self, status: str, before: str | None) -> None:
        assert told(changed(status, before)) == []

    def test_a_second_resolution_is_another_event_and_a_repeat_is_not(self) -> None:
        first = told(changed("resolved", "open"))
        again = told(changed("resolved", "open"))
        second = told(changed("resolved", "open", updated_at=1772622001.5))

        assert first == again
        assert first[0].id != second[0].id

    def test_an_older_version_tells_the_last_activity(self) -> None:
        body = changed("resolved", "open", updated_at=None)

        assert told(body)[0].time == at(11)


class TestSurveys:
    CSAT: Body = {"content_type": "input_csat", "message_type": "template", "sender": None}  # noqa: RUF012

    def test_sent(self) -> None:
        survey = SurveySent(survey_id="4001", kind=SurveyKind.CSAT, contact_id="812")

        assert facts(message(**self.CSAT)) == [survey]

    @pytest.mark.parametrize("score", [1, 5])
    def test_answered(self, score: int) -> None:
        answer = {"csat_survey_response": {"rating": score, "feedback_message": "canary"}}
        body = message(
            "message_updated", **self.CSAT, content_attributes={"submitted_values": answer}
        )
        (event,) = told(body)

        assert isinstance(event.data, SurveyAnswered)
        assert (event.data.score, event.data.survey_id, event.data.contact_id) == (
            score,
            "4001",
            "812",
        )
        # A message does not tell when it changed, its conversation does.
        assert event.time == at(11, 0, 1, 250_000)

    def test_a_score_beyond_the_scale_is_refused(self) -> None:
        answer = {"submitted_values": {"csat_survey_response": {"rating": 6}}}
        body = message("message_updated", **self.CSAT, content_attributes=answer)
        (found,) = findings(body, {}, Options())

        assert isinstance(found, Refused)
        assert found.reason is Reason.INVALID

    def test_another_change_of_a_message_is_ignored(self) -> None:
        assert told(message("message_updated")) == []


def test_other_events_are_ignored() -> None:
    for name in ("conversation_updated", "contact_updated", "webwidget_triggered", ""):
        (found,) = findings(talk(name), {}, Options())
        assert isinstance(found, Ignored)


def test_what_is_said_and_who_says_it_goes_nowhere() -> None:
    bodies = [body for name in EVENTS for body in (talk(name), message(name))]
    bodies.append(message(**AGENT, conversation=conversation(status="resolved")))
    everything = b"".join(
        event.encode() for body in bodies for event in events_in(findings(body, {}, Options()))
    )

    assert b"c-1042" in everything
    assert b"anary" not in everything
    assert b"example.com" not in everything
