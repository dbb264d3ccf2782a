"""What `care erase` asks of the database, and when."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import pytest

from services.cli import on_database
from services.cli.erasing import report_of
from services.cli.person_topics import Asked, Lying, Topics
from services.contracts.topics import Topic
from services.outreach.persons import Person
from tests.component.outreach.desk import Desk
from tests.support.outreach import profile, query

pytestmark = pytest.mark.connected

APPLICATION = "care-erase"


@dataclass(frozen=True, slots=True)
class SlowTopics(Topics):
    """Topics on which nothing lies; it is noted which transactions wait while they are read."""

    url: str = ""
    waiting: list[str] = field(default_factory=list)

    def known_as(self, customer: str) -> tuple[Person, tuple[Asked, ...]]:
        self._look()
        return Person(customer), ()

    def lying(self, names: Iterable[str], wanted: Sequence[Topic]) -> Iterator[Lying]:
        self._look()
        yield from ()

    def _look(self) -> None:
        open_ones = "SELECT state FROM pg_stat_activity WHERE application_name = '{}'"
        self.waiting.extend(state for (state,) in query(self.url, open_ones.format(APPLICATION)))


def test_no_transaction_waits_while_the_topics_are_read(desk: Desk) -> None:
    desk.learn(profile("c-1"))
    topics = SlowTopics("", "", 4, desk.url)

    found = report_of(partial(on_database.connected, desk.url, APPLICATION), topics, "c-1")

    assert (found.stores[0].name, found.stores[0].left) == ("outreach database", 1)
    assert "idle in transaction" not in topics.waiting
