"""`care local up --detach`: the same command once more, in the background."""

import os
import subprocess
import sys
import time
from pathlib import Path

import services
from services.kit.exits import Unavailable
from services.local import instance
from services.local.instance import Instance

_READY_SECONDS = 240
"""The first time, jars are fetched as well."""

_POLL_SECONDS = 0.1


def start_detached(state: Path) -> Instance:
    """Start the command without `--detach` and return what it noted once it is up.

    Raises:
        Unavailable: it ended first, with its last line, or is not up after four minutes.
    """
    log = state / "local.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            _command(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(Path(services.__file__).parents[1])},
        )
    deadline = time.monotonic() + _READY_SECONDS
    while (found := instance.find(state)) is None:
        if child.poll() is not None:
            said = log.read_text(errors="replace").strip().splitlines()
            raise Unavailable(said[-1] if said else f"it ended without a word; see {log}")
        if time.monotonic() > deadline:
            child.terminate()
            raise Unavailable(f"not up after {_READY_SECONDS} seconds; see {log}")
        time.sleep(_POLL_SECONDS)
    return found


def _command() -> list[str]:
    # -P: a folder named like one of ours, where the person stands, must not come first.
    given = [word for word in sys.argv[1:] if word != "--detach"]
    return [sys.executable, "-P", "-m", "services.cli", *given]
