"""The secrets that sign links, from a file that may be changed while the service runs."""

import os
from pathlib import Path

from services.kit import logs
from services.kit.exits import Unavailable

MIN_LENGTH = 32
"""Characters of a secret; fewer are guessed."""

_log = logs.get(__name__)
_Stamp = tuple[int, int, int]


class SecretFile:
    """One secret a line, the last one signs and each is accepted; read again when the file changes.

    Raises:
        Unavailable: the file cannot be read, or holds no secret that is long enough.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._secrets = _read(path)

    def current(self) -> tuple[str, ...]:
        """Return the secrets; those known before, where the file is wrong by now."""
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._secrets = _read(self._path)
                _log.info("page_secrets_read", secrets=len(self._secrets))
        except Unavailable as error:
            _log.error("page_secrets_unreadable", because=str(error))
        return self._secrets


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None
    secrets = tuple(line.strip() for line in lines if line.strip())
    if not secrets or any(len(secret) < MIN_LENGTH for secret in secrets):
        raise Unavailable(
            f"{path} must hold one secret a line, each of {MIN_LENGTH} characters or more: "
            "append one with `openssl rand -hex 32`"
        )
    return secrets


def _unreadable(path: Path, error: Exception) -> Unavailable:
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "no text"
    return Unavailable(
        f"{path} cannot be read ({reason}): put the secrets of the pages' links there, one a line, "
        "made with `openssl rand -hex 32`"
    )
