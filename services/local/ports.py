"""TCP ports on the loopback interface."""

import secrets
import socket
from urllib.parse import urlsplit

from services.kit.exits import Unavailable

LOOPBACK = "127.0.0.1"

# Below every system's range for outgoing connections (Linux from 32768, macOS from 49152): a port
# from that range can be taken by a client while its server restarts, or even connect to itself.
_LOWEST, _HIGHEST = 20_000, 29_999
_ATTEMPTS = 200
_ANSWER_SECONDS = 2.0
_POSTGRES_PORT = 5432


def is_free(port: int) -> bool:
    """Return whether nothing listens on this port at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Ports of connections that were just closed count as free, as they do for servers.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def answers(address: str) -> bool:
    """Return whether something listens at host:port, given alone or within a database's URL.

    An address without a host (a Unix socket's) is not judged: it counts as answering.
    """
    try:
        parsed = urlsplit(address if "://" in address else f"//{address}")
        if parsed.hostname is None:
            return True
        target = (parsed.hostname, parsed.port or _POSTGRES_PORT)
        with socket.create_connection(target, _ANSWER_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def free_port() -> int:
    """Return a port nothing listens on; raises Unavailable where none is found."""
    for _ in range(_ATTEMPTS):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST + 1)
        if is_free(port):
            return port
    raise Unavailable(
        f"no free port between {_LOWEST} and {_HIGHEST}: end some of the servers that listen there"
    )


def require_free(port: int, name: str) -> int:
    """Return the port; raises Unavailable where something else listens on it."""
    if not is_free(port):
        raise Unavailable(
            f"port {port}, wanted for {name}, is taken: end what listens there, or choose another"
        )
    return port
