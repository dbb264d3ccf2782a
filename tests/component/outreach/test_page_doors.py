"""What the pages do with links, bodies and times that are not as they should be, and what they never say."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from prometheus_client import generate_latest

from services.contracts.people import Channel
from services.outreach.customer_locks import lock_customers
from services.outreach.database import open_engine
from services.outreach.pages import forms, storage
from services.outreach.pages.tokens import SurveyLink
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.visitor import Visitor, everything, visiting
from tests.support.mail import free_port
from tests.unit.outreach.pages.html import faults

pytestmark = pytest.mark.connected

HEADERS = {
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}
CANARY = "canary-7f3a"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def is_in_order(answer: httpx.Response) -> bool:
    """Whether this is a page of ours, with everything that keeps it from doing more than it should."""
    assert faults(answer.text) == []
    policy = answer.headers["content-security-policy"]
    return (
        policy.startswith("default-src 'none'")
        and HEADERS.items() <= dict(answer.headers).items()
        and answer.headers["content-type"] == "text/html; charset=utf-8"
        and "set-cookie" not in answer.headers
        and "server" not in answer.headers
    )


def test_an_address_that_is_not_one_of_ours_gets_its_own_page(visitor: Visitor, url: str) -> None:
    before = everything(url)
    survey, preferences = visitor.survey(), visitor.preferences()
    wrong, other, nowhere = "This link does not work", "to another page", "There is no page here"
    for address, status, words in (
        (survey[:-2], 400, wrong),
        (f"{visitor.base}/survey/x", 400, wrong),
        (f"{visitor.base}/survey/{'A' * 4000}", 400, wrong),
        (survey.replace("/survey/", "/preferences/"), 400, other),
        (survey.replace("/survey/", "/unsubscribe/"), 400, other),
        (preferences.replace("/preferences/", "/helpful/"), 400, other),
        (f"{survey}/", 404, nowhere),
        (f"{visitor.base}/", 404, nowhere),
        (f"{visitor.base}/openapi.json", 404, nowhere),
        (f"{visitor.base}/docs", 404, nowhere),
    ):
        for method in ("GET", "POST"):
            answer = visitor.http.request(method, address, data={"score": "1", "stop": "all"})
            assert (answer.status_code, words in answer.text) == (status, True), address
            assert is_in_order(answer)
            assert "c-1" not in answer.text

    assert everything(url) == before


def test_a_link_that_is_too_old_is_gone(visitor: Visitor, url: str) -> None:
    page = visitor.survey(language="de")
    visitor.now = NOON + timedelta(days=31)

    answer = visitor.http.post(page, data={"score": "1"})

    assert (answer.status_code, "This link has expired" in answer.text) == (410, True)
    assert is_in_order(answer)
    assert visitor.count("survey", "expired") == 1
    assert visitor.http.get(visitor.preferences()).status_code == 200


def test_no_other_method_is_taken(visitor: Visitor) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = visitor.http.request(method, visitor.survey())
        assert answer.status_code == 405
        assert is_in_order(answer)
        assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


def test_pages_are_in_order_when_all_is_well(visitor: Visitor) -> None:
    for page in (visitor.survey(), visitor.helpful(), visitor.preferences(), visitor.unsubscribe()):
        assert is_in_order(visitor.http.get(page))
        assert is_in_order(visitor.http.post(page, data={"score": "1", "stop": "all"}))


def test_a_page_speaks_the_customers_language(visitor: Visitor) -> None:
    for language, accept, words in (
        (None, "de-AT,de;q=0.9", "Wie zufrieden"),
        (None, "", "How satisfied"),
        ("pt", "de", "Como foi"),
    ):
        page = visitor.survey(language=language)
        assert words in visitor.http.get(page, headers={"accept-language": accept}).text


# Bodies


def too_large() -> Iterator[bytes]:
    for _ in range(40):
        yield b"comment=" + b"x" * 1024


@pytest.mark.parametrize(
    "content", [b"x" * (forms.MAX_BYTES + 1), too_large()], ids=["told", "chunks"]
)
def test_a_body_that_is_too_large_is_not_read(visitor: Visitor, url: str, content: Any) -> None:
    answer = visitor.http.post(visitor.survey(), content=content, headers=FORM)

    assert answer.status_code == 413
    assert is_in_order(answer)
    assert everything(url)["surveys"] == []


def test_the_longest_comment_fits_however_it_is_written(visitor: Visitor, url: str) -> None:
    comment = "\U0001f600" * 2000

    answer = visitor.http.post(visitor.survey(), data={"score": "1", "comment": comment})

    assert answer.status_code == 200
    assert comment in everything(url)["surveys"][0]


def test_what_is_no_form_of_ours_is_refused(visitor: Visitor) -> None:
    in_parts = "multipart/form-data; boundary=x"
    file = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--x--\r\n'
    for content, kind, status in (
        (b"&".join(b"a%d=1" % n for n in range(20)), FORM["content-type"], 400),
        (b"nonsense", in_parts, 400),
        (b"x", "multipart/form-data", 400),
        (file, in_parts, 400),
        (b'{"score": "1"}', "application/json", 422),
        (b"score=1", "text/plain", 422),
        (b"score=1", "", 422),
    ):
        headers = {"content-type": kind}
        answer = visitor.http.post(visitor.survey(), content=content, headers=headers)
        assert (answer.status_code, kind) == (status, kind)
        assert is_in_order(answer)


def test_a_body_that_does_not_come_is_not_waited_for(url: str, tmp_path: Path) -> None:
    with visiting(url, tmp_path, body_timeout_seconds=0.2) as visitor:
        path = visitor.survey().removeprefix(visitor.base)
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
        head += "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        with socket.create_connection(visitor.server.address, timeout=30) as connection:
            connection.sendall(head.encode())
            answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer.lower()


# Times and parts


def test_a_link_is_used_so_often_in_a_minute_and_no_more(url: str, tmp_path: Path) -> None:
    with visiting(url, tmp_path, requests_per_minute=5) as visitor:
        first = [visitor.http.get(visitor.survey()).status_code for _ in range(5)]
        # Made anew, it is the same link.
        newer = visitor.links.survey(SurveyLink("c-1", "s-1", "o-c-1"), NOON - timedelta(hours=1))
        answer = visitor.http.post(newer, data={"score": "1"})
        other = visitor.http.get(visitor.survey("s-2"))

    assert (first, answer.status_code, other.status_code) == ([200] * 5, 429, 200)
    assert is_in_order(answer)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert everything(url)["surveys"] == []


def test_before_simulated_time_begins_one_is_asked_to_come_back(visitor: Visitor) -> None:
    visitor.now = None

    answer = visitor.http.get(visitor.survey())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert is_in_order(answer)


def test_without_the_database_nothing_is_said_to_be_saved(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with visiting(f"postgresql://a:s3cret@127.0.0.1:{free_port()}/b", tmp_path) as visitor:
        for answer in (
            visitor.http.get(visitor.survey()),
            visitor.http.post(visitor.unsubscribe(), data={"List-Unsubscribe": "One-Click"}),
        ):
            assert answer.status_code == 503
            assert "Nothing was saved" in answer.text
            assert is_in_order(answer)
        assert visitor.count("preferences", "unavailable") == 1

    assert "s3cret" not in "".join(capfd.readouterr())


def test_nobody_waits_long_for_a_customer_whom_somebody_else_has_locked(
    visitor: Visitor, desk: Desk, url: str
) -> None:
    with patch.object(storage, "_LOCK_SECONDS", 0.2), desk.engine.begin() as connection:
        lock_customers(connection, ["c-1"])
        answer = visitor.http.post(visitor.survey(), data={"score": "1"})

    assert answer.status_code == 503
    assert visitor.http.post(visitor.survey(), data={"score": "1"}).status_code == 200


def test_an_error_inside_says_what_to_do_and_quotes_nothing(
    visitor: Visitor, capfd: pytest.CaptureFixture[str]
) -> None:
    with patch.object(storage.Storage, "answer", side_effect=RuntimeError(CANARY)):
        answer = visitor.http.post(visitor.survey(), data={"score": "1", "comment": CANARY})

    assert (answer.status_code, "twice counts once" in answer.text) == (500, True)
    assert is_in_order(answer)
    said = "".join(capfd.readouterr())
    assert "page_broke" in said
    assert CANARY not in said + answer.text


# What is never said


def test_no_log_line_metric_or_other_page_holds_what_customers_wrote_or_who_they_are(
    desk: Desk, url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Customer, order, survey, step, comment, and each token, on each way there is to answer."""
    shown = []
    with visiting(url, tmp_path, channels=tuple(Channel)) as visitor:
        pages = [
            visitor.links.survey(SurveyLink(CANARY, f"s{CANARY}", None, None), NOON),
            visitor.survey(f"s{CANARY}", order_id=None),
            visitor.helpful(),
            visitor.preferences(),
            visitor.unsubscribe(),
        ]
        for page in pages:
            for address in (page, page[:-1], page.replace("y/", "y/x"), f"{page}?score=3"):
                shown.append(visitor.http.get(address).text)
                form = {"score": "3", "stop": "all", "comment": f"I am {CANARY}@example.org"}
                shown.append(visitor.http.post(address, data=form).text)
        visitor.http.post(pages[0], content=b"x" * 100_000, headers=FORM)
        with patch.object(storage, "partition_of", side_effect=ValueError(CANARY)):
            shown += [visitor.http.get(page).text for page in pages[:2]]
        visitor.now = NOON + timedelta(days=1000)
        shown += [visitor.http.get(page).text for page in pages]
        metrics = generate_latest(visitor.registry).decode()

    said = "".join(capfd.readouterr())
    tokens = [page.rpartition("/")[2] for page in pages]
    assert said.count("page_served") == 48
    assert [t for t in (CANARY, "example.org", *tokens) if t in said + metrics] == []
    # The head of a token alone would tell whose it is.
    assert [t for t in tokens if t[:30] in said] == []
    assert CANARY not in "".join(shown)
    assert open_engine(url).hide_parameters
