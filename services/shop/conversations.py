"""What is said at the desk: a search first, a contact, replies, an end, perhaps all again.  Pure.

Some contacts are answered late, some never; whoever waits, or was not helped, may write once more.
"""

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
from services.shop.intentions import Intention, soothable
from services.shop.local_time import at_work, awake
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
    Act.ASK_ABOUT_PAYMENT: (ContactReason.PAYMENT,),
    Act.WRITE_AGAIN: (ContactReason.COMPLAINT, ContactReason.OTHER),
}

_QUESTIONS = frozenset({Act.ASK, Act.ASK_ABOUT_PAYMENT})
"""What an answer that was found spares the desk, and what somebody may let be."""

_AGAIN = "write-again"
_MOST_CONTACTS = 3
"""About one thing; whoever wrote so often lets it be."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was said because of one intention, and what it may lead to."""

    publications: tuple[Publication, ...]
    contact_id: str | None = None
    """None: nobody was asked."""
    next: Intention | None = None
    """To write again."""


def speak_up(truth: IntentionTruth, order: Order, premises: Premises) -> Spoken:
    """Return what somebody who does as intended makes be said: a search, perhaps a contact."""
    rng = premises.draws(truth.customer_id, f"{truth.subject}/{truth.act}")
    desk = _Desk(order, _contact_id(truth), rng, premises)
    reason = _reason(truth, rng)
    at, said_so_far = truth.at, []
    if truth.act is not Act.WRITE_AGAIN and rng.random() < premises.parameters.searches_first:
        found = rng.random() < premises.parameters.finds
        said_so_far = [desk.search(at, reason, found=found)]
        if truth.act in _QUESTIONS and (found or desk.goes_without):
            return Spoken(tuple(said_so_far))
        at += timedelta(minutes=rng.uniform(2, 30))
    said_so_far += desk.talk(at, reason)
    return Spoken(tuple(said_so_far), desk.contact_id, desk.next_contact(at))


def effort_survey_of(contact_id: str) -> str:
    """Return the id of the survey that asks how easy this contact was."""
    return f"{contact_id}-ces"


def _contact_id(truth: IntentionTruth) -> str:
    return f"{truth.subject}-{truth.act}".replace("_", "-")


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
    premises: Premises
    _said: int = field(default=0)
    _answered_at: datetime | None = None
    _done_at: datetime | None = None

    @property
    def parameters(self) -> ShopParameters:
        """The shop's numbers."""
        return self.premises.parameters

    @property
    def goes_without(self) -> bool:
        """Whether nobody is asked after a fruitless search."""
        return self.premises.uniform(self.contact_id, "without") < self.parameters.goes_without

    def search(self, at: datetime, reason: ContactReason, *, found: bool) -> Publication:
        """Return the search that comes before."""
        drawn = self.premises.uniform(self.contact_id, "search")
        names_order = drawn < self.parameters.search_names_order
        fact = HelpSearched(
            search_id=f"{self.contact_id}-search",
            place=self.rng.choice(tuple(HelpPlace)),
            found=found,
            reason=reason,
            order_id=self.order.order_id if names_order else None,
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
        waits = self._waits()
        if waits is None:
            return
        self._answered_at, self._done_at = yield from self._answer(at, waits)
        if self.rng.random() < self.parameters.reopens:
            zone = self.order.person.home.time_zone
            again = awake(self._done_at + timedelta(hours=self.rng.uniform(2, 40)), zone)
            yield self._say(ContactReopened(contact_id=self.contact_id), again)
            _, self._done_at = yield from self._answer(again)
        yield from self._effort_survey(self._done_at)

    def next_contact(self, at: datetime) -> Intention | None:
        """Return what may follow on this contact, opened at `at`: nobody answers, or it did not help."""
        contacts = 1 + self.contact_id.count(_AGAIN)
        if contacts == _MOST_CONTACTS:
            return None
        parameters, zone = self.parameters, self.order.person.home.time_zone
        drawn = self.premises.uniform(self.contact_id, "patience")
        impatient_at = awake(at + timedelta(hours=30 + 40 * drawn), zone)
        chance = parameters.writes_again if contacts == 1 else parameters.keeps_writing
        if self._answered_at is None or self._answered_at > impatient_at:
            chance = max(chance, parameters.writes_again_unheard)
        else:
            impatient_at = awake((self._done_at or at) + timedelta(hours=4 + 68 * drawn), zone)
        draw = self.premises.uniform(self.contact_id, _AGAIN)
        act, late = Act.WRITE_AGAIN, self.order.days_late
        return soothable(impatient_at, act, self.contact_id, draw, chance, parameters, late)

    def _waits(self) -> int | None:
        """Return how many working days this contact waits for its answer; None: for ever."""
        parameters = self.parameters
        drawn = self.premises.uniform(self.contact_id, "answer")
        if drawn < parameters.forgotten:
            return None
        drawn -= parameters.forgotten
        days = parameters.answered_late_days
        is_late = drawn < parameters.answered_late
        return days[int(drawn / parameters.answered_late * len(days))] if is_late else 0

    def _answer(
        self, at: datetime, waits: int = 0
    ) -> Generator[Publication, None, tuple[datetime, datetime]]:
        """Yield an agent's reply, perhaps a word back, and the end; return when both were."""
        zone = self.parameters.shop_zone
        replied_at = awake(at + timedelta(hours=self.rng.uniform(1, 6)), zone)
        if waits:
            # In the morning, before anything else.
            replied_at = at_work(at, zone, days=waits, hour=8.5 + 3 * self.rng.random())
        yield self._reply(ReplyBy.AGENT, replied_at)
        if self.rng.random() < 0.3:
            yield self._reply(ReplyBy.CUSTOMER, replied_at + timedelta(minutes=25))
        resolved_at = awake(replied_at + timedelta(hours=self.rng.uniform(1, 30)), zone)
        yield self._say(ContactResolved(contact_id=self.contact_id), resolved_at)
        return replied_at, resolved_at

    def _effort_survey(self, done_at: datetime) -> Iterator[Publication]:
        if self.rng.random() >= self.parameters.effort_survey_share:
            return
        survey = {
            "survey_id": effort_survey_of(self.contact_id),
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
