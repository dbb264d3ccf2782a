"""A mail server that does not let us in, over a real ledger: what waits is neither lost nor refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.contracts.people import Channel
from services.kit import logs
from services.outreach.channels.breaker import Breaker, Phase
from services.outreach.channels.smtp import Tls
from services.outreach.routing import routes_of
from services.outreach.sender import Sender
from services.outreach.settings import Settings
from tests.component.outreach.desk import NOON, Desk
from tests.factories import HOUR
from tests.support.outreach import opened, profile, query
from tests.support.relay import PASSWORD, USER, Relay, relaying, vouching

pytestmark = pytest.mark.connected

OLD = "0ld-horse"
CUSTOMERS = [f"c-{n}" for n in range(6)]


@pytest.fixture
def relay() -> Iterator[Relay]:
    with relaying(Relay(), Tls.STARTTLS) as serving:
        yield serving


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "smtp-password"
    file.write_text(OLD)
    return file


def by_mail(desk: Desk, relay: Relay, password: Path) -> Sender:
    """Return a sender of real mails, as the service makes it of its settings."""
    settings = Settings(
        database_url=desk.url,
        kafka_bootstrap_servers="none",
        smtp_port=relay.port,
        smtp_starttls=True,
        smtp_ca_file=vouching(password.parent),
        smtp_username=USER,
        smtp_password_file=password,
    )
    desk.out = replace(desk.out, routes=routes_of(settings))
    return Sender(desk.engine, desk.out, logs.get("test"), [Channel.EMAIL], Breaker())


def test_with_a_wrong_password_nothing_is_lost_and_all_leaves_once_when_it_is_right(
    url: str, relay: Relay, password: Path
) -> None:
    desk = Desk(url, patient=True)
    sender = by_mail(desk, relay, password)
    desk.learn(*(profile(c) for c in CUSTOMERS), *(opened(c, NOON) for c in CUSTOMERS))
    assert desk.decide() == ["contact"] * 6

    with capture_logs() as lines:
        while sender.send_due(None, lambda: NOON):
            pass

    # After five in a row the sixth is not even tried.
    assert [user for _, user, _ in relay.shown] == [USER] * 5
    assert sender.phase(NOON) is Phase.OPEN
    assert query(url, "SELECT state, attempt, reason, count(*) FROM sends GROUP BY 1, 2, 3 ORDER BY 2") == [
        ("pending", 0, None, 1), ("pending", 1, "535 5.7.8", 5)
    ]  # fmt: skip
    assert OLD not in str(lines)

    password.write_text(PASSWORD)
    while sender.send_due(None, lambda: NOON + HOUR):
        pass

    assert sender.phase(NOON + HOUR) is Phase.CLOSED
    assert query(url, "SELECT state, count(*) FROM sends GROUP BY state") == [("sent", 6)]
    assert len(relay.mails) == len({mail["Message-ID"] for mail in relay.mails}) == 6
    assert set(desk.told()) == {"decided", "started", "sent"}
    assert desk.told().count("sent") == 6
    desk.engine.dispose()
    for route in desk.out.routes.values():
        route.close()


def test_whom_it_does_not_let_in_until_the_use_by_has_failed_and_has_not_bounced(
    url: str, relay: Relay, password: Path
) -> None:
    desk = Desk(url, patient=True)
    sender = by_mail(desk, relay, password)
    desk.learn(profile("c-1"), opened("c-1", NOON))
    assert desk.decide() == ["contact"]
    (use_by,) = query(url, "SELECT use_by FROM sends")[0]

    sender.send_due(None, lambda: NOON)
    sender.send_due(None, lambda: use_by)

    assert query(url, "SELECT state, reason FROM sends") == [
        ("failed", "not taken in 2 attempts: 535 5.7.8")
    ]
    assert set(desk.told()) == {"decided", "started", "failed"}
    assert relay.mails == []
    desk.engine.dispose()
