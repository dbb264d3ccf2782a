"""The parts that `care local up` keeps running for this checkout: noted for status, env and down."""

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from services.kit.exits import Unavailable
from services.local.processes import Seen, kill

_DOWN_SECONDS = 40
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Instance:
    """Who keeps the parts, and where they answer."""

    owner: Seen
    kafka_bootstrap: str
    database_url: str
    folder: str | None


@contextmanager
def claim(state: Path) -> Iterator[None]:
    """Yield as the only one to keep parts for this state folder.

    Raises:
        Unavailable: another process does so already, or is about to.
    """
    with (state / "local.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable(
                "already up, or starting: `care local status` shows it, `care local down` ends it"
            ) from None
        yield


@contextmanager
def noted(state: Path, instance: Instance) -> Iterator[None]:
    """Note the instance for others to find, and forget it at the end."""
    path = _path(state)
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    # It carries the password, and an older file may have been readable by others.
    fresh.chmod(0o600)
    fresh.write_text(json.dumps(asdict(instance)))
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def find(state: Path) -> Instance | None:
    """Return the instance that runs, or None; a note whose owner is gone counts as none."""
    try:
        found = json.loads(_path(state).read_text())
        instance = Instance(**{**found, "owner": Seen(**found["owner"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return instance if instance.owner.alive() else None


def end(instance: Instance) -> None:
    """Ask the owner to end its parts and itself; returns when it is gone."""
    owner = instance.owner.process()
    if owner is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        owner.terminate()
    deadline = time.monotonic() + _DOWN_SECONDS
    while instance.owner.alive():
        if time.monotonic() > deadline:
            # Its parts end with it, through their keepers.
            kill([owner])
        time.sleep(_POLL_SECONDS)


def _path(state: Path) -> Path:
    return state / "local.json"
