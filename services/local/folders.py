"""Where the parts live: a fresh folder that goes at the end, or one that is kept."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

import services
from services.kit.exits import Unavailable
from services.local import leftovers
from services.local.account import Account, everyone_reaches, runs_programs
from services.local.leftovers import Ledger

TEMPORARY_VARIABLE = "CARE_LOCAL_TMPDIR"
MEMORY = Path("/dev/shm")  # noqa: S108 - as below: no name there can be guessed
"""Where a folder is in memory, on Linux."""
_APPLICATION = "proactive-care"


def cache_folder() -> Path:
    """Return the user's folder for what was downloaded; raises Unavailable where it cannot be made."""
    chosen = os.environ.get("CARE_CACHE")
    return _made(Path(chosen or platformdirs.user_cache_path(_APPLICATION)), "set CARE_CACHE")


def state_folder() -> Path:
    """Return where `care local` notes what it started: the checkout's `.care`, else the user's folder.

    Raises:
        Unavailable: it cannot be made.
    """
    advice = "set CARE_STATE"
    if chosen := os.environ.get("CARE_STATE"):
        return _made(Path(chosen), advice)
    checkout = Path(services.__file__).resolve().parents[1]
    if (checkout / "pyproject.toml").is_file() and os.access(checkout, os.W_OK):
        return _made(checkout / ".care", advice)
    return _made(platformdirs.user_state_path(_APPLICATION), advice)


def temporary_bases() -> tuple[Path, ...]:
    """Return the folders under which fresh ones are made, in the order they are tried."""
    chosen = os.environ.get(TEMPORARY_VARIABLE)
    return _folders([Path(chosen)] if chosen else _usual_bases())


def former_bases() -> tuple[Path, ...]:
    """Return the folders under which fresh ones were made, whatever was chosen at that time."""
    return _folders([*temporary_bases(), *_usual_bases(), MEMORY])


def _usual_bases() -> list[Path]:
    # A name there is guessed by nobody: mkdtemp makes it.
    return [Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp")]  # noqa: S108


def _folders(paths: Iterable[Path]) -> tuple[Path, ...]:
    # `Path.is_dir` raises where a folder above is closed to us.
    return tuple(dict.fromkeys(path.resolve() for path in paths if os.path.isdir(path)))  # noqa: PTH112


@contextmanager
def fresh(account: Account | None) -> Iterator[Ledger]:
    """Yield a folder of our own under a temporary one, and remove it at the end.

    Raises:
        Unavailable: root has no temporary folder that `nobody` reaches and may run programs from, or the
            chosen one is none such.
    """
    base = next((base for base in temporary_bases() if fits(base, account)), None)
    if base is None and (chosen := os.environ.get(TEMPORARY_VARIABLE)):
        raise Unavailable(
            f"{TEMPORARY_VARIABLE}={chosen} is no folder that {_user(account)} may write to and run "
            "programs from: choose another, or unset it"
        )
    if base is None:
        raise Unavailable(
            "PostgreSQL runs as `nobody` here, who reaches none of "
            f"{', '.join(map(str, temporary_bases()))}: set TMPDIR to a folder everyone may enter"
        )
    folder = Path(tempfile.mkdtemp(prefix=leftovers.PREFIX, dir=base))
    try:
        # Others may pass through to their own subfolder, and see nothing on the way.
        folder.chmod(0o700 if account is None else 0o711)
        ledger = Ledger.open(folder, throwaway=True)
        try:
            yield ledger
        finally:
            ledger.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def kept(folder: Path, account: Account | None) -> Iterator[Ledger]:
    """Yield this folder, made where missing; what it holds stays.

    Raises:
        Unavailable: another process uses it, it cannot be made, or `nobody` would not reach it.
    """
    folder = _made(folder.expanduser().absolute(), "choose another with --dir")
    if not fits(folder, account):
        raise Unavailable(
            f"{folder} cannot be entered by {_user(account)}: choose another, such as one under /var/tmp"
        )
    # Its mode stays as it is: it may be a folder that has other uses.
    ledger = Ledger.open(folder, throwaway=False)
    try:
        yield ledger
    finally:
        ledger.close()


def _user(account: Account | None) -> str:
    return "nobody, as whom PostgreSQL runs for root," if account else "this user"


def fits(base: Path, account: Account | None) -> bool:
    """Return whether parts of this account can live under this folder."""
    if not os.access(base, os.W_OK | os.X_OK):
        return False
    return account is None or (everyone_reaches(base) and runs_programs(base))


def _made(folder: Path, advice: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be made ({error.strerror}): {advice}") from None
    return folder
