"""The keys by which who was erased is known again: one file, the same for every service that remembers it."""

from pathlib import Path

from services.kit.exits import Unavailable
from services.kit.watched_file import UnreadableFile, read_lines

MIN_LENGTH = 32
"""Characters of a key; fewer are guessed."""


def read_secrets(path: Path) -> tuple[str, ...]:
    """Return the keys in a file, one a line: new hashes are made with the last, each is known again.

    Raises:
        Unavailable: the file cannot be read, or holds a key that is too short, or none.
    """
    try:
        secrets = read_lines(path)
    except UnreadableFile as error:
        raise Unavailable(
            f"{path} {error.reason}: put the key of suppressions there, made once with "
            "`openssl rand -hex 32` and never changed; append another to replace it"
        ) from None
    if not secrets or any(len(secret) < MIN_LENGTH for secret in secrets):
        raise Unavailable(
            f"{path} must hold one key a line, each of {MIN_LENGTH} characters or more: make it with "
            "`openssl rand -hex 32`"
        )
    return secrets
