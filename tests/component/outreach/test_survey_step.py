"""A step that asks: its mail holds a link that is answered, and that it left is told once."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from services.contracts.contacts import SurveyAnswered, SurveySent
from services.contracts.outreach import Mode
from services.kit.exits import EXIT_USAGE
from services.outreach.pages.links import Links
from services.outreach.playbook import catalogue_of, parse
from services.outreach.settings import Settings
from services.outreach.worker import load_playbooks, refuse_surveys
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.visitor import SECRET, Visitor, told
from tests.support.mail import Manner
from tests.support.outreach import opened, profile, query

pytestmark = pytest.mark.connected

SHIPPED: Path = Settings.model_fields["playbooks"].default
PLAYBOOK = """
name: delivery_late
version: 1
mode: live
message_class: service
trigger: {kind: delivery_delay, tiers: [late]}
steps:
  - name: ask
    action: send
    channels: [email]
    template: survey_after_answer
    survey: csat
    use_by_hours: 48
"""


def asking(desk: Desk, links: Links | None) -> Desk:
    """Let the desk's one playbook ask a survey."""
    rules = replace(desk.out.rules, catalogue=catalogue_of([parse(PLAYBOOK, "x")]))
    desk.out = replace(desk.out, rules=rules, links=None if links is None else lambda: links)
    desk.sender._out = desk.out
    desk.learn(profile("c-1", NOON), opened("c-1", NOON))
    assert desk.decide() == ["contact"]
    return desk


def told_on_contacts(url: str) -> list[object]:
    return [event.data for topic, _, _, event in told(url) if topic == "contacts"]


def test_a_survey_that_left_is_told_and_its_link_is_answered(desk: Desk, visitor: Visitor) -> None:
    asking(desk, visitor.links)
    assert desk.send() == 1

    (sent,) = told_on_contacts(desk.url)
    assert isinstance(sent, SurveySent)
    assert (sent.kind, sent.order_id) == ("csat", "o-c-1")
    body = desk.channel.mails[0].get_body(("plain",))
    assert body is not None
    (page,) = re.findall(r"\S+/survey/\S+", body.get_content())
    assert visitor.http.post(page, data={"score": "4"}).status_code == 200
    *_, answered = told_on_contacts(desk.url)
    assert isinstance(answered, SurveyAnswered)
    assert (answered.survey_id, answered.score) == (sent.survey_id, 4)
    assert query(desk.url, "SELECT sent_at, first_score FROM surveys") == [(NOON, 4)]


def test_a_survey_that_may_not_have_left_is_not_told(desk: Desk) -> None:
    doubtful = Desk(desk.url, Manner.TAKES_AND_HANGS)
    asking(doubtful, Links("https://care.example.com", (SECRET,)))
    doubtful.send()

    assert query(desk.url, "SELECT state FROM sends") == [("unknown",)]
    assert told_on_contacts(desk.url) == []
    doubtful.engine.dispose()


def test_without_pages_nothing_is_asked(desk: Desk) -> None:
    asking(desk, None)

    assert desk.send() == 0
    assert query(desk.url, "SELECT state, reason FROM sends") == [("failed", "unwritable")]


@pytest.mark.parametrize("mode", [Mode.LIMITED, Mode.LIVE])
def test_a_deployment_that_would_ask_without_pages_does_not_start(
    desk: Desk, mode: Mode, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = replace(desk.out.rules, catalogue=catalogue_of([parse(PLAYBOOK, "x")]), mode=mode)

    refuse_surveys(replace(rules, mode=Mode.SHADOW))
    refuse_surveys(replace(rules, catalogue=load_playbooks(SHIPPED)))
    with pytest.raises(SystemExit) as ended:
        refuse_surveys(rules)
    assert ended.value.code == EXIT_USAGE
    assert "CARE_OUTREACH_PAGES_BASE_URL" in capsys.readouterr().err
