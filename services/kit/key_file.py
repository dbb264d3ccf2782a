"""The file of API keys, as a platform mounts it: JSON, changed as a whole, no secret in it."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.kit.api_keys import Key, Keys, TooManyKeys
from services.kit.exits import Unavailable
from services.kit.watched_file import UnreadableFile, WatchedFile, faults_of, read_text

MODE = 0o600
ClientName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
"""Lower-case letters, digits, `.`, `_` and `-`: it is written into logs and records."""
Scope = Annotated[
    str,
    Field(
        min_length=2,
        max_length=400,
        pattern=r"^[A-Za-z0-9:._/-]*[A-Za-z0-9*](@([A-Za-z0-9:._/~%+?=&,;@#-]+\*?|\*))?$",
    ),
]
"""What a service asks for, or the beginning of it and a `*`; where it has two sides, as
`publish:<type>@<source>`, each may be a beginning."""
EventsPerSecond = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Burst = Annotated[int, Field(ge=1, le=10_000_000)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9]{8,32}$")]
    client: ClientName
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    not_after: AwareDatetime | None = None
    revoked: bool = False
    events_per_second: EventsPerSecond | None = None
    burst: Burst | None = None

    def key(self) -> Key:
        return Key(
            self.id,
            self.client,
            self.sha256,
            self.scopes,
            self.not_after,
            revoked=self.revoked,
            events_per_second=self.events_per_second,
            burst=self.burst,
        )


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[_Entry, ...]

    @model_validator(mode="after")
    def _ids_differ(self) -> "_Document":
        ids = [entry.id for entry in self.keys]
        if len(set(ids)) < len(ids):
            raise ValueError("two keys have the same id")
        return self


def read(path: Path) -> tuple[Key, ...]:
    """Return the keys in this file, however many a client has.

    Raises:
        Unavailable: it cannot be read, or is no file of keys.
    """
    try:
        document = _Document.model_validate_json(read_text(path))
    except UnreadableFile as error:
        raise Unavailable(f"{path} {error.reason}: make it with `care keys create`") from None
    except ValidationError as error:
        raise Unavailable(
            f"{path} is no file of keys: {faults_of(error)}: mend it, or make one with "
            "`care keys create`"
        ) from None
    return tuple(entry.key() for entry in document.keys)


def usable(path: Path, now: datetime) -> Keys:
    """Return the keys in this file, for a service to go by.

    Raises:
        Unavailable: it cannot be read, is no file of keys, or gives a client too many.
    """
    try:
        return Keys(read(path), now)
    except TooManyKeys as error:
        raise Unavailable(f"{path}: {error} with `care keys revoke`") from None


def watched(path: Path, now: Callable[[], datetime]) -> WatchedFile[Keys]:
    """Return the keys in this file, whatever they are by then; see `usable`."""
    return WatchedFile(path, lambda path: usable(path, now()), "api_keys")


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Keep others from changing this file between reading it and writing it; they wait for their turn.

    Who only reads it waits for nobody: it is replaced in one step.

    Raises:
        Unavailable: nobody may write there.
    """
    place = path.resolve()
    # Not the file itself, in whose place another one comes.
    beside = place.with_name(f".{place.name}.lock")
    try:
        lock = _locked(beside)
    except OSError as error:
        raise _not_written(path, error) from None
    try:
        yield
    finally:
        # Gone before it is let go: nobody finds it who has not seen what was written.
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        os.close(lock)


def _locked(path: Path) -> int:
    """Return the descriptor of this file once nobody else has it locked."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_at(path, lock):
                return lock
        except BaseException:
            os.close(lock)
            raise
        # Who had it has removed it: the next one locks another file.
        os.close(lock)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def write(path: Path, keys: Iterable[Key]) -> None:
    """Put these keys there in one step: readable by whoever could read it, a new file by its owner alone.

    Raises:
        Unavailable: nobody may write there.
    """
    entries = tuple(
        _Entry(
            id=key.key_id,
            client=key.client,
            sha256=key.sha256,
            scopes=key.scopes,
            not_after=key.not_after,
            revoked=key.revoked,
            events_per_second=key.events_per_second,
            burst=key.burst,
        )
        for key in keys
    )
    # A service of an earlier release reads what says no more than it knows.
    text = _Document(keys=entries).model_dump_json(indent=2, exclude_none=True) + "\n"
    # What a link names is replaced, not the link.
    place = path.resolve()
    try:
        _replace(place, text)
    except OSError as error:
        raise _not_written(path, error) from None


def _not_written(path: Path, error: OSError) -> Unavailable:
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return Unavailable(f"{path} cannot be written ({reason}): name another --file")


def _replace(place: Path, text: str) -> None:
    # mkstemp makes it for its owner alone (0600) from the first byte on.
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _let_read(partial, place)
        partial.replace(place)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _let_read(partial: Path, place: Path) -> None:
    """Give the file that is to come the group and the mode of the one that is there."""
    if not place.exists():
        partial.chmod(MODE)
        return
    there = place.stat()
    # Whoever may not give it away keeps it; the mode stays all the same.
    with suppress(OSError):
        os.chown(partial, -1, there.st_gid)
    partial.chmod(stat.S_IMODE(there.st_mode))
