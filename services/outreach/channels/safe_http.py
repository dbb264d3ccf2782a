"""HTTP to an address somebody else named, so that it reaches neither our own network nor anything twice.

What is asked of a URL before a connection is opened: https, no credentials, a host and a port that
are allowed, and that every address of its name is public.  The connection then goes to one of the
addresses that were looked at; the name is not resolved a second time.  TLS still checks the name.
Nothing is taken from the environment, no redirect is followed, no connection or cookie is kept, and
one deadline holds for everything from the connection to the last byte of the answer.  Only the
system's resolver is outside of it: it has limits of its own, and what is left of the time is asked
for afterwards.
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from services.kit.clock import monotonic
from services.outreach.channels.addresses import Address, Network, address_of, is_public, is_within
from services.outreach.channels.quiet_logs import silence

Resolve = Callable[[str, int], Iterable[str]]
"""Tells the addresses of a host, asked with the port; `OSError` where there is none."""

_DEFAULT_PORTS = {"https": 443, "http": 80}
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_LONGEST_NAME = 253
_MOST_ADDRESSES = 4
_WRITTEN_AT_ONCE = 16_384


class Blocked(httpx.TransportError):
    """This URL may not be called; the message says why and names neither host nor address."""


class WrongURL(ValueError):
    """What was given is no URL; the message does not repeat it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be called, and for how long."""

    hosts: frozenset[str] | None = None
    """Their names in lower case; `.example.org` stands for every name below it.  None: any."""
    ports: frozenset[int] = frozenset({443})
    networks: tuple[Network, ...] = ()
    """Networks that may be reached although they are not public."""
    plain_http: bool = False
    """Whether http will do where every address is in `networks`."""
    total_seconds: float = 5.0
    """From the connection to the last byte of the answer."""
    answer_bytes: int = 65_536
    """What of the answer's body is read at most."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; of the body only what the limits let through and what came in time."""

    status: int
    headers: httpx.Headers
    body: bytes


def system_addresses(host: str, port: int) -> list[str]:
    """Return the addresses the system knows of this host; `OSError` where there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class SafeTransport(httpx.BaseTransport):
    """Sends each request over a connection of its own, to an address that was looked at before.

    Args:
        limits: What may be called.
        resolve: Asked once for each request.
        tls: How certificates are checked; None: by the system's authorities.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        limits: Limits,
        resolve: Resolve = system_addresses,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        silence("httpcore", "httpx")
        self._limits = limits
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, its body still to be read.

        Raises:
            Blocked: the URL may not be called; nothing was sent.
            httpx.ConnectError, httpx.ConnectTimeout: nothing of the request was sent.
            httpx.TransportError: the request may have arrived.
        """
        port = _checked_port(request.url, self._limits)
        deadline = Deadline(self._clock, self._limits.total_seconds)
        addresses = self._addresses(request.url, port)
        connection = httpcore.HTTPConnection(
            origin=_target(request.url, port).origin,
            ssl_context=self._tls,
            network_backend=_Pinned(addresses, deadline),
        )
        try:
            with _as_httpx():
                answer = connection.handle_request(_as_httpcore(request, port))
        except BaseException:
            connection.close()
            raise
        body = _Limited(answer, connection, self._limits.answer_bytes)
        return httpx.Response(answer.status, headers=answer.headers, stream=body)

    def _addresses(self, url: httpx.URL, port: int) -> tuple[Address, ...]:
        """Return where to connect to, if every address of the host may be connected to."""
        try:
            found = tuple(address_of(text) for text in self._resolve(_host(url), port))
        except (OSError, ValueError):
            found = ()
        if not found:
            raise httpx.ConnectError("the host has no address")
        networks = self._limits.networks
        inside = [is_within(address, networks) for address in found]
        if not all(
            named or is_public(address) for address, named in zip(found, inside, strict=True)
        ):
            raise Blocked("an address of the host is not public")
        if url.scheme == "http" and not (self._limits.plain_http and all(inside)):
            raise Blocked("http to an address that is not allowed to be reached by it")
        return found[:_MOST_ADDRESSES]


def post(
    transport: httpx.BaseTransport, url: str, headers: dict[str, str], content: bytes
) -> Answer:
    """Post this and return the answer; what fails after its headers came is not told.

    Raises:
        WrongURL: `url` is no URL.
        httpx.TransportError: as the transport says.
    """
    try:
        request = httpx.Request("POST", url, headers=headers, content=content)
    except (httpx.InvalidURL, ValueError):
        # What cannot be encoded leaves httpx as another error than its own.
        raise WrongURL("not a URL") from None
    response = transport.handle_request(request)
    body = bytearray()
    try:
        for chunk in response.iter_raw():
            body += chunk
    except httpx.TransportError:
        pass
    finally:
        response.close()
    return Answer(response.status_code, response.headers, bytes(body))


class Deadline:
    """How much of the time is left, in seconds."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock = clock
        self._until = clock() + seconds

    def left(self, late: type[httpcore.TimeoutException]) -> float:
        """Return the seconds that are left, more than zero; raise `late` when there are none."""
        seconds = self._until - self._clock()
        if seconds <= 0:
            raise late
        return seconds


class Bounded(httpcore.NetworkStream):
    """A connection on which nothing waits longer than the deadline, whatever the caller allows."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what is there, or comes in time."""
        return self._stream.read(max_bytes, self._deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write in pieces: each of them may take what is left, and no longer."""
        for at in range(0, len(buffer), _WRITTEN_AT_ONCE):
            left = self._deadline.left(httpcore.WriteTimeout)
            self._stream.write(buffer[at : at + _WRITTEN_AT_ONCE], left)

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Return the connection within TLS, bounded like this one."""
        left = self._deadline.left(httpcore.ConnectTimeout)
        inside = self._stream.start_tls(ssl_context, server_hostname, left)
        return Bounded(inside, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection says of itself."""
        return self._stream.get_extra_info(info)


class _Pinned(httpcore.NetworkBackend):
    """Connects to the addresses it was made with, whatever host it is asked for."""

    def __init__(self, addresses: Sequence[Address], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first that answers; each gets its share of the time."""
        failed: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for at, address in enumerate(self._addresses):
            share = self._deadline.left(httpcore.ConnectTimeout) / (len(self._addresses) - at)
            try:
                stream = self._sockets.connect_tcp(str(address), port, share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return Bounded(stream, self._deadline)
        raise failed or httpcore.ConnectError


class _Limited(httpx.SyncByteStream):
    """The beginning of an answer's body; its end is not read, and the connection not used again."""

    def __init__(
        self, answer: httpcore.Response, connection: httpcore.HTTPConnection, most: int
    ) -> None:
        self._answer = answer
        self._connection = connection
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        left = self._most
        with _as_httpx():
            for chunk in self._answer.iter_stream():
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _checked_port(url: httpx.URL, limits: Limits) -> int:
    """Return the URL's port, if what can be seen without asking anybody lets it be called."""
    if url.scheme != "https" and not (url.scheme == "http" and limits.plain_http):
        raise Blocked("not https")
    port = _DEFAULT_PORTS[url.scheme] if url.port is None else url.port
    if url.userinfo:
        raise Blocked("credentials in the URL")
    if port not in limits.ports:
        raise Blocked("a port that is not allowed")
    host = _host(url)
    if not _is_host(host):
        raise Blocked("not a host's name")
    if limits.hosts is not None and not _is_listed(host.rstrip("."), limits.hosts):
        raise Blocked("a host that is not allowed")
    return port


def _host(url: httpx.URL) -> str:
    # As it is asked for and sent; httpx shows international names as they are read.
    return url.raw_host.decode("ascii")


def _is_host(host: str) -> bool:
    try:
        address_of(host)
    except ValueError:
        return len(host) <= _LONGEST_NAME and _NAME.fullmatch(host) is not None
    return "%" not in host


def _is_listed(host: str, hosts: frozenset[str]) -> bool:
    labels = host.split(".")
    above = ("." + ".".join(labels[at:]) for at in range(1, len(labels)))
    return host in hosts or any(suffix in hosts for suffix in above)


def _target(url: httpx.URL, port: int) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=port, target=url.raw_path)


def _as_httpcore(request: httpx.Request, port: int) -> httpcore.Request:
    # Without the request's extensions: one of them would change whose certificate is expected.
    return httpcore.Request(
        method=request.method,
        url=_target(request.url, port),
        headers=request.headers.raw,
        content=request.read(),
    )


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Turn errors of the layer below into httpx' own of the same name, which repeat no address."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        name = type(error).__name__
        kind: type[httpx.TransportError] = getattr(httpx, name, httpx.TransportError)
        raise kind(name) from None
