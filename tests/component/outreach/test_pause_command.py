"""`care pause` and `care resume` over a real database."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import care
from tests.component.outreach.desk import Desk
from tests.component.outreach.test_pauses import goes_wrong
from tests.support.outreach import query

pytestmark = pytest.mark.connected

WHO = ("--by", "ada")
WHY = ("--because", "wrong dates", *WHO)


def run(desk: Desk, *words: str) -> Result:
    return CliRunner().invoke(care, [*words, "--database-url", desk.url])


def listed(desk: Desk, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(desk, "pause", "list", "--json", *words).output)
    return found


@pytest.mark.parametrize("way", [("all",), ("playbook", "delivery_late"), ("channel", "email")])
def test_what_is_paused_is_listed_and_resumed_by_a_person_with_a_name(
    desk: Desk, way: tuple[str, ...]
) -> None:
    goes_wrong(desk, "c-1")
    desk.decide()
    assert "nothing is paused" in run(desk, "pause", "list").output

    paused = run(desk, "pause", *way, *WHY)

    assert paused.exit_code == 0, paused.output
    assert f"care resume {' '.join(way)}`" in paused.output
    assert "note:" not in paused.output
    assert desk.send() == 0
    assert all(word in run(desk, "pause", "list").output for word in ("ada", "wrong"))
    (one,) = listed(desk)
    assert (one["scope"], one["name"]) == (way[0], (*way, None)[1])
    assert (one["by"], one["because"], one["resumed_by"]) == ("ada", "wrong dates", None)

    resumed = run(desk, "resume", *way, "--by", "bob")

    assert resumed.exit_code == 0, resumed.output
    assert "still paused: nothing" in resumed.output
    assert desk.send() == 1
    assert listed(desk) == []
    assert [one["resumed_by"] for one in listed(desk, "--history")] == ["bob"]
    assert "bob" in run(desk, "pause", "list", "--history").output


def test_who_pauses_twice_or_resumes_what_is_not_paused_is_told_what_is(desk: Desk) -> None:
    run(desk, "pause", "channel", "sms", *WHY)

    again = run(desk, "pause", "channel", "sms", *WHY)
    wrong = run(desk, "resume", "all", *WHO)

    assert (again.exit_code, wrong.exit_code) == (2, 2)
    assert "channel sms is paused already, since" in again.output
    assert "everything is not paused; paused: channel sms" in wrong.output


def test_a_name_that_never_wrote_is_paused_with_a_word_of_warning(desk: Desk) -> None:
    paused = run(desk, "pause", "playbook", "delivery_lat", *WHY)

    assert paused.exit_code == 0
    assert "no playbook of the name delivery_lat" in paused.stderr
    assert query(desk.url, "SELECT name FROM pauses") == [("delivery_lat",)]


def test_nothing_is_paused_without_a_reason(desk: Desk) -> None:
    assert run(desk, "pause", "all", "--because", " ", *WHO).exit_code == 2
    assert run(desk, "pause", "all", *WHO).exit_code == 2
    assert listed(desk, "--history") == []


def test_who_has_no_login_is_asked_for_a_name(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", nobody)

    shown = run(desk, "pause", "all", "--because", "x")

    assert shown.exit_code == 2
    assert "--by NAME" in shown.output
