"""The pages say what is so: features, metrics, playbooks, links, and what `make train-olist` leaves over."""

import re
import subprocess
from pathlib import Path

import pytest
from jinja2 import DictLoader

from services.churn_predictor import features, rhythm
from services.churn_predictor.scoring import POINTS_OF
from services.contracts import metric_names as m
from services.contracts import service_metrics
from services.contracts.access import PRINCIPALS, user_of
from services.contracts.outreach import Mode
from services.contracts.people import MessageClass
from services.contracts.problems import Actor, Clearing, ProblemKind, RiskKind
from services.contracts.topics import HORIZON, MAX_EVENT_BYTES
from services.ingest.documents import STATUS
from services.ingest.metering import REASONS
from services.ingest.reading import MAX_BATCH_EVENTS
from services.kit.settings import KafkaSecurity, environment_names
from services.metrics.settings import Settings
from services.outreach.gates import GATES
from services.outreach.messages import NAMES_AN_ORDER, TELLS_A_DATE, Templates, samples
from services.outreach.pages.metering import Outcome
from services.outreach.pages.settings import PagesSettings
from services.outreach.playbook import Playbook, Trigger, parse

ROOT = Path(__file__).parents[2]
PAGES = (
    *("README.md", "SECURITY.md", "docs/complaint-risk.md", "docs/lapse-risk.md"),
    *("docs/expectations.md", "docs/playbooks.md", "docs/customer-pages.md"),
    *("docs/outreach-policy.md", "docs/identity-and-privacy.md", "docs/adapters.md"),
    *("docs/publishing.md", "docs/event-reference.md", "docs/publishing-auth.md"),
    *(
        "docs/kpis.md",
        "docs/security.md",
        "docs/deploy.md",
        "docs/operations.md",
        "docs/settings.md",
    ),
)
DESK = [value for value in vars(service_metrics).values() if isinstance(value, m.Metric)]
"""What is measured of service and surveys."""
SERIES_OF = {
    m.Kind.COUNTER: ("",),
    m.Kind.GAUGE: ("",),
    m.Kind.HISTOGRAM: ("", "_bucket", "_sum", "_count"),
}
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def headings(text: str) -> set[str]:
    lines = (line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#"))
    return {re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize(
    ("name", "kind", "known"),
    [
        ("docs/complaint-risk.md", RiskKind.COMPLAINT, features.FEATURES),
        ("docs/lapse-risk.md", RiskKind.LAPSE, rhythm.FEATURES),
    ],
)
def test_a_risk_s_page_names_every_feature_and_decision_point(
    name: str, kind: RiskKind, known: tuple[str, ...]
) -> None:
    text = page(name)

    assert [each for each in (*known, *POINTS_OF[kind]) if f"`{each}`" not in text] == []


def test_what_tells_of_scores_has_its_meaning_on_a_page() -> None:
    text = page("docs/complaint-risk.md")

    for metric in (m.PREDICTOR_MODEL, m.PREDICTOR_ASSESSED, m.PREDICTOR_DRIFT):
        assert f"`{metric.name}{{{','.join(metric.labels)}}}`" in text


def test_the_page_on_playbooks_tells_which_values_each_kind_has() -> None:
    text = page("docs/playbooks.md")

    for kind in ProblemKind:
        order = "yes" if kind in NAMES_AN_ORDER else "ask"
        date = "yes" if kind in TELLS_A_DATE else "no"
        assert f"| `{kind}` | {order} | {date} |" in text
    letter = samples(ProblemKind.DELIVERY_DELAY, "en")[0]
    seen = "{{ name }} {{ order_id }} {{ promised_on }} {{ subject }} {{ language }}"
    parts = {"x/en.subject": "s", "x/en.txt": seen, "x/en.html": ""}
    assert "A-1042" in Templates(DictLoader(parts)).render("x", letter).plain
    assert all(f"`{value}`" in text for value in re.findall(r"\{\{ (\w+) \}\}", seen))


def test_the_page_on_playbooks_shows_one_that_is_shipped_and_names_every_field() -> None:
    text = page("docs/playbooks.md")
    example, *_ = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    shipped = ROOT / "services/outreach/playbooks/delivery_exception.yaml"

    assert parse(example, "page") == parse(shipped.read_text(encoding="utf-8"), "shipped")
    for name in Playbook.model_fields:
        assert f"| `{name}` |" in text or name == "trigger"
    for name in Trigger.model_fields:
        assert f"| `trigger.{name}` |" in text
    assert all(f"`{each}`" in text for each in (*Clearing, *Actor, *MessageClass, Mode.LIVE))


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    for target, heading in LINK.findall(page(name)):
        if "://" in target:
            continue
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), target
        assert not heading or heading in headings(path.read_text(encoding="utf-8")), heading


def test_the_customers_pages_are_explained_with_every_setting_and_outcome() -> None:
    text = page("docs/customer-pages.md")
    settings = [environment_names(PagesSettings, name) for name in PagesSettings.model_fields]

    assert [each for each in (*settings, *Outcome) if f"`{each}`" not in text] == []
    assert f"`{m.OUTREACH_PAGES.name}{{{','.join(m.OUTREACH_PAGES.labels)}}}`" in text


def test_a_model_of_olist_leaves_two_months_and_says_how_to_judge_it() -> None:
    """With nothing to do but that: what would be run is told, and not run."""

    def told(*words: str) -> str:
        command = ["make", "--dry-run", "train-olist", "OLIST=files", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert '--olist "files" --until "2018-07-01" --out "build/complaint-risk.json"' in told()
    assert "--model build/complaint-risk.json --from 2018-07-01" in told()
    assert "--model m.json --from 2018-01-01" in told("UNTIL=2018-01-01", "OUT=m.json")


def test_the_page_on_policy_names_every_gate_in_its_order() -> None:
    gates, _, _ = page("docs/outreach-policy.md").partition("\n## ")
    named = re.findall(r"^\| `(\w+)` \|", gates, re.MULTILINE)

    assert named == [gate.__name__ for gate in GATES]


def test_the_page_on_kpis_names_every_metric_of_the_desk_and_no_other_that_there_is_not() -> None:
    text = page("docs/kpis.md")
    series = {f"{metric.name}{part}" for metric in m.METRICS for part in SERIES_OF[metric.kind]}
    labelled = {f"`{x.name}{{{','.join(x.labels)}}}`" if x.labels else f"`{x.name}`" for x in DESK}

    assert set(re.findall(r"care_\w+", text)) <= series
    assert [each for each in sorted(labelled) if each not in text] == []


def test_the_page_on_kpis_names_every_setting_that_changes_one() -> None:
    text = page("docs/kpis.md")
    names = [name for name in Settings.model_fields if name.startswith(("business", "repeat"))]

    assert [n for n in names if f"`{environment_names(Settings, n)}`" not in text] == []


def test_formulas_take_away_what_was_withdrawn_wherever_something_can_be() -> None:
    formulas = re.findall(r"```promql\n(.*?)```", page("docs/kpis.md"), re.DOTALL)
    plain = {
        re.sub("_withdrawn", "", metric.name) for metric in m.METRICS if "_withdrawn" in metric.name
    }

    for formula in formulas:
        for name in plain:
            counted, withdrawn = name, re.sub(r"_(total|seconds)$", r"_withdrawn_\1", name)
            assert len(re.findall(rf"{counted}\b|{counted}_", formula)) == len(
                re.findall(withdrawn, formula)
            ), formula


def test_the_publishers_guide_names_every_status_reason_and_metric_there_is() -> None:
    text = page("docs/publishing.md")
    rows = " ".join(re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE))
    named = {metric.name for metric in m.METRICS}

    assert {str(int(status)) for status in STATUS.values()} <= set(re.findall(r"\d+", rows))
    table = text.partition("| reason of a refused event |")[2].partition("\n\n")[0]
    told = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines()[2:]]
    assert sorted(reason for row in told for reason in row) == sorted(REASONS)
    assert set(re.findall(r"`(care_\w+)\{", text)) <= named
    assert f"{MAX_EVENT_BYTES // 1024} KiB" in text
    assert f"up to {MAX_BATCH_EVENTS}" in text
    assert f"{HORIZON.days} days" in text


def test_every_setting_of_the_connection_to_kafka_is_on_its_page() -> None:
    names = {environment_names(KafkaSecurity, field) for field in KafkaSecurity.model_fields}

    assert {name for name in names if f"`{name}`" not in page("docs/settings.md")} == set()
    assert "settings.md#kafka" in page("docs/security.md")
    assert all(f"`{p}` | `{user_of(p)}`" in page("docs/security.md") for p in PRINCIPALS)
