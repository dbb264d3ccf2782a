"""Who is written to where the mode is limited: customers' ids in a file that may change meanwhile."""

from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from services.contracts.envelope import CustomerId
from services.kit.exits import Unavailable
from services.kit.watched_file import UnreadableFile, WatchedFile, read_text

_CUSTOMER_ID: TypeAdapter[str] = TypeAdapter(CustomerId)


class AllowList(Collection[str]):
    """The customers' ids in a file, one a line; `#` begins a comment.  Read again when the file changes.

    A file that is gone or wrong by now allows nobody: in doubt nothing is sent.

    Raises:
        Unavailable: the file cannot be read, or a line of it is no customer's id.
    """

    def __init__(self, path: Path) -> None:
        nobody: frozenset[str] = frozenset()
        self.file = WatchedFile(path, _read, "allow_list", instead=nobody)

    def __contains__(self, customer: object) -> bool:
        """Return whether this customer is written to."""
        return customer in self.file.current()

    def __iter__(self) -> Iterator[str]:
        """Yield who is written to."""
        return iter(self.file.current())

    def __len__(self) -> int:
        """Return how many are written to."""
        return len(self.file.current())


def _read(path: Path) -> frozenset[str]:
    try:
        lines = read_text(path).splitlines()
    except UnreadableFile as error:
        raise Unavailable(
            f"{path} {error.reason}: put the ids of the customers there who "
            "are written to while the mode is limited, one a line"
        ) from None
    said = ((number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1))
    return frozenset(_customer_of(path, number, text) for number, text in said if text)


def _customer_of(path: Path, number: int, text: str) -> str:
    try:
        return _CUSTOMER_ID.validate_python(text)
    except ValidationError:
        # Not the line itself: it may be an address.
        raise Unavailable(
            f"{path}:{number} is no customer's id: one a line, nothing else"
        ) from None
