"""The secrets that sign links, from a file that may be changed while the service runs."""

from pathlib import Path

from services.kit.secret_lines import read_secrets
from services.kit.watched_file import WatchedFile


class SecretFile:
    """One secret a line, the last one signs and each is accepted; read again when the file changes.

    Raises:
        Unavailable: the file cannot be read, or holds no secret that is long enough.
    """

    def __init__(self, path: Path) -> None:
        self.file = WatchedFile(path, _read, "page_secrets")

    def current(self) -> tuple[str, ...]:
        """Return the secrets; those known before, where the file is wrong by now."""
        return self.file.current()


def _read(path: Path) -> tuple[str, ...]:
    return read_secrets(
        path,
        put="put the secrets of the pages' links there, one a line, made with `openssl rand -hex 32`",
        get="append one with `openssl rand -hex 32`",
    )
