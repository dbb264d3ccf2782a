"""Whom to run PostgreSQL as: it refuses root, so root lends it to `nobody`, who exists already."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from services.kit.exits import Unavailable


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this system who owns nothing."""

    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return `nobody` where we are root, None where we are an ordinary user already.

    Raises:
        Unavailable: root without a `nobody`, or a user id without a name, which PostgreSQL refuses.
    """
    try:
        if os.geteuid() != 0:
            pwd.getpwuid(os.geteuid())
            return None
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise Unavailable(
            f"PostgreSQL cannot run as user id {os.geteuid()} here (no entry in the user database): "
            "run as an ordinary user, or set DATABASE_URL to a PostgreSQL that runs already"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def everyone_reaches(folder: Path) -> bool:
    """Return whether every user may pass through this folder and all above it."""
    try:
        return all(
            place.stat().st_mode & stat.S_IXOTH for place in (folder, *folder.resolve().parents)
        )
    except OSError:
        return False


def runs_programs(folder: Path) -> bool:
    """Return whether programs under this folder may be started; some systems forbid it under /tmp."""
    forbidden: int = getattr(os, "ST_NOEXEC", 0)
    return not os.statvfs(folder).f_flag & forbidden
