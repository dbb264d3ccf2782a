"""`care playbook`: what there is, what it would write, and everything that is wrong with it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli.__main__ import care
from services.outreach.playbook_schema import schema_text
from services.outreach.settings import Settings

PLAYBOOKS: Path = Settings.model_fields["playbooks"].default
TEMPLATES: Path = Settings.model_fields["templates"].default
NAMES = sorted(path.stem for path in PLAYBOOKS.glob("*.yaml"))


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CARE_OUTREACH_PLAYBOOKS", "CARE_OUTREACH_TEMPLATES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with copies of what is shipped, to be changed."""
    shutil.copytree(PLAYBOOKS, tmp_path / "playbooks")
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    return tmp_path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(care, ["playbook", *map(str, words)], prog_name="care")


def check(folder: Path, *words: str) -> Result:
    return run("check", folder / "playbooks", "--templates", folder / "templates", *words)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_is_shipped_is_sound() -> None:
    done = run("check")

    assert (done.exit_code, done.output) == (0, f"{len(NAMES)} playbooks, 0 faults\n")
    assert json.loads(run("check", "--json").output) == {"playbooks": len(NAMES), "faults": []}


def spoil(mine: Path) -> None:
    edit(mine / "playbooks" / "delivery_late.yaml", "tiers: [late]", "tiers: [soon]")
    edit(mine / "templates" / "refund_overdue" / "de.txt", "Guten Tag", "{{ nobody }}")
    edit(mine / "templates" / "lapse_risk" / "pt.html", "</p>", " 20 % de desconto</p>")


def test_all_faults_are_told_with_file_line_and_place(mine: Path) -> None:
    spoil(mine)

    done = check(mine)

    assert done.exit_code == 1
    first, second, third, last = done.output.splitlines()
    late = mine / "playbooks" / "delivery_late.yaml"
    assert re.match(rf"{re.escape(str(late))}:9: trigger\.tiers\.0: Input should be ", first)
    risk = mine / "templates" / "lapse_risk" / "pt.html"
    assert second.startswith(f"{risk}: for lapse_risk: offers something (`desconto`)")
    refund = mine / "templates" / "refund_overdue" / "de.txt"
    assert third.startswith(f"{refund}:1: for refund_overdue: UndefinedError: 'nobody' ")
    assert last == f"{len(NAMES)} playbooks, 3 faults"


def test_faults_are_told_as_json(mine: Path) -> None:
    spoil(mine)

    done = check(mine, "--json")

    assert done.exit_code == 1
    told = json.loads(done.output)
    assert told["playbooks"] == len(NAMES)
    assert [(f["file"], f["line"], f["place"]) for f in told["faults"]] == [
        ("delivery_late.yaml", 9, "trigger.tiers.0"),
        ("lapse_risk/pt.html", None, "for lapse_risk"),
        ("refund_overdue/de.txt", 1, "for refund_overdue"),
    ]


def test_by_default_what_outreach_would_use_is_checked(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(mine)
    monkeypatch.setenv("CARE_OUTREACH_PLAYBOOKS", str(mine / "playbooks"))
    monkeypatch.setenv("CARE_OUTREACH_TEMPLATES", str(mine / "templates"))

    assert run("check").output == check(mine).output


def test_a_folder_without_playbooks_is_wrong_usage(tmp_path: Path) -> None:
    for words in (("check", tmp_path), ("list", "--playbooks", tmp_path)):
        done = run(*words)

        assert done.exit_code == 2
        assert f"no playbook (*.yaml) in {tmp_path}" in done.output


def test_the_list_says_what_makes_each_due() -> None:
    lines = run("list").output.splitlines()

    assert [line.split()[0] for line in lines[1:]] == NAMES
    shown = {line.split()[0]: line.split(maxsplit=4)[1:] for line in lines[1:]}
    assert shown["delivery_late"] == ["1", "live", "service", "delivery_delay: late"]
    assert shown["delivery_exception"][-1] == "delivery_exception: overdue if customer can act"
    assert shown["thanks_after_refund"][-1] == "refund_overdue: late and then solved"
    assert shown["delivery_correction"][-1] == (
        "delivery_delay: at_risk or overdue or late and then retracted where we told of it"
    )
    assert shown["attempt_failed"][-1] == "attempt_failed: at_risk or overdue"


def test_the_list_as_json_holds_the_playbooks() -> None:
    rows: list[dict[str, Any]] = json.loads(run("list", "--json").output)

    assert [row["name"] for row in rows] == NAMES
    thanks = rows[-1]
    assert thanks["trigger"] == {
        "kind": "refund_overdue",
        "tiers": ["late"],
        "cleared": ["solved"],
        "told": False,
    }
    assert thanks["steps"][0]["use_by_hours"] == 48
    assert run("list", "--json").output == run("list", "--json").output


def test_a_list_of_wrong_playbooks_says_how_to_see_everything(mine: Path) -> None:
    spoil(mine)

    for words in (("list",), ("show", "delivery_late")):
        done = run(*words, "--playbooks", mine / "playbooks")

        assert done.exit_code == 1
        assert done.output.startswith("delivery_late.yaml: trigger.tiers.0: ")
        assert f"`care playbook check {mine / 'playbooks'}`" in done.output
        assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en", "de", "pt"])
def test_every_message_can_be_looked_at(name: str, language: str) -> None:
    done = run("show", name, "--language", language)

    assert done.exit_code == 0
    assert "\nSubject: " in done.output
    assert "Ada" in done.output


def test_the_least_is_shown_too() -> None:
    most, least = run("show", "payment_failed"), run("show", "payment_failed", "--least")

    assert "Hello Ada," in most.output
    assert "Subject: Your payment for order A-1042 did not go through" in most.output
    assert "Hello,\n" in least.output
    assert "Subject: Your payment did not go through" in least.output


def test_the_html_is_written_to_be_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "letter.html"

    done = run("show", "refund_overdue", "--language", "de", "--html", file)

    assert done.exit_code == 0
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert '<html lang="de">' in page
    (message,) = json.loads(
        run("show", "refund_overdue", "--language", "de", "--json").output
    )["messages"]  # fmt: skip
    assert message["html"] == page
    assert message["step"] == "notice"
    assert f"Subject: {message['subject']}" in done.output
    assert message["text"] in done.output


def test_an_unknown_playbook_is_wrong_usage_and_the_known_are_named() -> None:
    done = run("show", "delivery")

    assert done.exit_code == 2
    assert "there is no playbook delivery: there are attempt_failed, " in done.output


def test_a_template_that_cannot_be_shown_is_told_in_a_line(mine: Path) -> None:
    spoil(mine)

    done = run("show", "refund_overdue", "--language", "de", "--templates", mine / "templates")

    assert done.exit_code == 1
    assert done.output.startswith("template refund_overdue/de.txt: UndefinedError: 'nobody'")
    assert len(done.output.splitlines()) == 1


def test_the_schema_is_printed_as_it_is_committed() -> None:
    assert run("schema").output == schema_text()
