"""Playbooks: what is shipped can be used, and what is wrong is named."""

from dataclasses import replace

import pytest

from services.contracts.outreach import Mode
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import TIERS_OF, Actor, Clearing, ProblemKind, Tier
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

WHOLE = LATE[LATE.index("tiers: [late]") :].strip()
ENDED = "tiers: [late], cleared: [retracted], told: true}\nsteps: "
SEND = "action: send, channels: [email], template: x, use_by_hours: 48"


def names(reached: Reached, text: str = LATE) -> list[str]:
    return [p.name for p in triggered_by(reached, catalogue_of([parse(text, "x")]))]


def test_the_shipped_playbooks_are_named_as_their_files_and_send_only_about_late_parcels() -> None:
    shipped = load_playbooks(SHIPPED)

    assert list(shipped) == sorted(path.stem for path in SHIPPED.glob("*.yaml"))
    live = {p.name: p for p in shipped.values() if p.mode is Mode.LIVE}
    assert {name: p.trigger.tiers for name, p in live.items()} == {
        "delivery_at_risk": {Tier.AT_RISK},
        "delivery_late": {Tier.LATE},
        "delivery_correction": set(TIERS_OF[ProblemKind.DELIVERY_DELAY]),
    }
    assert [name for name, p in live.items() if p.trigger.corrects] == ["delivery_correction"]


def test_what_nobody_needs_to_get_what_they_bought_asks_for_consent_first() -> None:
    shipped = load_playbooks(SHIPPED)
    classes = {p.name: p.message_class for p in shipped.values()}

    assert set(classes.values()) == {MessageClass.SERVICE, MessageClass.CARE}
    assert {name for name, each in classes.items() if each is MessageClass.CARE} == {
        "help_not_found",
        "lapse_risk",
        "payment_failed",
        "survey_after_answer",
        "thanks_after_refund",
    }


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("tiers: [later]", "tiers: [late]", "trigger.tiers"),
        ("kind: handover_overdue", "kind: delivery_delay", "never reaches late"),
        ("version: 0", "version: 3", "version"),
        ("name: Delivery Late", "name: delivery_late", "name"),
        ("message_class: nice", "message_class: service", "message_class"),
        ("channels: [pigeon]", "channels: [email]", "steps.0.channels"),
        ("channels: [human]", "channels: [email]", "other than human"),
        ("channels: []", "channels: [email]", "send takes a template"),
        ("channels: [sms, sms]", "channels: [email]", "named twice"),
        ("action: escalate", "action: send", "neither a template nor channels"),
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
        ("mode: half", "mode: live", "mode"),
        ("tiers: [late], cleared: []", "tiers: [late]", "trigger.cleared"),
        ("tiers: [late], cleared: [mended]", "tiers: [late]", "trigger.cleared"),
        ("cleared: [solved]", "tiers: [late]", "trigger.tiers"),
        ("tiers: [late], told: true", "tiers: [late]", "say `cleared` too"),
        (ENDED + "[{name: notice, action: escalate, use_by_hours: 48}]", WHOLE, "is to send"),
        (
            ENDED + "[{name: a, " + SEND + "}, {name: b, " + SEND + ", after: {hours: 1}}]",
            WHOLE,
            "one message",
        ),
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


@pytest.mark.parametrize(
    ("ends", "corrects"),
    [
        ("cleared: [retracted], told: true", True),
        ("cleared: [retracted]", False),
        # Who heard that it began hears that it is over: nothing was wrong.
        ("cleared: [solved], told: true", False),
        ("cleared: [solved, retracted], told: true", False),
    ],
)
def test_a_correction_is_what_follows_only_what_was_told_and_never_was(
    ends: str, corrects: bool
) -> None:
    made = parse(LATE.replace("tiers: [late]", f"tiers: [late], {ends}"), "x")

    assert made.trigger.corrects is corrects


def correction(name: str, tiers: str = "late") -> str:
    text = LATE.replace("name: delivery_late", f"name: {name}")
    return text.replace("[late]", f"[{tiers}], cleared: [retracted], told: true")


def test_two_corrections_of_one_problem_are_refused() -> None:
    one, other = parse(correction("one"), "x"), parse(correction("other", "late, overdue"), "x")
    with pytest.raises(WrongPlaybook, match="one and other correct the same problems"):
        catalogue_of([one, other])

    apart = parse(correction("other", "at_risk"), "x")
    assert list(catalogue_of([one, apart])) == ["one", "other"]


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
def test_what_is_shipped_makes_at_most_one_message_a_tier_due(kind: ProblemKind) -> None:
    shipped = load_playbooks(SHIPPED)
    about = {p.name: p.trigger for p in shipped.values() if p.trigger.kind is kind}

    for tier in TIERS_OF[kind]:
        reached = replace(REACHED, kind=kind, tier=tier, actor=Actor.CUSTOMER)
        due = [p.name for p in triggered_by(reached, shipped)]
        assert due == [n for n, t in about.items() if tier in t.tiers and t.cleared is None]
        assert len(due) <= 1


def test_an_exception_that_the_customer_cannot_mend_makes_nothing_due() -> None:
    shipped = load_playbooks(SHIPPED)
    reached = replace(REACHED, kind=ProblemKind.DELIVERY_EXCEPTION, tier=Tier.OVERDUE)

    for actor in Actor:
        due = triggered_by(replace(reached, actor=actor), shipped)
        assert bool(due) is (actor is Actor.CUSTOMER)


@pytest.mark.parametrize("clearing", [None, *Clearing])
@pytest.mark.parametrize("tier", list(Tier))
def test_a_playbook_is_due_by_a_tier_or_by_an_end_never_by_both(
    clearing: Clearing | None, tier: Tier
) -> None:
    happened = replace(REACHED, tier=tier, clearing=clearing)
    thanks = LATE.replace("tiers: [late]", "tiers: [late, overdue], cleared: [solved, expired]")

    assert bool(names(happened)) is (tier is Tier.LATE and clearing is None)
    assert bool(names(happened, thanks)) is (
        tier in {Tier.LATE, Tier.OVERDUE} and clearing in {Clearing.SOLVED, Clearing.EXPIRED}
    )


def test_an_end_asks_for_risk_and_actor_too() -> None:
    over = replace(REACHED, clearing=Clearing.SOLVED)
    thanks = "tiers: [late], cleared: [solved], minimum_complaint_risk: 0.3, actors: [us]"
    text = LATE.replace("tiers: [late]", thanks)

    assert names(over, text) == ["delivery_late"]
    assert names(replace(over, complaint_risk=0.2), text) == []
    assert names(replace(over, complaint_risk=None), text) == []
    assert names(replace(over, actor=Actor.NOBODY), text) == []


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
        ("shadow", Mode.LIMITED, Mode.SHADOW),
        ("limited", Mode.LIVE, Mode.LIMITED),
        ("limited", Mode.SHADOW, Mode.SHADOW),
        ("live", Mode.LIMITED, Mode.LIMITED),
    ],
)
def test_the_more_careful_mode_holds(playbook: str, deployment: Mode, mode: Mode) -> None:
    assert parse(LATE.replace("mode: live", f"mode: {playbook}"), "x").mode_in(deployment) is mode


def test_a_playbook_that_does_not_say_is_in_shadow() -> None:
    assert parse(LATE.replace("mode: live\n", ""), "x").mode is Mode.SHADOW


def test_a_step_may_go_by_several_channels_and_give_the_problem_to_a_person() -> None:
    several = LATE.replace("[email]", "[email, webhook]").replace(
        "use_by_hours: 48}]",
        "use_by_hours: 48}, {name: desk, action: escalate, after: {hours: 24}, use_by_hours: 72}]",
    )

    notice, desk = parse(several, "x").steps

    assert notice.channels == (Channel.EMAIL, Channel.WEBHOOK)
    assert (desk.ways, desk.template) == ((Channel.HUMAN,), None)
    assert desk.after == After(hours=24, when=Course.CONTACTED)
