"""What is said at the desk: a search first, a contact, replies, an end, perhaps all again.  Pure."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from services.contracts.contacts import (
    ContactChannel,
    ContactOpened,
    ContactReason,
    ContactReopened,
    ContactReplied,
    ContactResolved,
    HelpPlace,
    HelpSearched,
    ReplyBy,
    SurveyAnswered,
    SurveyKind,
    SurveySent,
)
from services.contracts.envelope import Fact
from services.shop.local_time import awake
from services.shop.orders import Order
from services.shop.parameters import ShopParameters
from services.shop.premises import Premises
from services.shop.timeline import Publication, said
from services.shop.truth import Act, IntentionTruth

_DESK = "/desk/contacts"
_HELP = "/help/search"
_SURVEYS = "/desk/surveys"

_WITH_A_BOT = (ContactChannel.CHAT, ContactChannel.SELF_SERVICE)
_ANGRY = 0.25
"""Part of those whose parcel is late who complain; the others ask where it is."""

_REASONS = {
    Act.COMPLAIN_OF_DAMAGE: (ContactReason.DAMAGED,),
    Act.COMPLAIN_OF_PRODUCT: (ContactReason.COMPLAINT, ContactReason.WRONG_ITEM),
    Act.COMPLAIN_OF_REFUND: (ContactReason.REFUND,),
    Act.ASK: (ContactReason.PRODUCT_QUESTION, ContactReason.PRODUCT_QUESTION, ContactReason.OTHER),
}


def speak_up(truth: IntentionTruth, order: Order, premises: Premises) -> Iterator[Publication]:
    """Yield what somebody who does as intended makes be said: a search, perhaps a contact."""
    rng = premises.draws(truth.customer_id, f"{truth.subject}/{truth.act}")
    desk = _Desk(order, f"{truth.subject}-{truth.act}".replace("_", "-"), rng, premises.parameters)
    reason = _reason(truth, rng)
    at = truth.at
    if rng.random() < premises.parameters.searches_first:
        found = rng.random() < premises.parameters.finds
        yield desk.search(at, reason, found=found)
        if found and truth.act is Act.ASK:
            return
        at += timedelta(minutes=rng.uniform(2, 30))
    yield from desk.talk(at, reason)


def _reason(truth: IntentionTruth, rng: Random) -> ContactReason:
    if truth.act is Act.COMPLAIN_OF_DELAY:
        return ContactReason.COMPLAINT if rng.random() < _ANGRY else ContactReason.WHERE_IS_MY_ORDER
    return rng.choice(_REASONS[truth.act])


@dataclass(slots=True)
class _Desk:
    """One contact of one customer, as it is told."""

    order: Order
    contact_id: str
    rng: Random
    parameters: ShopParameters
    _said: int = field(default=0)

    def search(self, at: datetime, reason: ContactReason, *, found: bool) -> Publication:
        """Return the search that comes before."""
        fact = HelpSearched(
            search_id=f"{self.contact_id}-search",
            place=self.rng.choice(tuple(HelpPlace)),
            found=found,
            reason=reason,
            order_id=self.order.order_id,
        )
        return self._say(fact, at, _HELP)

    def talk(self, at: datetime, reason: ContactReason) -> Iterator[Publication]:
        """Yield the contact from its first word to its end, and after it perhaps a second round."""
        names, shares = zip(*self.parameters.channels, strict=True)
        channel = self.rng.choices(names, shares)[0]
        opened = ContactOpened(
            contact_id=self.contact_id,
            channel=channel,
            reason=reason,
            order_id=self.order.order_id,
        )
        yield self._say(opened, at)
        if channel in _WITH_A_BOT:
            yield self._reply(ReplyBy.BOT, at + timedelta(minutes=1))
        done_at = yield from self._answer(at)
        if self.rng.random() < self.parameters.reopens:
            zone = self.order.person.home.time_zone
            again = awake(done_at + timedelta(hours=self.rng.uniform(2, 40)), zone)
            yield self._say(ContactReopened(contact_id=self.contact_id), again)
            done_at = yield from self._answer(again)
        yield from self._effort_survey(done_at)

    def _answer(self, at: datetime) -> Generator[Publication, None, datetime]:
        """Yield an agent's reply, perhaps a word back, and the end; return when that was."""
        zone = self.parameters.shop_zone
        replied_at = awake(at + timedelta(hours=self.rng.uniform(1, 6)), zone)
        yield self._reply(ReplyBy.AGENT, replied_at)
        if self.rng.random() < 0.3:
            yield self._reply(ReplyBy.CUSTOMER, replied_at + timedelta(minutes=25))
        resolved_at = awake(replied_at + timedelta(hours=self.rng.uniform(1, 30)), zone)
        yield self._say(ContactResolved(contact_id=self.contact_id), resolved_at)
        return resolved_at

    def _effort_survey(self, done_at: datetime) -> Iterator[Publication]:
        if self.rng.random() >= self.parameters.effort_survey_share:
            return
        survey = {
            "survey_id": f"{self.contact_id}-ces",
            "kind": SurveyKind.CES,
            "contact_id": self.contact_id,
        }
        yield self._say(SurveySent(**survey), done_at + timedelta(minutes=30), _SURVEYS)
        if self.rng.random() < self.parameters.effort_answers:
            zone = self.order.person.home.time_zone
            at = awake(done_at + timedelta(hours=self.rng.uniform(1, 48)), zone)
            answer = SurveyAnswered(**survey, score=self.rng.choice((1, 2, 3, 4, 5, 5, 6, 6, 7)))
            yield self._say(answer, at, _SURVEYS)

    def _reply(self, by: ReplyBy, at: datetime) -> Publication:
        return self._say(ContactReplied(contact_id=self.contact_id, by=by), at)

    def _say(self, fact: Fact, at: datetime, source: str = _DESK) -> Publication:
        self._said += 1
        return said(
            fact,
            source=source,
            time=at,
            customer_id=self.order.person.customer_id,
            about=self.contact_id,
            more=f"-{self._said}",
        )
