"""A text that is made from the models and committed: written, and compared with what they say."""

from pathlib import Path


def drift(path: Path, text: str) -> list[str]:
    """Return the file's name where it does not hold this text, else nothing."""
    found = path.read_text(encoding="utf-8") if path.exists() else None
    return [] if found == text else [path.name]


def write(path: Path, text: str) -> list[str]:
    """Let the file hold this text; return its name if it changed."""
    changed = drift(path, text)
    if changed:
        path.write_text(text, encoding="utf-8")
    return changed
