"""Who is written to where the mode is limited: customers' ids in a file that may change meanwhile."""

from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from services.contracts.envelope import CustomerId
from services.kit import logs
from services.kit.exits import Unavailable

_CUSTOMER_ID: TypeAdapter[str] = TypeAdapter(CustomerId)
_Stamp = tuple[int, int, int]

_log = logs.get(__name__)


class AllowList(Collection[str]):
    """The customers' ids in a file, one a line; `#` begins a comment.  Read again when the file changes.

    A file that is gone or wrong by now allows nobody: in doubt nothing is sent.

    Raises:
        Unavailable: the file cannot be read, or a line of it is no customer's id.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: _Stamp | None = _stamp(path)
        self._customers = _read(path)

    def __contains__(self, customer: object) -> bool:
        """Return whether this customer is written to."""
        return customer in self._current()

    def __iter__(self) -> Iterator[str]:
        """Yield who is written to."""
        return iter(self._current())

    def __len__(self) -> int:
        """Return how many are written to."""
        return len(self._current())

    def _current(self) -> frozenset[str]:
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._customers = _read(self._path)
                _log.info("allow_list_read", customers=len(self._customers))
            except Unavailable as error:
                self._customers = frozenset()
                _log.error("allow_list_unreadable", because=str(error))
        return self._customers


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> frozenset[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(
            f"{path} cannot be read ({type(error).__name__}): put the ids of the customers there who "
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
