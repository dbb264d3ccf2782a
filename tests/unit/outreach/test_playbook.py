"""Playbooks: what is shipped can be used, and what is wrong is named."""

from dataclasses import replace

import pytest

from services.contracts.outreach import Mode
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import TIERS_OF, Actor, ProblemKind, Tier
from services.outreach.playbook import (
    After,
    Course,
    Reached,
    WrongPlaybook,
    catalogue_of,
    parse,
    triggered_by,
)
from services.outreach.settings import Settings
from services.outreach.worker import load_playbooks
from tests.unit.outreach.factories import LATE, NOON, playbooks

REACHED = Reached(NOON, ProblemKind.DELIVERY_DELAY, Tier.LATE, 0.3, Actor.US)
SHIPPED = Settings.model_fields["playbooks"].default


def names(reached: Reached, text: str = LATE) -> list[str]:
    return [p.name for p in triggered_by(reached, catalogue_of([parse(text, "x")]))]


def test_the_shipped_playbooks_are_the_two_delivery_notices() -> None:
    shipped = load_playbooks(SHIPPED)

    assert {(p.name, p.message_class) for p in shipped.values()} == {
        ("delivery_at_risk", MessageClass.SERVICE),
        ("delivery_late", MessageClass.SERVICE),
    }
    assert shipped["delivery_late"].trigger.tiers == {Tier.LATE}
    assert shipped["delivery_at_risk"].trigger.tiers == {Tier.AT_RISK}


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("tiers: [later]", "tiers: [late]", "trigger.tiers"),
        ("kind: handover_overdue", "kind: delivery_delay", "never reaches late"),
        ("version: 0", "version: 3", "version"),
        ("name: Delivery Late", "name: delivery_late", "name"),
        ("message_class: nice", "message_class: service", "message_class"),
        ("channel: pigeon", "channel: email", "steps.0.channels"),
        ("channel: human", "channel: email", "other than human"),
        ("channel: email, channels: [sms]", "channel: email", "either channel or channels"),
        ("channels: [sms, sms]", "channel: email", "named twice"),
        ("action: escalate", "action: send", "neither a template nor a channel"),
        ("action: send, after: {hours: 1}", "action: send", "follows none"),
        (
            ", use_by_hours: 48}, {name: notice, action: escalate, after: {hours: 1}, use_by_hours: 48}]",
            ", use_by_hours: 48}]",
            "same name",
        ),
        (
            ", use_by_hours: 48}, {name: next, action: escalate, use_by_hours: 48}]",
            ", use_by_hours: 48}]",
            "next: say `after`",
        ),
        ("use_by_hours: 0", "use_by_hours: 48", "steps.0.use_by_hours"),
        ("cooldown: 3\nname: delivery_late", "name: delivery_late", "cooldown"),
        ("steps: []", LATE[LATE.index("steps:") :].strip(), "steps"),
        ("mode: limited", "mode: live", "mode"),
    ],
)
def test_a_wrong_playbook_is_refused_by_file_place_and_fault(
    wrong: str, right: str, said: str
) -> None:
    text = LATE.replace(right, wrong, 1)
    assert text != LATE

    with pytest.raises(WrongPlaybook, match=r"x\.yaml") as refused:
        parse(text, "x.yaml")

    assert said in str(refused.value)


@pytest.mark.parametrize("text", ["steps: [", "", "- 1", "!!python/object:os.system {}"])
def test_what_is_no_playbook_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(WrongPlaybook) as refused:
        parse(text, "x.yaml")

    assert "\n" not in str(refused.value)


def test_two_playbooks_of_one_name_are_refused() -> None:
    with pytest.raises(WrongPlaybook, match="delivery_late"):
        catalogue_of([playbooks()[0], playbooks()[0]])


def test_a_folder_without_playbooks_is_refused(tmp_path: object) -> None:
    with pytest.raises(WrongPlaybook, match="no playbook"):
        load_playbooks(SHIPPED / "none")


@pytest.mark.parametrize(
    ("changes", "is_due"),
    [
        ({}, True),
        ({"tier": Tier.OVERDUE}, False),
        ({"kind": ProblemKind.HANDOVER_OVERDUE}, False),
    ],
)
def test_kind_and_tier_make_a_playbook_due(changes: dict[str, object], is_due: bool) -> None:
    assert bool(names(replace(REACHED, **changes))) is is_due  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "tiers"), list(TIERS_OF.items()))
def test_a_playbook_may_be_about_any_kind_and_is_due_in_the_tiers_it_names(
    kind: ProblemKind, tiers: tuple[Tier, ...]
) -> None:
    text = LATE.replace("delivery_delay", kind)
    for tier in Tier:
        named = text.replace("[late]", f"[{tier}]")
        if tier not in tiers:
            with pytest.raises(WrongPlaybook, match=f"{kind} never reaches {tier}"):
                parse(named, "x")
            continue
        assert names(replace(REACHED, kind=kind, tier=tier), named) == ["delivery_late"]
        assert names(replace(REACHED, tier=tier), named) == (
            ["delivery_late"] if kind is REACHED.kind else []
        )


@pytest.mark.parametrize("kind", list(ProblemKind))
def test_a_kind_without_a_playbook_makes_nothing_due(kind: ProblemKind) -> None:
    shipped = load_playbooks(SHIPPED)
    due = {
        p.name
        for tier in TIERS_OF[kind]
        for p in triggered_by(replace(REACHED, kind=kind, tier=tier), shipped)
    }

    assert bool(due) is (kind is ProblemKind.DELIVERY_DELAY)


@pytest.mark.parametrize(
    ("minimum", "risk", "is_due"),
    [(0.2, 0.3, True), (0.3, 0.3, True), (0.4, 0.3, False), (0.0, None, False)],
)
def test_a_minimum_risk_must_be_reached_and_known(
    minimum: float, risk: float | None, is_due: bool
) -> None:
    text = LATE.replace("tiers: [late]", f"tiers: [late], minimum_complaint_risk: {minimum}")

    assert bool(names(replace(REACHED, complaint_risk=risk), text)) is is_due


@pytest.mark.parametrize(("actors", "is_due"), [("[us]", True), ("[customer, nobody]", False)])
def test_a_playbook_may_ask_who_can_act(actors: str, is_due: bool) -> None:
    text = LATE.replace("tiers: [late]", f"tiers: [late], actors: {actors}")

    assert bool(names(REACHED, text)) is is_due


@pytest.mark.parametrize(
    ("playbook", "deployment", "mode"),
    [
        ("live", Mode.LIVE, Mode.LIVE),
        ("live", Mode.SHADOW, Mode.SHADOW),
        ("shadow", Mode.LIVE, Mode.SHADOW),
    ],
)
def test_the_more_careful_mode_holds(playbook: str, deployment: Mode, mode: Mode) -> None:
    assert parse(LATE.replace("mode: live", f"mode: {playbook}"), "x").mode_in(deployment) is mode


def test_a_playbook_that_does_not_say_is_in_shadow() -> None:
    assert parse(LATE.replace("mode: live\n", ""), "x").mode is Mode.SHADOW


def test_a_step_may_go_by_several_channels_and_give_the_problem_to_a_person() -> None:
    several = LATE.replace("channel: email", "channels: [email, webhook]").replace(
        "use_by_hours: 48}]",
        "use_by_hours: 48}, {name: desk, action: escalate, after: {hours: 24}, use_by_hours: 72}]",
    )

    notice, desk = parse(several, "x").steps

    assert notice.channels == (Channel.EMAIL, Channel.WEBHOOK)
    assert (desk.channels, desk.template) == ((Channel.HUMAN,), None)
    assert desk.after == After(hours=24, when=Course.CONTACTED)
