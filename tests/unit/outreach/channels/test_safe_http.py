"""Calls to addresses somebody else named: nothing of ours is reached, and nothing waited for without end."""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import httpcore
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.outreach.channels.safe_http import (
    Blocked,
    Bounded,
    Deadline,
    Limits,
    SafeTransport,
    WrongURL,
    post,
    system_addresses,
)
from tests.support.mail import free_port
from tests.support.receiver import (
    NAME,
    Answering,
    Receiver,
    break_off,
    hang,
    receiving,
    say,
    status,
    talk_on,
    trusting,
)

LOOPBACK = (ip_network("127.0.0.0/8"),)
TRUSTING = trusting()
PATIENT_SECONDS = 30.0
"""For what must not depend on how fast this machine is."""
SHORT_SECONDS = 0.3


class Names:
    """A resolver that counts, and answers in turn; the last answer stays."""

    def __init__(self, *answers: Iterable[str]) -> None:
        self.answers = [list(answer) for answer in answers]
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def nobody(host: str, port: int) -> list[str]:
    raise AssertionError("nobody may be asked")


def limits(receiver: Receiver | None = None, **changes: Any) -> Limits:
    ports = frozenset({receiver.port if receiver else 443})
    return replace(Limits(ports=ports, networks=LOOPBACK, plain_http=True), **changes)


def transport(
    receiver: Receiver,
    resolve: Callable[[str, int], Iterable[str]] | None = None,
    seconds: float = PATIENT_SECONDS,
    **changes: Any,
) -> SafeTransport:
    return SafeTransport(
        limits(receiver, total_seconds=seconds, **changes),
        resolve or Names(["127.0.0.1"]),
        TRUSTING,
    )


def url(receiver: Receiver, scheme: str = "http", host: str = NAME) -> str:
    return f"{scheme}://{host}:{receiver.port}/hooks?a=b"


def why_not(address: str, resolve: Callable[[str, int], Iterable[str]], wanted: Limits) -> str:
    """Return why this URL may not be called."""
    with pytest.raises(Blocked) as blocked:
        post(SafeTransport(wanted, resolve), address, {}, b"")
    return str(blocked.value)


def test_what_is_posted_arrives_at_the_address_of_the_name_under_the_name() -> None:
    with receiving(status(201, b"thanks", x_answer="yes")) as receiver:
        names = Names(["127.0.0.1"])
        answer = post(transport(receiver, names), url(receiver), {"x-ask": "1"}, b"{}")

    (heard,) = receiver.requests
    assert (answer.status, answer.body, answer.headers["x-answer"]) == (201, b"thanks", "yes")
    assert (heard.path, heard.body, heard.headers["x-ask"]) == ("/hooks?a=b", b"{}", "1")
    assert heard.headers["host"] == f"{NAME}:{receiver.port}"
    assert names.asked == [(NAME, receiver.port)]


def test_over_tls_the_name_is_asked_for_and_the_certificate_is_the_names() -> None:
    with receiving(tls=True) as receiver:
        answer = post(transport(receiver), url(receiver, "https"), {}, b"")

    assert answer.status == 204
    assert receiver.connections == [NAME]


def test_another_names_certificate_will_not_do() -> None:
    with receiving(tls=True) as receiver, pytest.raises(httpx.ConnectError):
        post(transport(receiver), url(receiver, "https", "other.example"), {}, b"")

    assert receiver.requests == []


def test_a_certificate_of_nobody_we_trust_will_not_do() -> None:
    with receiving(tls=True) as receiver:
        stranger = SafeTransport(limits(receiver), Names(["127.0.0.1"]))
        with pytest.raises(httpx.ConnectError):
            post(stranger, url(receiver, "https"), {}, b"")

    assert receiver.requests == []


def test_a_request_cannot_ask_for_another_names_certificate() -> None:
    with receiving(tls=True) as receiver:
        request = httpx.Request(
            "POST",
            url(receiver, "https", "other.example"),
            extensions={"sni_hostname": NAME},
        )
        with pytest.raises(httpx.ConnectError):
            transport(receiver).handle_request(request)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://receiver.example/", "not https"),
        ("ftp://receiver.example:443/", "not https"),
        ("file:///etc/passwd", "not https"),
        ("receiver.example/", "not https"),
        ("//receiver.example/", "not https"),
        ("", "not https"),
        ("https://ada@receiver.example/", "credentials in the URL"),
        ("https://ada:secret@receiver.example/", "credentials in the URL"),
        ("https://receiver.example\\@10.0.0.1/", "credentials in the URL"),
        ("https://receiver.example:80/", "a port that is not allowed"),
        ("https://receiver.example:0/", "a port that is not allowed"),
        ("https:///", "not a host's name"),
        ("https://re ceiver.example/", "not a host's name"),
        ("https://receiver..example/", "not a host's name"),
        ("https://-receiver.example/", "not a host's name"),
        ("https://[fe80::1%25eth0]/", "not a host's name"),
        (f"https://{'a' * 64}.example/", "not a host's name"),
        (f"https://{'a.' * 127}example/", "not a host's name"),
    ],
)
def test_what_can_be_seen_of_a_url_is_judged_before_anybody_is_asked(
    address: str, reason: str
) -> None:
    assert why_not(address, nobody, Limits()) == reason


LISTED = frozenset({NAME, ".shop.example", "xn--bcher-kva.example"})


@pytest.mark.parametrize(
    "host",
    [
        *(NAME, NAME.upper(), f"{NAME}.", "a.shop.example", "a.b.shop.example"),
        *("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_hosts_of_a_list_are_called(host: str) -> None:
    with receiving() as receiver:
        sending = transport(receiver, hosts=LISTED)
        assert post(sending, url(receiver, "http", host), {}, b"").status == 204


@pytest.mark.parametrize(
    "host",
    ["shop.example", "evilshop.example", f"{NAME}.evil.example", "127.0.0.1", "bucher.example"],
)
def test_no_other_host_is_asked_for(host: str) -> None:
    assert why_not(f"https://{host}/", nobody, Limits(hosts=LISTED)) == "a host that is not allowed"


@pytest.mark.parametrize(
    "found",
    [
        ["10.0.0.1"],
        ["93.184.215.14", "169.254.169.254"],
        ["2606:4700::1111", "::ffff:192.168.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%eth0"],
        ["::1", "127.0.0.1"],
    ],
)
def test_a_name_with_any_address_that_is_not_public_is_not_called(found: list[str]) -> None:
    assert why_not("https://receiver.example/", Names(found), Limits()) == (
        "an address of the host is not public"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:10.0.0.1]"])
def test_an_address_in_the_place_of_a_name_is_judged_alike(host: str) -> None:
    assert why_not(f"https://{host}/", system_addresses, Limits()) == (
        "an address of the host is not public"
    )


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
def test_an_address_in_disguise_is_judged_as_what_the_system_takes_it_for(host: str) -> None:
    # Where it is taken for nothing at all, nothing is called either.
    with pytest.raises((Blocked, WrongURL, httpx.ConnectError)):
        post(SafeTransport(Limits(), system_addresses), f"https://{host}/", {}, b"")


def test_http_needs_both_the_word_and_a_network_that_is_named() -> None:
    plain = "http to an address that is not allowed to be reached by it"
    address = "http://receiver.example:443/"
    mixed = ["127.0.0.1", "93.184.215.14"]

    assert why_not(address, nobody, limits(plain_http=False)) == "not https"
    assert why_not(address, Names(["93.184.215.14"]), limits()) == plain
    assert why_not(address, Names(mixed), limits()) == plain


def test_a_name_that_points_elsewhere_the_second_time_is_asked_once_and_judged_each_time() -> None:
    with receiving() as receiver:
        names = Names(["127.0.0.1"], ["169.254.169.254"])
        sending = transport(receiver, names)
        first = post(sending, url(receiver), {}, b"")
        asked = len(names.asked)
        with pytest.raises(Blocked, match="not public"):
            post(sending, url(receiver), {}, b"")

    assert (first.status, asked) == (204, 1)
    assert len(receiver.requests) == 1


def test_of_several_addresses_one_that_answers_is_found() -> None:
    with receiving() as receiver:
        # Nothing listens at the first on this port.
        names = Names(["127.0.0.99", "127.0.0.1"])
        assert post(transport(receiver, names), url(receiver), {}, b"").status == 204


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(code: int) -> None:
    with receiving() as target, receiving() as receiver:
        receiver.answering = status(code, location=url(target))
        answer = post(transport(receiver), url(receiver), {}, b"")

    assert answer.status == code
    assert target.requests == []


def test_proxies_and_credentials_of_the_environment_are_not_heeded(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text(f"machine {NAME} login ada password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        post(transport(receiver), url(receiver), {}, b"")

    assert proxy.requests == []
    assert "authorization" not in receiver.requests[0].headers


def test_cookies_are_not_kept() -> None:
    with receiving(status(204, set_cookie="a=b")) as receiver:
        sending = transport(receiver)
        for _ in range(2):
            post(sending, url(receiver), {}, b"")

    assert ["cookie" in heard.headers for heard in receiver.requests] == [False, False]


def test_the_transport_serves_any_client_of_httpx() -> None:
    with (
        receiving(status(200, b"hello")) as receiver,
        httpx.Client(transport=transport(receiver), trust_env=False) as client,
    ):
        answer = client.post(url(receiver))

    assert answer.text == "hello"


def test_an_endless_answer_is_read_up_to_its_limit() -> None:
    endless = talk_on(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 50_000)
    with receiving(endless) as receiver:
        answer = post(transport(receiver, answer_bytes=65_536), url(receiver), {}, b"")

    assert answer.status == 200
    assert answer.body == b"x" * 65_536


def test_a_body_that_breaks_off_leaves_what_its_status_said() -> None:
    with receiving(say(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab")) as receiver:
        answer = post(transport(receiver), url(receiver), {}, b"")

    assert (answer.status, answer.body) == (200, b"ab")


@pytest.mark.parametrize(
    "drip",
    [
        hang,
        talk_on(b"HTTP/1.1 200 OK\r\n", b"x-drip: 1\r\n"),
        talk_on(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "dripping headers", "never more than continue"],
)
def test_an_answer_that_does_not_come_to_its_headers_ends_in_time(drip: Answering) -> None:
    # Each piece comes at once: only a limit for the whole ends it.
    with receiving(drip) as receiver, pytest.raises(httpx.ReadTimeout):
        post(transport(receiver, seconds=SHORT_SECONDS), url(receiver), {}, b"")


def test_a_body_that_drips_ends_in_time_and_is_an_answer_all_the_same() -> None:
    dripping = talk_on(b"HTTP/1.1 202 Accepted\r\n\r\n", b"x")
    with receiving(dripping) as receiver:
        answer = post(transport(receiver, seconds=SHORT_SECONDS), url(receiver), {}, b"")

    assert answer.status == 202


def test_a_connection_that_is_broken_off_is_told() -> None:
    with receiving(break_off) as receiver, pytest.raises(httpx.RemoteProtocolError) as broken:
        post(transport(receiver), url(receiver), {}, b"")

    assert str(broken.value) == "RemoteProtocolError"


def test_where_nobody_listens_nothing_was_sent() -> None:
    away = Receiver(status(204), port=free_port())

    with pytest.raises(httpx.ConnectError):
        post(transport(away), url(away), {}, b"")


def test_a_name_without_address_was_not_reached() -> None:
    def fail(host: str, port: int) -> list[str]:
        raise OSError(f"no address of {host}")

    for resolve in (fail, Names([]), Names(["not an address"])):
        with pytest.raises(httpx.ConnectError) as error:
            post(SafeTransport(Limits(), resolve), "https://receiver.example/", {}, b"")
        assert str(error.value) == "the host has no address"


class Recorded(httpcore.NetworkStream):
    """Takes what is written, says nothing, and notes how long it may."""

    def __init__(self) -> None:
        self.allowed: list[float | None] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.allowed.append(timeout)
        return b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.allowed.append(timeout)

    def close(self) -> None:
        return

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        self.allowed.append(timeout)
        return self


def test_each_wait_is_as_long_as_what_is_left_of_the_whole() -> None:
    now = [0.0]
    inside = Recorded()
    stream: httpcore.NetworkStream = Bounded(inside, Deadline(lambda: now[0], 5))

    now[0] = 1
    stream = stream.start_tls(ssl.create_default_context(), NAME, 60)
    now[0] = 2
    stream.write(b"x" * 40_000, 60)
    now[0] = 4
    stream.read(10, None)

    assert inside.allowed == [4, 3, 3, 3, 1]
    now[0] = 5
    for late, act in (
        (httpcore.ReadTimeout, lambda: stream.read(1)),
        (httpcore.WriteTimeout, lambda: stream.write(b"x")),
        (httpcore.ConnectTimeout, lambda: stream.start_tls(ssl.create_default_context())),
    ):
        with pytest.raises(late):
            act()
    assert len(inside.allowed) == 5


@given(st.text(max_size=60) | st.text(max_size=40).map(lambda text: f"https://{text}"))
@example("https://xn--a")
@example("https://[::1")
@example("https://\udcff/")
@example("https://ⓔxample.com/")
@example("https://h/" + "x" * 70_000)
def test_whatever_the_url_is_it_ends_in_a_word_that_does_not_repeat_it(text: str) -> None:
    sending = SafeTransport(Limits(), Names(["10.0.0.1"]), TRUSTING)

    with pytest.raises((Blocked, WrongURL)) as refused:
        post(sending, text, {}, b"")
    assert str(refused.value) in {
        "not a URL",
        "not https",
        "credentials in the URL",
        "a port that is not allowed",
        "not a host's name",
        "an address of the host is not public",
    }
