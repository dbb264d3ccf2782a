"""Runs outreach as it is, in a process that kills itself at a chosen send.

`python -m tests.faults.outreach_dying before|started <n> [<once>]`: SIGKILL before the n-th send is
taken out of the ledger, or right after its start was committed.  With a path, it dies only while
there is no such file, and makes it: started again it lives.  The product knows nothing of this.
"""

import os
import signal
import sys
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection

from services.kit import exits
from services.outreach import ledger
from services.outreach.__main__ import main
from services.outreach.announce import Send
from services.outreach.channels.endings import Delivery
from services.outreach.channels.smtp import SmtpChannel


def die() -> None:
    """End as a machine does that loses its power."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_before(number: int) -> None:
    """Die when the n-th send is about to be taken."""
    calls, take = count(1), ledger.take

    def take_or_die(connection: Connection, step_id: UUID) -> Send | None:
        if next(calls) == number:
            die()
        return take(connection, step_id)

    ledger.take = take_or_die


def die_when_started(number: int) -> None:
    """Die when the n-th start is committed and its message has not left."""
    calls, send = count(1), SmtpChannel.send

    def send_or_die(self: SmtpChannel, message: EmailMessage) -> Delivery:
        if next(calls) == number:
            die()
        return send(self, message)

    SmtpChannel.send = send_or_die  # type: ignore[method-assign]


def is_to_die(once: list[str]) -> bool:
    """Whether this life is the one that ends early."""
    if not once:
        return True
    try:
        Path(once[0]).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


if __name__ == "__main__":
    how, number, *once = sys.argv[1:]
    if is_to_die(once):
        {"before": die_before, "started": die_when_started}[how](int(number))
    exits.run(main)
