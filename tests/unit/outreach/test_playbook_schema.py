"""The schema for editors: up to date, named by every playbook, and of one mind with the model."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from services.contracts.problems import Actor, Clearing, ProblemKind, Tier
from services.outreach.playbook import Playbook
from services.outreach.playbook_schema import FILE_NAME, schema, schema_text
from services.outreach.settings import Settings

FOLDER: Path = Settings.model_fields["playbooks"].default
SHIPPED = sorted(FOLDER.glob("*.yaml"))
VALIDATOR = Draft202012Validator(schema())


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def is_playbook(value: Any) -> bool:
    try:
        # As YAML holds it; in Python a set would be a set.
        Playbook.model_validate(value)
    except ValidationError:
        return False
    return True


def test_the_committed_schema_is_up_to_date() -> None:
    """Or: make schemas."""
    assert (FOLDER / FILE_NAME).read_text(encoding="utf-8") == schema_text()


def test_it_is_a_schema_and_tells_what_fields_mean() -> None:
    Draft202012Validator.check_schema(schema())
    trigger = schema()["$defs"]["Trigger"]["properties"]

    assert "whatever the risk is" in trigger["minimum_complaint_risk"]["description"]
    assert "when it ends" in trigger["cleared"]["description"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_playbook_names_it_first_and_fits(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]

    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == (FOLDER / FILE_NAME).resolve()
    assert list(VALIDATOR.iter_errors(read(path))) == []


LISTS = st.lists(st.sampled_from([*Tier, "soon"]), max_size=3, unique=True)
TRIGGERS = st.fixed_dictionaries(
    {"kind": st.sampled_from([*ProblemKind, "rain"]), "tiers": LISTS},
    optional={
        "cleared": st.none() | st.lists(st.sampled_from([*Clearing, "x"]), max_size=2, unique=True),
        "actors": st.none() | st.lists(st.sampled_from([*Actor, "x"]), max_size=2, unique=True),
        "minimum_complaint_risk": st.none() | st.floats(-1, 2),
        "cooldown": st.just(1),
    },
)
STEPS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["notice", "No", ""]),
        "action": st.sampled_from(["send", "wait"]),
        "channels": st.sampled_from([["email"], ["sms", "email"], ["fax"]]),
        "template": st.just("x"),
        "use_by_hours": st.integers(0, 721),
    }
)
PLAYBOOKS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["one", "One", "one two"]),
        "version": st.integers(0, 2),
        "message_class": st.sampled_from(["care", "nice"]),
        "trigger": TRIGGERS,
        "steps": st.lists(STEPS, max_size=2),
    },
    optional={"mode": st.sampled_from(["live", "shadow", "limited", "half"])},
)
GOOD = read(FOLDER / "delivery_late.yaml")


@given(
    PLAYBOOKS
    | TRIGGERS.map(lambda trigger: {**GOOD, "trigger": trigger})
    | STEPS.map(lambda step: {**GOOD, "steps": [step]})
)
def test_an_editor_and_the_service_are_of_one_mind(value: dict[str, Any]) -> None:
    # An editor sees words, not our enumerations.
    plain = json.loads(json.dumps(value))

    assert VALIDATOR.is_valid(plain) is is_playbook(plain)
