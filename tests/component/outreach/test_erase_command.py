"""What `care erase` asks of the database, and when."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from services.cli import on_database
from services.cli.erasing import Report, report_of
from services.cli.person_topics import Asked, Lying, Topics
from services.contracts.topics import Topic
from services.outreach.persons import Person
from tests.component.outreach.desk import NOON, Desk, counts
from tests.component.outreach.test_erasing import KEYS, erased
from tests.factories import DAY
from tests.support.outreach import profile, query

pytestmark = pytest.mark.connected

APPLICATION = "care-erase"


@dataclass(frozen=True, slots=True)
class SlowTopics(Topics):
    """Topics on which nothing lies; it is noted which transactions wait while they are read."""

    url: str = ""
    waiting: list[str] = field(default_factory=list)
    asked: tuple[Asked, ...] = ()

    def known_as(self, customer: str) -> tuple[Person, tuple[Asked, ...]]:
        self._look()
        return Person(customer), self.asked

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


def test_what_outreach_has_read_and_refused_is_not_done_and_is_asked_for_again(desk: Desk) -> None:
    desk.out = replace(desk.out, keys=KEYS)
    future, told = NOON + 2 * DAY, 0

    def look(*asked: Asked) -> Report:
        topics = SlowTopics("", "", 4, desk.url, asked=asked)
        return report_of(partial(on_database.connected, desk.url, APPLICATION), topics, "c-1")

    too_early = Asked(future, told, 0)
    assert not look(too_early).is_to_be_asked
    desk.learn(profile("c-1"), erased("c-1", future))
    refused = look(too_early)
    assert counts(desk.url, "identities") == (0, 0, 0, 1)
    assert (refused.is_heard, refused.is_to_be_asked) == (False, True)
    assert "refused it: ask again" in refused.stores[0].words

    again = Asked(NOON, told, 1)
    assert not look(again, too_early).is_to_be_asked
    desk.learn(erased("c-1", NOON))
    heard = look(again, too_early)
    assert (heard.is_heard, heard.is_to_be_asked, heard.asked_at) == (True, False, NOON)
