"""`care breaker` over a real database."""

import json

import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import care
from tests.component.outreach.desk import NOON, Desk
from tests.component.outreach.test_breaker import PLAYBOOK, desk, goes_wrong
from tests.support.outreach import query

__all__ = ["desk"]

pytestmark = pytest.mark.connected


def run(desk: Desk, *words: str) -> Result:
    return CliRunner().invoke(care, ["breaker", *words, "--database-url", desk.url])


def test_what_waits_is_listed_and_let_out_by_a_person_with_a_name(desk: Desk) -> None:
    assert "no playbook waits" in run(desk, "list").output
    goes_wrong(desk, 12, NOON)
    desk.decide(NOON)

    shown, listed = run(desk, "list"), json.loads(run(desk, "list", "--json").output)

    assert all(word in shown.output for word in (PLAYBOOK, "10"))
    assert [(one["playbook"], one["decided"], one["allowance"]) for one in listed] == [
        (PLAYBOOK, 10, 10)
    ]
    approved = run(desk, "approve", PLAYBOOK, "--contacts", "2", "--by", "ada")
    assert approved.exit_code == 0, approved.output
    assert query(desk.url, "SELECT resolved_by, approved FROM breaker_trips") == [("ada", 2)]
    assert json.loads(run(desk, "list", "--json").output) == []


def test_what_waits_is_rejected(desk: Desk) -> None:
    goes_wrong(desk, 12, NOON)
    desk.decide(NOON)

    assert run(desk, "reject", PLAYBOOK, "--by", "ada").exit_code == 0
    assert query(desk.url, "SELECT resolved_by, approved FROM breaker_trips") == [("ada", 0)]


def test_who_resolves_what_does_not_wait_is_told_what_does(desk: Desk) -> None:
    goes_wrong(desk, 12, NOON)
    desk.decide(NOON)

    wrong = run(desk, "reject", "delivery_at_risk", "--by", "ada")

    assert wrong.exit_code == 2
    assert f"waiting: {PLAYBOOK}" in wrong.output
