"""Runs one program and ends it when whoever asked for it is gone, however that came about.

The owner holds the other end of standard input.  A killed process cannot clean up, but the kernel
closes its pipe, on Linux and on macOS alike; that is all this waits for.  Run by path, with the
standard library alone, so that it starts in milliseconds: `python -I keeper.py <order as JSON>`.
The program's environment is the first line of standard input: it holds passwords, and everybody on a
machine may read a command line.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECONDS_PER_SIGNAL = 6
"""How long a program may take to obey; PostgreSQL itself gives stubborn children five seconds."""


def hire(order: dict[str, Any], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a keeper with this order; it answers on its standard output, and ends with its input."""
    keeper = subprocess.Popen(
        # As it is and not escaped, so that the keeper's command line names the folder.
        [sys.executable, "-I", __file__, json.dumps(order, ensure_ascii=False)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert keeper.stdin is not None
    # One that ended at once is told by its missing answer.
    with contextlib.suppress(BrokenPipeError):
        keeper.stdin.write(json.dumps(dict(environment)).encode() + b"\n")
        keeper.stdin.flush()
    return keeper


def read_line() -> bytes:
    """Return the first line of standard input, without a buffer that would read on."""
    line = bytearray()
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return bytes(line)


def start(order: dict[str, Any], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Return the started program; raises OSError where it cannot be started."""
    account: dict[str, Any] = {}
    if order["uid"] is not None:
        account = {"user": order["uid"], "group": order["gid"], "extra_groups": []}
    with Path(order["log"]).open("ab") as log:
        return subprocess.Popen(
            order["command"],
            cwd=order["folder"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
            **account,
        )


def stop(program: "subprocess.Popen[bytes]", signals: list[int]) -> None:
    """Ask the program to end, then insist; returns when it is gone."""
    for number in (*signals, int(signal.SIGKILL)):
        program.send_signal(number)
        # A paused program would keep the signal for later.
        program.send_signal(signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(SECONDS_PER_SIGNAL)
            return
    program.wait()


def stop_when_owner_ends(program: "subprocess.Popen[bytes]", signals: list[int]) -> None:
    """Wait for the end of standard input, then stop the program."""
    # os.read and not sys.stdin: a buffered reader would hold a lock the interpreter wants at exit.
    while os.read(0, 1):
        pass
    stop(program, signals)


def main(text: str) -> int:
    """Tell the program's pid on standard output, keep it until it ends, return its exit code."""
    order = json.loads(text)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        program = start(order, json.loads(read_line()))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    orders = (program, order["stop_signals"])
    # In a thread: the handler interrupts the wait below, which holds the lock that stopping needs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop, args=orders).start())
    threading.Thread(target=stop_when_owner_ends, args=orders, daemon=True).start()
    print(json.dumps({"pid": program.pid}), flush=True)
    return program.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
