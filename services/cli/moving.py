"""A deployment's move to more partitions, step by step: each is found done where it was done before."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Engine

from services.churn_predictor.letters import LetterLost
from services.churn_predictor.relocating import Looked, Relocation
from services.churn_predictor.relocation import Layout
from services.churn_predictor.state import PartitionState
from services.contracts import topics as t
from services.contracts.access import (
    METRICS_WRITER,
    MOVED,
    MOVER,
    OUTREACH_GROUP,
    PREDICTOR_GROUP,
)
from services.contracts.topics import TOPICS, Topic
from services.kit.exits import Unavailable
from services.kit.kafka_access import check_access
from services.kit.kafka_admin import find_topics, grow_topics, members_of
from services.kit.layouts import layouts_of
from services.kit.progress import Tell
from services.kit.transactions import TransactionalWriter
from services.outreach import relocating
from services.outreach.comparison import SaidTopic

_ANOTHER_STATE = "the state is not the one there was when the move began"


@dataclass(frozen=True, slots=True)
class Place:
    """The deployment."""

    bootstrap: str
    prefix: str


@dataclass(slots=True)
class Moved:
    """What was found and done."""

    before: int
    after: int
    customers: int = 0
    digest: str = ""
    """Of the whole state: the same before and after."""
    entries: int = 0
    """Customers and histories that belong to another partition."""
    letters: int = 0
    """Between partitions, on their way."""
    latest: int = 0
    """Latest values on compacted topics."""
    rows: dict[str, int] = field(default_factory=dict)
    """Table → rows, or before the move customers, under another partition."""
    late: dict[str, int] = field(default_factory=dict)
    """Topic → records that somebody published during the move."""
    was_over: bool = False
    """The state was moved before: of a database that is older than that, the rows alone were looked at."""
    wrong: list[str] = field(default_factory=list)
    """What the checks found."""

    def as_object(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


class Move:
    """One move, of which any part may have been done before."""

    def __init__(self, place: Place, engine: Engine, layout: Layout, tell: Tell) -> None:
        """Look at the deployment.

        Raises:
            Unavailable: no broker answers, it refuses something of what a move needs, or a topic is missing
                or has yet another number of partitions.
        """
        self.layout = layout
        self._place = place
        self._engine = engine
        self._tell = tell
        check_access(place.bootstrap, MOVER, place.prefix)
        self._state = Relocation(place.bootstrap, place.prefix, layout)
        self._counts = _counts(place, layout)
        told = layouts_of(place.bootstrap, prefix=place.prefix, partitions=layout.before)
        self._is_over = told[-1] == layout.after
        """Whether all is moved but, perhaps, a database that was restored since."""

    def close(self) -> None:
        """Let go of the broker."""
        self._state.close()

    def plan(self) -> Moved:
        """Return what there is to move, and change nothing.

        Raises:
            Unavailable: a service runs, or has not done all it had to do.
        """
        self._refuse_running()
        return self._planned(None if self._is_over else self._looked())

    def run(self) -> Moved:
        """Move everything and return what was moved, checked.

        Raises:
            Unavailable: as above; what was moved by then stays, and the next run goes on.
        """
        self._refuse_running()
        if self._is_over:
            found = self._planned(None)
            found.rows = self._relocate(is_restored=True)
            return found
        relocating.publish_rest(self._engine, self._said())
        self._tell("taking the state over")
        self._state.take_over()
        before = self._looked()
        found = self._planned(before)
        if not self._is_as_begun(before):
            found.wrong = [_ANOTHER_STATE]
            return found
        # All others last: until then every service finds a number that is not its own, whichever it expects.
        self._grow(MOVED)
        self._state.move_states(self._tell)
        found.latest = self._state.move_latest(self._tell)
        found.rows = self._relocate()
        after = self._check(before, found)
        if not found.wrong:
            self._finish(after, found)
        return found

    def _relocate(self, *, is_restored: bool = False) -> dict[str, int]:
        moved = relocating.relocate(
            self._engine, self.layout.after, self._tell, is_restored=is_restored
        )
        return dict(moved)

    # What must be so

    def _refuse_running(self) -> None:
        names = (OUTREACH_GROUP,) if self._is_over else (PREDICTOR_GROUP, OUTREACH_GROUP)
        groups = [f"{self._place.prefix}{name}" for name in names]
        running = [n for n, c in members_of(self._place.bootstrap, groups).items() if c]
        if running:
            raise Unavailable(
                f"the group {' and '.join(running)} still has members: stop every replica, and wait until "
                "its session is over"
            )

    def _looked(self) -> Looked:
        """Return what lies in the state, all of which was applied."""
        looked = self._state.look(self._counts[t.FACTS_CHANGELOG.name], self._tell)
        own = self._own(looked)
        if not self._has_begun:
            # Once it has begun, nobody could read on: what comes late is seen to in the end.
            _refuse_unread("churn_predictor", self._state.unread(own))
            _refuse_unread("outreach", relocating.unread(self._engine, self._said()))
            if any(tick.barrier for state in own.values() for tick in state.pending):
                raise Unavailable(
                    "a tick has not taken effect yet: start churn_predictor once more"
                )
            self._refuse_letters(own)
        return looked

    def _refuse_letters(self, own: Mapping[int, PartitionState]) -> None:
        try:
            self._state.check_letters(own)
        except LetterLost as error:
            raise Unavailable(
                f"{error}: start churn_predictor once more with the number of before, which goes on behind "
                "it, and stop it"
            ) from None

    def _is_as_begun(self, looked: Looked) -> bool:
        """Return whether the state is the one with which an earlier run began; the first one notes it."""
        if not self._has_begun:
            # Before the first topic grows: until then services may start again, and change it.
            relocating.note_beginning(self._engine, *self._numbers, _whole(looked.digest))
            return True
        known = relocating.beginning_of(self._engine, *self._numbers)
        if known is None:
            raise Unavailable(
                "the move has begun, and this database is from before that: go on with the database that it "
                "began with, which alone knows what the state was"
            )
        return known == _whole(looked.digest)

    @property
    def _has_begun(self) -> bool:
        """Whether a topic has the new number: from then on no service starts."""
        return any(self._counts[topic.name] == self.layout.after for topic in MOVED)

    @property
    def _numbers(self) -> tuple[int, int]:
        return self.layout.before, self.layout.after

    def _own(self, looked: Looked) -> dict[int, PartitionState]:
        return {n: s for n, s in looked.states.items() if n < self.layout.before}

    def _planned(self, looked: Looked | None) -> Moved:
        rows = relocating.misplaced(self._engine, self.layout.after)
        if looked is None:
            return Moved(*self._numbers, rows=dict(rows), was_over=True)
        return Moved(
            *self._numbers,
            customers=looked.customers,
            digest=_shown(looked.digest),
            entries=looked.misplaced,
            letters=looked.waiting,
            rows=dict(rows),
        )

    # What is done

    def _grow(self, topics: Iterable[Topic]) -> None:
        names = [topic.physical(self._place.prefix) for topic in topics]
        self._tell(f"giving {len(names)} topics {self.layout.after} partitions")
        grow_topics(self._place.bootstrap, names, self.layout.after)

    def _check(self, before: Looked, found: Moved) -> Looked:
        after = self._state.look(self.layout.after, self._tell)
        rows = relocating.misplaced(self._engine, self.layout.after)
        checks = {
            _ANOTHER_STATE: after.digest != before.digest,
            "partitions do not know who was erased or merged": after.unlike(self.layout),
            f"{after.misplaced} customers and histories lie elsewhere": after.misplaced,
            f"{after.waiting} letters still wait elsewhere": after.waiting,
            "latest values lie elsewhere": self._state.latest_misplaced(),
            f"rows lie elsewhere: {dict(rows)}": rows,
        }
        found.wrong = [words for words, is_so in checks.items() if is_so]
        return after

    def _finish(self, after: Looked, found: Moved) -> None:
        """Let services start with the new number, and with no other."""
        self._grow(topic for topic in TOPICS if topic not in MOVED)
        # A profile that came meanwhile would outlive the customer's next one, which goes elsewhere.
        found.latest += self._state.move_latest(self._tell)
        # Behind the last moment at which anybody could write by the old number, unless they do so still.
        found.late = dict(self._state.forward_late(self._own(after)))
        # It follows no group: a process that reads the old partitions alone ends at its next step.
        TransactionalWriter(self._place.bootstrap, f"{self._place.prefix}{METRICS_WRITER}")
        relocating.note_end(self._engine, *self._numbers)
        self._state.finish(after.states)

    def _said(self) -> SaidTopic:
        return SaidTopic(self._place.bootstrap, self._place.prefix, self.layout.before)


def _counts(place: Place, layout: Layout) -> dict[str, int]:
    """Return logical topic → partitions, each of which is the number before or after."""
    found = find_topics(place.bootstrap)
    names = {topic.name: topic.physical(place.prefix) for topic in TOPICS}
    missing = sorted(name for name in names.values() if name not in found)
    if missing:
        raise Unavailable(f"topics are missing: {', '.join(missing)}; is the prefix right?")
    counts = {logical: found[name].partitions for logical, name in names.items()}
    for logical, count in counts.items():
        if count not in (layout.before, layout.after):
            raise Unavailable(
                f"topic {names[logical]} has {count} partitions, neither {layout.before} nor {layout.after}"
            )
    return counts


def _refuse_unread(service: str, found: Mapping[str, int]) -> None:
    if found:
        listed = ", ".join(f"{count:,} on {topic}" for topic, count in sorted(found.items()))
        raise Unavailable(
            f"{service} has not read everything ({listed}): stop publishers, start it with the number of "
            "before, and stop it when nothing is left to read"
        )


def _whole(digest: int) -> str:
    return f"{digest:064x}"


def _shown(digest: int) -> str:
    return _whole(digest)[:16]
