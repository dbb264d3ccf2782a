"""An order while it is under way: its moments in order, and which messages reached its customer.  Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from services.contracts import ids
from services.contracts.contacts import SurveyKind
from services.contracts.problems import ProblemKind
from services.shop.conversations import Spoken, effort_survey_of, speak_up
from services.shop.intentions import Intention, intentions_of
from services.shop.orders import CURRENCY, Order
from services.shop.parcels import Parcel, transport
from services.shop.premises import Premises
from services.shop.refunds import Refund, tell_refund
from services.shop.surveys import Asking, answer, ask, askings_of, survey_id_of
from services.shop.timeline import Publication
from services.shop.truth import Act, IntentionTruth

_EPISODES = (1, 2, 3)
"""Problems rarely return; a message about a fourth episode would not be recognised."""

_MOST_MOMENTS = 1000

_Moment = Parcel | Refund | Asking | Intention
"""What begins: a parcel's way, money going back, a survey, somebody's decision."""


@dataclass(slots=True)
class Story:
    """One order, from its placing until its customer has stayed or left."""

    order: Order
    _moments: list[tuple[datetime, int, _Moment]]
    _reached: set[str] = field(default_factory=set)
    """Subjects of the messages that came."""
    _contacts: list[str] = field(default_factory=list)
    """Those the customer has opened so far."""

    @property
    def next_at(self) -> datetime | None:
        """When something begins next; None: the story is over."""
        return self._moments[-1][0] if self._moments else None

    def hear(self, problem_ids: frozenset[str]) -> None:
        """Let messages about these problems have come; about another order's they mean nothing."""
        unknown = set(problem_ids)
        for subject, known in self._problems():
            if known in unknown:
                self._reached.add(subject)
                unknown.remove(known)
            if not unknown:
                return

    def go_on(self, premises: Premises) -> tuple[list[Publication], IntentionTruth | None]:
        """Return what the next moment makes be said, and what came of an intention."""
        _, _, moment = self._moments.pop()
        if isinstance(moment, Intention):
            truth = moment.settle(self.order, messaged=self._is_messaged(moment))
            spoken = _carried_out(truth, self.order, premises)
            self._remember(spoken)
            return list(spoken.publications), truth
        return list(_begun(moment, self.order, premises)), None

    def _remember(self, spoken: Spoken) -> None:
        if spoken.contact_id is not None:
            self._contacts.append(spoken.contact_id)
        if spoken.next is not None:
            # Its number is behind all that were there from the beginning.
            number = _MOST_MOMENTS + len(self._contacts)
            self._moments.append((spoken.next.at, number, spoken.next))
            self._moments.sort(key=lambda m: m[:2], reverse=True)

    def _is_messaged(self, intention: Intention) -> bool:
        if intention.subject == self.order.order_id:
            return bool(self._reached)
        return bool(self._reached & {intention.subject, self.order.order_id})

    def _problems(self) -> Iterator[tuple[str, str]]:
        """Yield every problem id this order can get, after its subject; the likely ones first."""
        customer_id = self.order.person.customer_id
        subjects = tuple(self._subjects())
        for episode in _EPISODES:
            for subject in subjects:
                for kind in ProblemKind:
                    yield subject, str(ids.problem_id(customer_id, subject, kind, episode))

    def _subjects(self) -> Iterator[str]:
        order = self.order
        yield from (parcel.shipment_id for parcel in order.parcels)
        yield order.order_id
        if order.refund is not None:
            yield order.refund.refund_id
        yield from self._contacts
        yield from (survey_id_of(order, kind) for kind in (SurveyKind.CSAT, SurveyKind.NPS))
        yield from (effort_survey_of(contact_id) for contact_id in self._contacts)


def begin(order: Order, premises: Premises) -> Story:
    """Return the story of an order that has just been placed."""
    moments: list[tuple[datetime, _Moment]] = [
        (intention.at, intention) for intention in intentions_of(order, premises)
    ]
    moments += [(asking.at, asking) for asking in askings_of(order, premises)]
    if not order.is_cancelled:
        moments += [(parcel.handed_over_at, parcel) for parcel in order.parcels]
    if order.refund is not None:
        moments.append((order.refund.begins_at, order.refund))
    numbered = [(at, number, moment) for number, (at, moment) in enumerate(moments)]
    # The next one last, so that taking it is cheap; numbers keep ties in one order.
    return Story(order, sorted(numbered, key=lambda m: m[:2], reverse=True))


def _begun(
    moment: Parcel | Refund | Asking, order: Order, premises: Premises
) -> Iterator[Publication]:
    customer_id = order.person.customer_id
    match moment:
        case Parcel():
            yield from transport(moment, customer_id, premises.parameters)
        case Refund():
            yield from tell_refund(moment, customer_id, CURRENCY)
        case Asking():
            yield from ask(moment, order, premises)


def _carried_out(truth: IntentionTruth, order: Order, premises: Premises) -> Spoken:
    if truth.act is Act.ANSWER_POORLY:
        return Spoken((answer(truth, order),))
    if truth.happened and truth.act is not Act.LEAVE:
        return speak_up(truth, order, premises)
    return Spoken(())
