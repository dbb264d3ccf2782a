"""How a process ends: 0 drained, 70 an error inside, 75 something it depends on is missing."""

import signal
import sys
import traceback
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
    """Run a service's main and end the process as this module's first line says.

    `Unavailable` is one line and no traceback; any other error is told with its traceback.  SIGTERM
    before the service listens to it itself has nothing to drain.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        main()
    except Unavailable as error:
        leave(str(error), EXIT_UNAVAILABLE)
    except KeyboardInterrupt:
        raise SystemExit(0) from None
    except Exception:  # noqa: BLE001 - the last place there is: told, and turned into an exit code
        traceback.print_exc()
        raise SystemExit(EXIT_INTERNAL) from None
