"""Between shadow and live: who is on the list is written to, everybody else is only decided about."""

from dataclasses import replace

import pytest

from services.contracts.outreach import Mode
from services.kit.exits import EXIT_USAGE
from services.outreach.settings import Settings
from services.outreach.worker import outbound_of
from tests.component.outreach.desk import ME, NOON, Desk
from tests.support.outreach import opened, profile, query, states

pytestmark = pytest.mark.connected


def limited(desk: Desk, *customers: str) -> None:
    rules = replace(desk.out.rules, mode=Mode.LIMITED, listed=frozenset(customers))
    desk.out = replace(desk.out, rules=rules)
    desk.sender._out = desk.out


def trouble_of(desk: Desk, *customers: str) -> None:
    for customer in customers:
        desk.learn(profile(customer, NOON), opened(customer, NOON))


def test_only_who_is_listed_is_written_to(desk: Desk) -> None:
    limited(desk, "c-1", "c-9")
    trouble_of(desk, "c-1", "c-2")

    assert desk.decide() == ["contact", "contact"]
    assert desk.send() == 1
    assert desk.channel.mails[0]["To"] == "c-1@example.org"
    modes = query(desk.url, "SELECT customer_id, mode FROM decisions ORDER BY customer_id")
    assert modes == [("c-1", "limited"), ("c-2", "shadow")]
    assert query(desk.url, "SELECT customer_id FROM sends") == [("c-1",)]


def test_who_is_taken_off_the_list_before_it_leaves_is_not_written_to(desk: Desk) -> None:
    limited(desk, "c-1")
    trouble_of(desk, "c-1")
    desk.decide()

    limited(desk)
    assert desk.send() == 0
    assert states(desk.url) == {"pending": 1}

    limited(desk, "c-1")
    assert desk.send() == 1


def test_the_volume_breaker_counts_all_that_would_be_written(desk: Desk) -> None:
    limited(desk, "c-3")
    catalogue = dict(desk.out.rules.catalogue)
    catalogue["delivery_late"] = catalogue["delivery_late"].model_copy(
        update={"contacts_per_day": 2}
    )
    desk.out = replace(desk.out, rules=replace(desk.out.rules, catalogue=catalogue))
    trouble_of(desk, "c-1", "c-2", "c-3")

    assert desk.decide() == ["contact", "contact", "deferred"]


def test_a_service_that_is_limited_to_nobody_does_not_start(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(database_url=url, kafka_bootstrap_servers="none", mode=Mode.LIMITED)

    with pytest.raises(SystemExit) as ended:
        outbound_of(settings, ME, {})
    assert ended.value.code == EXIT_USAGE
    assert "CARE_OUTREACH_LIMITED_TO_FILE" in capsys.readouterr().err
