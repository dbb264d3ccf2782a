"""What is sent for one row of the ledger: rendered for this customer, addressed for its channel.  Pure."""

from dataclasses import replace
from datetime import datetime

from services.contracts.people import Channel
from services.outreach.announce import Send
from services.outreach.channels.outgoing import Outgoing
from services.outreach.facts import Profile, address_of
from services.outreach.knowledge import Knowledge, Rules
from services.outreach.messages import Letter, Templates, Text, language_of
from services.outreach.pages.links import Links
from services.outreach.pages.tokens import (
    HelpfulLink,
    PreferencesLink,
    SurveyLink,
    survey_of_step,
)
from services.outreach.playbook import Step

_UNTOLD = Text("", "", "")
"""Of a step that tells the customer nothing."""


def outgoing(
    send: Send,
    step: Step,
    knowledge: Knowledge,
    rules: Rules,
    templates: Templates,
    now: datetime,
    links: Links | None = None,
) -> Outgoing:
    """Return the message of this send, by the channel it names.

    Args:
        send: The row of the ledger.
        step: What it carries out.
        knowledge: Of its customer.
        rules: To decide by.
        templates: Of the texts.
        now: The instant.
        links: To the customers' pages; None: there are none.

    Raises:
        ValueError: no address is known, or there are no pages for the survey it asks.
        WrongTemplate: the template speaks of something this problem does not tell.
    """
    profile = knowledge.profile
    language = None if profile is None else profile.language
    text, headers = _UNTOLD, dict[str, str]()
    if step.template is not None:
        letter, headers = _letter(send, knowledge, rules, links, now)
        letter = replace(letter, survey_url=_survey(send, step, letter, links, now))
        text = templates.render(step.template, letter)
    return Outgoing(
        step_id=send.step_id,
        problem_id=send.problem_id,
        playbook=send.playbook,
        step=send.step,
        customer_id=send.customer_id,
        attempt=send.attempt + 1,
        recipient=_address(send.channel, profile, send.customer_id),
        subject=text.subject,
        text=text.plain,
        language=language_of(language),
        at=now,
        use_by=send.use_by,
        html=text.html or None,
        headers=headers,
        traceparent=send.trace.traceparent,
    )


def _letter(
    send: Send, knowledge: Knowledge, rules: Rules, links: Links | None, now: datetime
) -> tuple[Letter, dict[str, str]]:
    """Return what the template may speak of, and the headers of a mail that stop such messages."""
    profile = knowledge.profile
    problem = knowledge.problems[send.problem_id]
    letter = Letter(
        name=None if profile is None else profile.name,
        order_id=send.order_id,
        promised_by=problem.stage.promised_by,
        zone=rules.policy.zone_of(profile, problem).zone,
        language=None if profile is None else profile.language,
    )
    if links is None:
        return letter, {}
    way_out = _way_out(send, rules, letter.language)
    is_mail = send.channel is Channel.EMAIL
    headers = dict(links.unsubscribe_headers(way_out, now)) if is_mail else {}
    answer = HelpfulLink(send.customer_id, send.step_id, way_out.language)
    # Another link in a short message would cost more than it helps.
    unhelpful_url = links.helpful(answer, now) if is_mail else None
    stop_url = links.preferences(way_out, now)
    return replace(letter, stop_url=stop_url, unhelpful_url=unhelpful_url), headers


def _survey(
    send: Send, step: Step, letter: Letter, links: Links | None, now: datetime
) -> str | None:
    if step.survey is None:
        return None
    if links is None:
        raise ValueError("no pages to answer a survey on")
    return links.survey(survey_asked(send, language_of(letter.language)), now)


def survey_asked(send: Send, language: str | None = None) -> SurveyLink:
    """Return the link of the survey that goes out with this send."""
    return survey_of_step(send.step_id, send.customer_id, send.order_id, language)


def _way_out(send: Send, rules: Rules, language: str | None) -> PreferencesLink:
    message_class = rules.catalogue[send.playbook].message_class
    spoken = language_of(language)
    return PreferencesLink(send.customer_id, message_class, send.channel, send.step_id, spoken)


def _address(by: Channel, profile: Profile | None, customer_id: str) -> str:
    address = address_of(profile, by, customer_id)
    if address is None:
        # The channel's gate was asked a moment ago.
        raise ValueError("no address")
    return address
