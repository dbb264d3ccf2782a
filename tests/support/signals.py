"""Signals as a terminal leaves them, however the tests themselves were started."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c_works() -> Iterator[None]:
    """Whoever is started in here can be ended with SIGINT.

    A test run in the background of a shell script ignores SIGINT, and children inherit that; a
    signal that is handled here is back at its default in them.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
