"""What is sent for one row of the ledger: rendered for this customer, addressed for its channel.  Pure."""

from datetime import datetime

from services.contracts.people import Channel
from services.outreach.announce import Send
from services.outreach.channels.outgoing import Outgoing
from services.outreach.decide import Knowledge, Rules
from services.outreach.facts import Profile
from services.outreach.messages import Letter, Templates, Text, language_of
from services.outreach.playbook import Step
from services.outreach.quiet import zone_for

_UNTOLD = Text("", "", "")
"""Of a step that tells the customer nothing."""


def outgoing(
    send: Send, step: Step, knowledge: Knowledge, rules: Rules, templates: Templates, now: datetime
) -> Outgoing:
    """Return the message of this send, by the channel it names.

    Raises:
        ValueError: no address is known.
        WrongTemplate: the template speaks of something this problem does not tell.
    """
    profile = knowledge.profile
    language = None if profile is None else profile.language
    text = _UNTOLD
    if step.template is not None:
        text = templates.render(step.template, _letter(send, knowledge, rules))
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
    )


def _letter(send: Send, knowledge: Knowledge, rules: Rules) -> Letter:
    profile, policy = knowledge.profile, rules.policy
    known = (
        (profile.time_zone, profile.country, profile.language) if profile else (None, None, None)
    )
    return Letter(
        name=None if profile is None else profile.name,
        order_id=send.order_id,
        promised_by=knowledge.problems[send.problem_id].stage.promised_by,
        zone=zone_for(*known, policy.zone_of_country, policy.default_zone).zone,
        language=None if profile is None else profile.language,
    )


def _address(by: Channel, profile: Profile | None, customer_id: str) -> str:
    if by is not Channel.EMAIL:
        return customer_id
    if profile is None or profile.email is None:
        # The channel's gate was asked a moment ago.
        raise ValueError("no address")
    return profile.email
