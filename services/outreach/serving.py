"""An HTTP server in a thread of its own, for the process that also decides and sends."""

import logging
import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from services.kit.exits import Unavailable

_LEAVE_SECONDS = 10
_MAX_CONNECTIONS = 500
"""Open at once, those of a proxy that wait for their next request too; beyond it callers get 503."""


class WebServer:
    """Serves the app until closed; `address` is where.  Port 0 picks a free one.

    Nothing that uvicorn says of a request is logged: its address may be a customer's link, or hold an id.

    Args:
        app: What answers.
        host: Where to listen.
        port: The same.
        settings: What the names of the settings begin with that say so, as `CARE_OUTREACH_PAGES`.

    Raises:
        Unavailable: nobody can listen there.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, settings: str) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._socket = _bind(host, port, settings)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_graceful_shutdown=_LEAVE_SECONDS,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=settings.lower(), daemon=True
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def start(self) -> "WebServer":
        """Begin; return itself."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Answer what is under way and stop."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_LEAVE_SECONDS + 5)
        self._socket.close()


def _bind(host: str, port: int, settings: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # From now on callers are queued until the loop turns, so nobody has to wait for it.
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise Unavailable(
            f"cannot listen on {host}:{port} ({error.strerror}): set {settings}_HOST and "
            f"{settings}_PORT to an address of this machine that is free"
        ) from None
    return listening
