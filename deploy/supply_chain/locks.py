"""The locks under requirements/, read without installing anything."""

from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
IMAGES = ("ingest", "churn-predictor", "outreach", "metrics", "cli")
"""Each image has a lock of its own by its name."""


def lock_of(name: str) -> Path:
    """Return the lock of an image or an extra."""
    return FOLDER / f"{name}.txt"


def all_locks() -> tuple[Path, ...]:
    """Return every lock there is, by name."""
    return tuple(sorted(FOLDER.glob("*.txt")))


def pinned(lock: Path) -> tuple[Requirement, ...]:
    """Return what a lock names, on whatever platform, in its order."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return tuple(
        Requirement(line.removesuffix("\\").strip())
        for line in lines
        if line and not line.startswith((" ", "#"))
    )


def versions(lock: Path) -> frozenset[tuple[str, str]]:
    """Return (normalised name, version) of what a lock names."""
    return frozenset(
        (canonicalize_name(each.name), str(each.specifier).removeprefix("=="))
        for each in pinned(lock)
    )
