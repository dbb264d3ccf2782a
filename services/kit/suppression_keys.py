"""The keys by which who was erased is known again: one file, the same for every service that remembers it."""

from pathlib import Path

from services.kit.secret_lines import read_secrets


def read_keys(path: Path) -> tuple[str, ...]:
    """Return the keys in a file, one a line: new hashes are made with the last, each is known again.

    Raises:
        Unavailable: the file cannot be read, or holds a key that is too short, or none.
    """
    return read_secrets(
        path,
        put="put the key of suppressions there, made once with `openssl rand -hex 32` and never "
        "changed; append another to replace it",
        get="make it with `openssl rand -hex 32`",
        called="key",
    )
