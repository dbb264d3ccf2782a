"""Bills of materials: what each image's lock names, as CycloneDX."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from packaging.utils import canonicalize_name

from deploy.supply_chain.locks import ROOT, versions

SPECIFICATION = "1.6"


class Mismatch(Exception):
    """A bill names something else than its lock; the message says what."""


def write(lock: Path, file: Path) -> None:
    """Write the bill of a lock, the same bytes each time.

    The writer holds it against CycloneDX' own schema; it must name exactly what the lock names.

    Raises:
        Mismatch: it does not.
        subprocess.CalledProcessError: it could not be written, or is not valid.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(lock))
    project = ("--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application")
    form = ("--spec-version", SPECIFICATION, "--output-reproducible", "--validate")
    subprocess.run((*command, *project, *form, "--output-file", str(file)), check=True)
    require_same(lock, file)


def require_same(lock: Path, file: Path) -> None:
    """Return where a bill names what the lock names, version by version; raises Mismatch otherwise."""
    named, wanted = components(file), versions(lock)
    if named != wanted:
        missing, extra = _told(wanted - named), _told(named - wanted)
        raise Mismatch(f"{file.name}: lacks {missing}; has beside {lock.name}: {extra}")


def components(file: Path) -> frozenset[tuple[str, str]]:
    """Return (normalised name, version) of what a bill names."""
    found = json.loads(file.read_text(encoding="utf-8"))["components"]
    return frozenset((canonicalize_name(each["name"]), each["version"]) for each in found)


def _told(packages: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(packages)) or "nothing"
