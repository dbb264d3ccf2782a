"""What becomes of an event on `identities`, and of what comes about somebody after they were erased."""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from services.contracts.envelope import Event
from services.contracts.identities import Merge
from services.contracts.people import CustomerMerged
from services.contracts.problems import ProblemChanged, ProblemCleared
from services.kit.exits import Unavailable
from services.outreach import erasure, identities
from services.outreach.persons import Standing
from services.outreach.suppression import SETTING, Keys, is_opaque


class Change(StrEnum):
    """What an event on `identities` was."""

    NEWS = "news"
    KNOWN = "known"
    LATE = "late"
    """About somebody erased since."""


def named_in(events: Iterable[Event[Any]]) -> set[str]:
    """Return the ids that these events on `identities` are about."""
    told = list(events)
    into = {e.data.into for e in told if isinstance(e.data, CustomerMerged)}
    return {event.customer_id for event in told} | into


def change(connection: Connection, event: Event[Any], keys: Keys | None, now: datetime) -> Change:
    """Do what an event on `identities` says.

    The caller holds the names alone, and has locked everybody it is about.

    Raises:
        Unavailable: somebody is to be erased, and there are no keys to remember it by.
    """
    if isinstance(event.data, CustomerMerged):
        return _merge(connection, Merge(event.customer_id, event.data.into, event.time), keys, now)
    if keys is None:
        # Nothing of it is lost: it lies on the topic, and is read again at the next start.
        raise Unavailable(
            "somebody is to be erased and there is no key to remember it by: put one into a file "
            f"(`openssl rand -hex 32`), name it with {SETTING}, and start again"
        )
    is_news = erasure.erase(connection, event.customer_id, event.time, keys, now)
    return Change.NEWS if is_news else Change.KNOWN


def is_of_the_past(
    event: Event[Any],
    standing: Standing,
    owners: Mapping[UUID, str],
    opened: Container[UUID],
) -> bool:
    """Whether an event of `problems` or `contacts` is about what is forgotten.

    Args:
        event: As it came.
        standing: Of its customer.
        owners: Of known problems that may be an erased customer's.
        opened: Problems that began among what was read together with it.
    """
    if standing.is_past(event.customer_id, event.time):
        return True
    if event.customer_id not in standing.erased or not hasattr(event.data, "problem_id"):
        return False
    problem_id = event.data.problem_id
    if problem_id in owners:
        return is_opaque(owners[problem_id])
    # A problem that nobody here saw begin began before the erasure: the predictor forgets later.
    return isinstance(event.data, ProblemChanged | ProblemCleared) and problem_id not in opened


def _merge(connection: Connection, told: Merge, keys: Keys | None, now: datetime) -> Change:
    if identities.goes_elsewhere(connection, told):
        return Change.KNOWN
    erased = identities.standing_of(connection, (told.goes, told.stays), keys).erased
    later = [at for at in erased.values() if at >= told.at]
    if later:
        # Who was erased had both names by then.
        if keys is not None:
            for name in (told.goes, told.stays):
                erasure.erase(connection, name, max(later), keys, now)
        return Change.LATE
    return Change.NEWS if identities.merge(connection, told) else Change.KNOWN
