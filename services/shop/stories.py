"""An order while it is under way: its moments in order, and which messages reached its customer.  Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from services.contracts import ids
from services.contracts.problems import ProblemKind
from services.shop.conversations import speak_up
from services.shop.intentions import Intention, intentions_of
from services.shop.orders import CURRENCY, Order
from services.shop.parcels import Parcel, transport
from services.shop.premises import Premises
from services.shop.refunds import Refund, tell_refund
from services.shop.surveys import Asking, answer, ask, askings_of
from services.shop.timeline import Publication
from services.shop.truth import Act, IntentionTruth

_EPISODES = (1, 2, 3)
"""Problems rarely return; a message about a fourth episode would not be recognised."""

_Moment = Parcel | Refund | Asking | Intention
"""What begins: a parcel's way, money going back, a survey, somebody's decision."""


@dataclass(slots=True)
class Story:
    """One order, from its placing until its customer has stayed or left."""

    order: Order
    _moments: list[tuple[datetime, int, _Moment]]
    _reached: set[str] = field(default_factory=set)
    """Subjects of the messages that came."""

    @property
    def next_at(self) -> datetime | None:
        """When something begins next; None: the story is over."""
        return self._moments[-1][0] if self._moments else None

    def hear(self, problem_ids: frozenset[str]) -> None:
        """Let messages about these problems have come; about another order's they mean nothing."""
        self._reached |= {subject for subject, known in self._problems() if known in problem_ids}

    def go_on(self, premises: Premises) -> tuple[list[Publication], IntentionTruth | None]:
        """Return what the next moment makes be said, and what came of an intention."""
        _, _, moment = self._moments.pop()
        if isinstance(moment, Intention):
            truth = moment.settle(self.order, messaged=self._is_messaged(moment))
            return list(_carried_out(truth, self.order, premises)), truth
        return list(_begun(moment, self.order, premises)), None

    def _is_messaged(self, intention: Intention) -> bool:
        if intention.subject == self.order.order_id:
            return bool(self._reached)
        return bool(self._reached & {intention.subject, self.order.order_id})

    def _problems(self) -> Iterator[tuple[str, str]]:
        """Yield every problem id this order can get, after its subject."""
        subjects = [self.order.order_id, *(p.shipment_id for p in self.order.parcels)]
        subjects += [self.order.refund.refund_id] if self.order.refund else []
        customer_id = self.order.person.customer_id
        for subject in subjects:
            for kind in ProblemKind:
                for episode in _EPISODES:
                    yield subject, str(ids.problem_id(customer_id, subject, kind, episode))


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


def _carried_out(truth: IntentionTruth, order: Order, premises: Premises) -> Iterator[Publication]:
    if truth.act is Act.ANSWER_POORLY:
        yield answer(truth, order)
    elif truth.happened and truth.act is not Act.LEAVE:
        yield from speak_up(truth, order, premises)
