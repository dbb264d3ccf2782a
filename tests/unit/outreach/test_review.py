"""The review: every fault of playbooks and templates, at once, each with file and place."""

from pathlib import Path
from uuid import UUID

import pytest
from jinja2 import DictLoader, FileSystemLoader

from services.contracts.people import MessageClass
from services.contracts.problems import ProblemKind
from services.outreach.messages import LANGUAGES, PARTS, Templates, Use
from services.outreach.playbook import parse
from services.outreach.review import Fault, review, uses_of
from services.outreach.settings import Settings
from services.outreach.worker import outbound_of
from tests.unit.outreach.factories import LATE

PLAYBOOKS: Path = Settings.model_fields["playbooks"].default
TEMPLATES: Path = Settings.model_fields["templates"].default
GOOD = """\
# A comment.
name: one
version: 1
message_class: service
trigger:
  kind: delivery_delay
  tiers: [late]
steps:
  - name: notice
    action: send
    channels: [email]
    template: x
    use_by_hours: 48
"""


def sources(**changes: str) -> dict[str, str]:
    return {f"x/{language}.{part}": "ok" for language in LANGUAGES for part in PARTS} | changes


def found(**files: str) -> list[tuple[str, int | None, str]]:
    """Return file, line and place of every fault of these playbooks."""
    named = {f"{name}.yaml": text.encode() for name, text in files.items()}
    faults = review(named, Templates(DictLoader(sources())))
    return [(fault.file, fault.line, fault.place) for fault in faults]


def test_what_is_shipped_is_sound() -> None:
    files = {path.name: path.read_bytes() for path in PLAYBOOKS.glob("*.yaml")}

    assert len(files) == 13
    assert review(files, Templates(FileSystemLoader(TEMPLATES))) == ()


@pytest.mark.parametrize(
    ("right", "wrong", "line", "place"),
    [
        ("version: 1", "version: 0", 3, "version"),
        ("message_class: service", "message_class: nice", 4, "message_class"),
        ("  tiers: [late]", "  tiers: [late, soon]", 7, "trigger.tiers.1"),
        ("  kind: delivery_delay", "  kind: lapse_risk", 5, "trigger"),
        ("    channels: [email]", "    channel: sms", 11, "steps.0.channel"),
        ("    use_by_hours: 48\n", "", 9, "steps.0.use_by_hours"),
        ("version: 1\n", "version: 1\ncooldown: 3\n", 4, "cooldown"),
        ("name: one\n", "", 2, "name"),
    ],
)
def test_a_fault_is_told_by_line_and_place(right: str, wrong: str, line: int, place: str) -> None:
    """What is missing altogether has the line of what it is missing in."""
    assert found(one=GOOD.replace(right, wrong, 1)) == [("one.yaml", line, place)]


def test_every_fault_of_every_file_is_told() -> None:
    worse = GOOD.replace("version: 1", "version: none").replace("[late]", "[]")

    assert found(
        a=worse,
        b="steps: [",
        c="",
        d="- 1",
        e=GOOD.replace("one", "two").replace("template: x", "template: y"),
        f="name: 2026-99-99",
        g="!!python/object:os.system {}",
        h=GOOD.replace("name: one", "name: two"),
    ) == [
        ("a.yaml", 3, "version"),
        ("a.yaml", 7, "trigger.tiers"),
        ("b.yaml", 1, "playbook"),
        ("c.yaml", None, "playbook"),
        ("d.yaml", 1, "playbook"),
        ("f.yaml", None, "playbook"),
        ("g.yaml", 1, "playbook"),
        ("h.yaml", None, "name"),
        *(
            (f"y/{language}.{part}", None, "for delivery_delay")
            for language in LANGUAGES
            for part in PARTS
        ),
    ]


def test_two_corrections_of_one_problem_are_a_fault_of_the_second() -> None:
    one = GOOD.replace("tiers: [late]", "tiers: [late]\n  cleared: [retracted]\n  told: true")

    assert found(a=one, b=one.replace("name: one", "name: two")) == [
        ("b.yaml", None, "trigger.told")
    ]


def test_what_is_no_text_is_a_fault_of_its_file() -> None:
    (fault,) = review({"one.yaml": b"name: \xff"}, Templates(DictLoader(sources())))

    assert (fault.file, fault.place) == ("one.yaml", "playbook")
    assert fault.what.startswith("not YAML: ")


def test_a_template_is_judged_once_for_each_kind_and_class() -> None:
    promotional = GOOD.replace("one", "two").replace("service", "promotional")
    files = {"one.yaml": GOOD, "two.yaml": promotional, "three.yaml": GOOD.replace("one", "three")}
    offering = Templates(DictLoader(sources(**{"x/pt.txt": "Um cupom."})))

    faults = review({name: text.encode() for name, text in files.items()}, offering)

    what = (
        "offers something (`cupom`), which message_class service may not: say it without, or make "
        "it promotional"
    )
    assert faults == (Fault("x/pt.txt", None, "for delivery_delay", what, is_template=True),)


def test_the_uses_of_a_playbook_are_its_steps_templates() -> None:
    assert list(uses_of([parse(LATE, "x")])) == [
        Use("delivery_late", ProblemKind.DELIVERY_DELAY, MessageClass.SERVICE)
    ]


def test_an_offer_in_a_service_message_ends_the_start_and_in_a_promotional_one_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").mkdir()
    for file, text in sources(**{"x/de.subject": "Ihr Gutschein"}).items():
        (tmp_path / file).write_text(text)
    (tmp_path / "one.yaml").write_text(GOOD)
    settings = Settings(
        database_url="postgresql://none",
        kafka_bootstrap_servers="none",
        playbooks=tmp_path,
        templates=tmp_path,
    )

    with pytest.raises(SystemExit) as ended:
        outbound_of(settings, UUID(int=1), {})

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "x/de.subject for delivery_delay: offers something (`gutschein`)" in said
    assert len(said.splitlines()) == 1

    (tmp_path / "one.yaml").write_text(GOOD.replace("service", "promotional"))
    outbound_of(settings, UUID(int=1), {})


def test_a_survey_without_its_link_is_found_in_text_and_html() -> None:
    text = (PLAYBOOKS / "delivery_late.yaml").read_text(encoding="utf-8")
    asking = text.replace("template: delivery_late", "template: delivery_late\n    survey: csat")
    assert asking != text

    faults = review({"x.yaml": asking.encode()}, Templates(FileSystemLoader(TEMPLATES)))

    assert {fault.file for fault in faults} == {
        f"delivery_late/{language}.{part}" for language in LANGUAGES for part in ("txt", "html")
    }
    assert all("survey_url" in fault.what for fault in faults)
