"""The secrets that sign links, from a file that may be changed while the service runs."""

from pathlib import Path

from services.kit.exits import Unavailable
from services.kit.watched_file import UnreadableFile, WatchedFile, read_lines

MIN_LENGTH = 32
"""Characters of a secret; fewer are guessed."""


class SecretFile:
    """One secret a line, the last one signs and each is accepted; read again when the file changes.

    Raises:
        Unavailable: the file cannot be read, or holds no secret that is long enough.
    """

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path, _read, "page_secrets")

    def current(self) -> tuple[str, ...]:
        """Return the secrets; those known before, where the file is wrong by now."""
        return self._file.current()


def _read(path: Path) -> tuple[str, ...]:
    try:
        secrets = read_lines(path)
    except UnreadableFile as error:
        raise Unavailable(
            f"{path} {error.reason}: put the secrets of the pages' links there, one a line, made "
            "with `openssl rand -hex 32`"
        ) from None
    if not secrets or any(len(secret) < MIN_LENGTH for secret in secrets):
        raise Unavailable(
            f"{path} must hold one secret a line, each of {MIN_LENGTH} characters or more: "
            "append one with `openssl rand -hex 32`"
        )
    return secrets
