"""Files of secrets, one a line, as a platform mounts them; several while one replaces another."""

from pathlib import Path

from services.kit.exits import Unavailable
from services.kit.watched_file import UnreadableFile, read_lines

MIN_LENGTH = 32
"""Characters of a secret that we have made; fewer are guessed."""


def read_secrets(
    path: Path, *, put: str, get: str, called: str = "secret", min_length: int = MIN_LENGTH
) -> tuple[str, ...]:
    """Return the secrets in a file, in their order.

    Args:
        path: Of the file.
        put: What to do where it cannot be read.
        get: What to do where it holds none, or one that is too short.
        called: What each is.
        min_length: Characters of each, at least.

    Raises:
        Unavailable: one of the two; no secret is in the message.
    """
    try:
        secrets = read_lines(path)
    except UnreadableFile as error:
        raise Unavailable(f"{path} {error.reason}: {put}") from None
    if not secrets or any(len(secret) < min_length for secret in secrets):
        raise Unavailable(
            f"{path} must hold one {called} a line, each of {min_length} characters or more: {get}"
        )
    return secrets
