"""Under which names publishers are counted: those a deployment has written down, and `other`.  Pure.

A label's values must be few, and what an event says of its source is anybody's word.  So a source is
counted by the pattern that a file of ours (or a setting) names it with, and only for a caller that may
publish from it: nobody can make series, or spoil another's count.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from services.ingest.access import scopes as _scopes

OTHER = "other"
"""Whatever has no name of its own."""
MAX_NAMES = 100
"""Sources, and clients, that have one at the same time; the first of the files do."""
EVERY_SOURCE = "*"


@dataclass(frozen=True, slots=True)
class Counted:
    """The names that are counted by themselves."""

    sources: tuple[str, ...] = ()
    """Sources, or beginnings of them and a `*`; the most exact first."""
    clients: frozenset[str] = frozenset()

    def source(self, told: str | None, scopes: Iterable[str]) -> str:
        """Return the name to count a source under, which may be published from with these scopes.

        Args:
            told: The source as an event says it; None: nothing could be read.  That is counted for the
                source of a caller that has but one.
            scopes: The caller's.
        """
        given = tuple(scopes)
        if told is None:
            own = {_scopes.source_of(scope) for scope in given if _scopes.is_to_publish(scope)}
            only = own.pop() if len(own) == 1 else EVERY_SOURCE
            return only if only in self.sources else OTHER
        if not _scopes.may_ask_about(given, told):
            return OTHER
        return next((each for each in self.sources if _scopes.matches(each, told)), OTHER)

    def client(self, name: str) -> str:
        """Return the name to count a client under."""
        return name if name in self.clients else OTHER


def counted(configured: Iterable[str], scopes: Iterable[str], clients: Iterable[str]) -> Counted:
    """Return what is counted by name: at most `MAX_NAMES` sources, and as many clients.

    Args:
        configured: Sources, or beginnings of them and a `*`, that the deployment wants to see.
        scopes: Of everybody who may publish; each names a source, or the beginning of some.
        clients: Everybody who may publish.
    """
    named = (_scopes.source_of(scope) for scope in scopes if _scopes.is_to_publish(scope))
    found = dict.fromkeys([*configured, *named])
    found.pop(EVERY_SOURCE, None)
    sources = sorted(list(found)[:MAX_NAMES], key=_exactness)
    return Counted(tuple(sources), frozenset(list(dict.fromkeys(clients))[:MAX_NAMES]))


def _exactness(pattern: str) -> tuple[bool, int, str]:
    return pattern.endswith("*"), -len(pattern), pattern
