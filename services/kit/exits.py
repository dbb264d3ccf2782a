"""How a process ends: 0 drained, 70 an error inside, 75 something it depends on is missing."""

import sys
from collections.abc import Callable
from typing import NoReturn

EXIT_INTERNAL = 70
EXIT_UNAVAILABLE = 75
EXIT_USAGE = 2


class Unavailable(Exception):
    """Something outside is missing or wrong; the message is one line and says what to do."""


def leave(message: str, code: int) -> NoReturn:
    """Print one line on stderr and end the process with this code."""
    print(message, file=sys.stderr, flush=True)
    raise SystemExit(code)


def run(main: Callable[[], None]) -> None:
    """Run a service's main; turn `Unavailable` into one line and exit code 75, no traceback."""
    try:
        main()
    except Unavailable as error:
        leave(str(error), EXIT_UNAVAILABLE)
    except KeyboardInterrupt:
        raise SystemExit(0) from None
