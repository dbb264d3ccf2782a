"""Problems of every kind, about no order and without a date, beside the deliveries known before."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader

from services.contracts import ids
from services.contracts.outreach import Mode
from services.contracts.problems import ProblemKind
from services.kit import logs
from services.outreach.messages import LANGUAGES, PARTS, Templates
from services.outreach.playbook import catalogue_of, parse
from services.outreach.sender import Sender
from services.outreach.settings import Settings
from services.outreach.worker import load_playbooks, outbound_of
from tests.component.outreach.desk import ME, NOON, Desk, counts
from tests.factories import HOUR, START, wrote
from tests.support.outreach import cleared, consent, opened, profile, query, states, trouble

pytestmark = pytest.mark.connected

PLAYBOOK = """
name: sorry
version: 1
mode: live
message_class: service
trigger: {kind: contact_unanswered, tiers: [overdue]}
steps: [{name: notice, action: send, channels: [email], template: sorry, use_by_hours: 48}]
"""
ASKING = "{% if order_id %}Order {{ order_id }}{% else %}Your question{% endif %}"


def sorry_about(kind: ProblemKind) -> str:
    return PLAYBOOK.replace("contact_unanswered", kind)


SHIPPED = load_playbooks(Settings.model_fields["playbooks"].default)


def equipped(desk: Desk, kind: ProblemKind) -> Desk:
    """Return the desk with what is shipped, but about this kind a playbook of its own."""
    others = [p for p in SHIPPED.values() if p.trigger.kind is not kind]
    catalogue = catalogue_of([*others, parse(sorry_about(kind), "x")])
    parts = {f"sorry/{lang}.{part}": ASKING for lang in LANGUAGES for part in PARTS}
    rules = replace(desk.out.rules, catalogue=catalogue)
    desk.out = replace(desk.out, rules=rules, templates=Templates(DictLoader(parts)))
    desk.sender = Sender(desk.engine, desk.out, logs.get("test"))
    return desk


def test_every_kind_is_remembered_and_without_a_playbook_nothing_is_due(desk: Desk) -> None:
    spoken_of = {playbook.trigger.kind for playbook in SHIPPED.values()}
    kinds = [kind for kind in ProblemKind if kind not in spoken_of]
    assert kinds
    desk.learn(*(trouble("c-1", kind, NOON) for kind in kinds))
    # Told again, which merges what is stored with what is told.
    desk.learn(*(trouble("c-1", kind, NOON + HOUR) for kind in kinds))

    assert counts(desk.url, "problems") == (2 * len(kinds), 0, 0, 0)
    stored = query(desk.url, "SELECT kind, order_id, promised_by FROM problems ORDER BY kind")
    assert stored == sorted((kind.value, None, None) for kind in kinds)
    assert query(desk.url, "SELECT count(*) FROM agenda") == [(0,)]
    assert desk.decide() == []


def test_an_order_that_is_named_later_is_remembered(desk: Desk) -> None:
    kind = ProblemKind.SURVEY_POOR
    desk.learn(trouble("c-1", kind, NOON, "s-1"))
    desk.learn(trouble("c-1", kind, NOON, "s-1", order_id="o-1"))
    desk.learn(trouble("c-1", kind, NOON, "s-1"))

    assert query(desk.url, "SELECT order_id FROM problems") == [("o-1",)]


@pytest.mark.parametrize(("order", "subject"), [(None, "Your question"), ("o-7", "Order o-7")])
def test_a_playbook_writes_about_a_problem_with_and_without_an_order(
    desk: Desk, order: str | None, subject: str
) -> None:
    desk = equipped(desk, ProblemKind.CART_ABANDONED)
    desk.learn(
        profile("c-1"), trouble("c-1", ProblemKind.CART_ABANDONED, NOON, "cart-1", order_id=order)
    )

    assert desk.decide() == ["contact"]
    assert desk.send() == 1
    assert str(desk.channel.mails[0]["Subject"]) == subject
    assert desk.told() == ["decided", "started", "sent"]
    for table in ("decisions", "sends"):
        assert query(desk.url, f"SELECT order_id FROM {table}") == [(order,)]


@pytest.mark.parametrize("order", [None, "o-1"])
def test_whoever_waits_for_an_answer_hears_that_we_know(desk: Desk, order: str | None) -> None:
    desk = equipped(desk, ProblemKind.CONTACT_UNANSWERED)
    desk.learn(profile("c-1"), wrote("k-1", order=order, customer="c-1", at=START))
    desk.learn(trouble("c-1", ProblemKind.CONTACT_UNANSWERED, NOON, "k-1", order_id=order))

    assert desk.decide() == ["contact"]
    ((gates,),) = query(desk.url, "SELECT gates FROM decisions")
    (known,) = (g for g in gates if g["gate"] == "not_already_known")
    assert known["because"] == "no word from the customer but the one the problem is about"
    # A word in the same contact changes nothing, another contact does.
    desk.learn(wrote("k-1", order=order, customer="c-1", at=NOON))
    assert states(desk.url) == {"pending": 1}
    desk.learn(wrote("k-2", order=order, customer="c-1", at=NOON))
    assert states(desk.url) == {"withdrawn": 1}


def test_a_delivery_is_told_of_as_ever_while_a_contact_waits(desk: Desk) -> None:
    desk.learn(profile("c-1"), wrote("k-1", order="o-c-1", customer="c-1", at=START))
    desk.learn(trouble("c-1", ProblemKind.CONTACT_UNANSWERED, NOON, "k-1"), opened("c-1", at=NOON))

    assert sorted(desk.decide()) == ["already_known", "contact"]
    decided = query(desk.url, "SELECT playbook, outcome FROM decisions")
    assert dict(decided)["delivery_late"] == "suppressed"


def test_what_is_shipped_in_shadow_is_decided_and_reaches_nobody(desk: Desk) -> None:
    kinds = {p.trigger.kind: p.message_class for p in SHIPPED.values() if p.mode is Mode.SHADOW}
    desk.learn(profile("c-1"))
    desk.learn(*(trouble("c-1", kind, NOON, f"s-{kind}", actor="customer") for kind in kinds))

    # Of one customer's many troubles one message is within the budget; care needs a consent.
    outcomes = desk.decide()
    assert len(outcomes) == len(kinds)
    assert outcomes.count("contact") == 1
    assert set(outcomes) == {"contact", "budget", "consent"}
    assert set(query(desk.url, "SELECT mode FROM decisions")) == {("shadow",)}
    assert desk.send() == 0
    # A message that reached nobody takes no room from a real one.
    desk.learn(opened("c-1", at=NOON))
    assert desk.decide() == ["contact"]
    assert desk.send() == 1


def test_a_refund_that_is_paid_at_last_makes_the_thanks_due(desk: Desk) -> None:
    """To whoever agreed to hear from us beyond what is needed, and is not tired of us."""
    kind = ProblemKind.REFUND_OVERDUE
    refund: dict[str, Any] = {"kind": kind, "subject": "r-1"}
    refund["problem_id"] = ids.problem_id("c-1", "r-1", kind, 1)
    desk.learn(profile("c-1"), opened("c-1", at=NOON, **refund))
    assert desk.decide() == ["contact"]

    asked = consent("c-1", "granted", message_class="care")
    paid_at = NOON + 25 * HOUR
    desk.learn(asked, cleared("c-1", paid_at, **refund), now=paid_at)
    assert desk.decide(paid_at) == ["contact"]
    last = "SELECT playbook, mode, message_class FROM decisions ORDER BY decided_at DESC LIMIT 1"
    assert query(desk.url, last) == [("thanks_after_refund", "shadow", "care")]
    # The same end told again changes nothing.
    desk.learn(cleared("c-1", paid_at, **refund), now=paid_at)
    assert desk.decide(paid_at + HOUR) == []


def test_a_playbook_whose_template_needs_a_date_its_problems_lack_ends_the_service(
    tmp_path: Path,
) -> None:
    """At the start, not at the first customer."""
    settings = Settings(database_url="postgresql://none", kafka_bootstrap_servers="none")
    text = sorry_about(ProblemKind.CONTACT_UNANSWERED).replace(
        "template: sorry", "template: delivery_late"
    )
    (tmp_path / "sorry.yaml").write_text(text)
    wrong = settings.model_copy(update={"playbooks": tmp_path})

    with pytest.raises(SystemExit) as ended:
        outbound_of(wrong, ME, {})
    assert ended.value.code == 2
    fitting = text.replace("contact_unanswered", ProblemKind.REFUND_OVERDUE)
    (tmp_path / "sorry.yaml").write_text(fitting)
    assert outbound_of(wrong, ME, {}).rules.known_steps == (("sorry", "notice"),)
