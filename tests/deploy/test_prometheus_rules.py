"""Rules, alerts, runbooks and routes: what holds of each without a Prometheus, and what its tools say."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from services.cli.__main__ import care
from services.contracts.metric_names import METRICS
from tests.deploy import alerts_check, tools
from tests.deploy.house_rules import JOBS, RUNBOOKS, SEVERITIES, HouseRules
from tests.deploy.rule_files import (
    DEPLOY,
    PROMETHEUS,
    SUITES,
    Rule,
    Story,
    all_stories,
    expressions_asked,
    read,
    rule_files,
    rules,
    stories,
)

RULES = rules()
ALERTS = [rule for rule in RULES if rule.is_alert]
RECORDED = [rule for rule in RULES if not rule.is_alert]
HOUSE = HouseRules(RULES)
LINK = re.compile(r"\]\(([^)#\s]+)\)")
FIGURE = re.compile(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+")
COMMAND = re.compile(r"`care\s+([^`…]+)")
METRIC = re.compile(r"`(care_[a-z_]+)")
BURN = re.compile(r"\{slo=\"(\w+)\"\} > on \(slo\) ([\d.]+) \* \(1 - slo:objective:ratio\)")
ROUTING = read(DEPLOY / "alertmanager" / "alertmanager.yml")

needs_promtool = pytest.mark.skipif(tools.PROMTOOL is None, reason=tools.HOW_TO_INSTALL)
needs_amtool = pytest.mark.skipif(tools.AMTOOL is None, reason=tools.HOW_TO_INSTALL)


def rule_of(name: str) -> Rule:
    return next(rule for rule in RULES if rule.name == name)


def recorded(name: str) -> dict[str, float]:
    """Return objective → the number that is written down for it."""
    return {rule.labels["slo"]: float(rule.expr) for rule in RECORDED if rule.name == name}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_keeps_the_house_rules(rule: Rule) -> None:
    assert HOUSE.faults(rule) == []


A_FIGURE = Rule("topic:x:rate5m", "sum by (topic) (rate(care_events_total[5m]))")


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("sum by (topic) (rate(care_evnets_total[5m]))", "no metric care_evnets_total"),
        ("sum by (topic) (topic:nothing:rate5m)", "no metric topic:nothing:rate5m"),
        ("sum by (topic) (rate(care_lead_time_seconds[5m]))", "no metric care_lead_time_seconds"),
        ('sum by (topic) (care_events_total{kind="x"})', "care_events_total has no label kind"),
        ("sum by (playbook) (care_events_total)", "no label playbook"),
        ("care_events_total + on (playbook) care_events_total", "no label playbook"),
        ('sum by (topic) (up{job="outraech"})', "up has no job outraech"),
        (
            'sum by (topic) (care_contacts_total{outcome=~"sent|fialed"})',
            "care_contacts_total has no outcome sent|fialed",
        ),
        (
            'sum(care_lead_time_seconds_bucket{le="86400"})',
            "care_lead_time_seconds_bucket has no le 86400",
        ),
        ("sum(care_complaints_total)", "care_complaints_total without what was withdrawn of it"),
        (
            "sum(care_problem_to_contact_seconds_count)",
            "care_problem_to_contact_seconds without what was withdrawn of it",
        ),
        (
            'sum(care_complaints_total{reached_first="true"}) - sum(care_complaints_withdrawn_total)',
            "care_complaints_total without what was withdrawn of it",
        ),
        (
            "sum by (topic) (care_events_total) / sum by (kind) (care_problems_opened_total)",
            "['topic'] never meets ['kind']",
        ),
        # Durations below 0 have buckets alone.
        ("sum(care_lead_time_seconds_count)", "no metric care_lead_time_seconds_count"),
        ("sum(care_events_total)", "level topic, and labels []"),
        ("sum by (type) (care_events_total)", "level topic, and labels ['type']"),
    ],
)
def test_an_expression_that_asks_for_what_is_not_there_is_found(expr: str, fault: str) -> None:
    wrong = replace(A_FIGURE, expr=expr)

    assert HouseRules([*RULES, A_FIGURE]).faults(A_FIGURE) == []
    judged_among = RULES if fault.startswith("no metric") else [*RULES, wrong]
    assert fault in HouseRules(judged_among).faults(wrong)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": "lag_too_old"}, "no name in CamelCase"),
        ({"name": "LagOfAll"}, "no runbook"),
        ({"labels": {"severity": "critical"}}, "neither page nor ticket"),
        ({"annotations": {"summary": ""}}, "no summary"),
        ({"annotations": {"runbook_url": "docs/runbooks/X.md"}}, "a runbook_url that is not"),
        ({"annotations": {"dashboard_url": "d/other"}}, "no dashboard of ours"),
        ({"annotations": {"dashboard_url": "d/care-outreach"}}, "no way to its dashboard"),
    ],
)
def test_an_alert_that_breaks_a_rule_is_found(changes: Mapping[str, Any], fault: str) -> None:
    alert = rule_of("LagTooOld")
    annotations = {**alert.annotations, **changes.get("annotations", {})}

    found = HOUSE.faults(replace(alert, **{**changes, "annotations": annotations}))
    assert any(each.startswith(fault) for each in found)


def test_a_runbook_without_a_section_is_found(tmp_path: Path) -> None:
    page = (RUNBOOKS / "LagTooOld.md").read_text(encoding="utf-8")
    (tmp_path / "LagTooOld.md").write_text(page.replace("## First look\n", "## Looks\n"))

    assert HouseRules(RULES, tmp_path).faults(rule_of("LagTooOld")) == ["no section First look"]


def test_there_is_no_runbook_for_what_is_no_alert() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("*.md")}

    assert pages == {alert.name for alert in ALERTS}


def test_every_link_of_a_runbook_leads_somewhere() -> None:
    links = {
        page.parent / target
        for page in RUNBOOKS.glob("*.md")
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        # The dashboards are made by a program of their own, which knows these names.
        if "/dashboards/" not in target
    }

    assert [link for link in links if not link.exists()] == []


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_a_runbook_names_commands_metrics_and_figures_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    series = {name for metric in METRICS for name in (metric.name, *metric.series)}

    assert [line for line in COMMAND.findall(text) if not _is_a_command(line.split())] == []
    assert set(METRIC.findall(text)) <= series
    assert set(FIGURE.findall(text)) <= {rule.name for rule in RECORDED}


@pytest.mark.parametrize("line", ["breaker approvals", "pause everything", "verify --partition 3"])
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    assert not _is_a_command(line.split())


def _is_a_command(words: list[str]) -> bool:
    """Return whether `care` has this command, with these options."""
    command: click.Command = care
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words.pop(0))
        if found is None:
            return False
        command = found
    options = {name for param in command.params for name in param.opts}
    return {word for word in words if word.startswith("-")} <= options


def test_the_page_on_alerts_lists_each_and_tells_the_objectives() -> None:
    text = (RUNBOOKS.parent / "alerts.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\w+)\]\(runbooks/\1\.md\) \| (\w+) \|", text, re.MULTILINE)
    told = re.findall(r"^\| `(\w+)` \|.*\| (\d+) % \| (\d+) \w+ \|$", text, re.MULTILINE)

    assert dict(listed) == {alert.name: alert.labels["severity"] for alert in ALERTS}
    assert told == [
        (slo, f"{100 * objective:g}", str(int(recorded("slo:minimum_events:count")[slo])))
        for slo, objective in recorded("slo:objective:ratio").items()
    ]


def test_names_are_given_once() -> None:
    names = [alert.name for alert in ALERTS]
    series = [(rule.name, *sorted(rule.labels.items())) for rule in RECORDED]

    assert len(set(names)) == len(names)
    assert len(set(series)) == len(series)


def test_every_alert_is_shown_to_fire_to_stay_silent_and_to_clear() -> None:
    shown = all_stories()

    assert {alert.name: shown[alert.name] for alert in ALERTS} == {
        alert.name: set(Story) for alert in ALERTS
    }


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.stem)
def test_every_suite_says_in_which_order_its_groups_are_evaluated(suite: Path) -> None:
    """Without it promtool draws one, and an alert may see what a rule recorded a moment ago."""
    asked = read(suite)
    files = [read((suite.parent / name).resolve()) for name in asked["rule_files"]]
    groups = [group["name"] for found in files for group in found["groups"]]

    assert len(groups) == 1 or asked["group_eval_order"] == groups


def question(at: str, fires: bool) -> dict[str, object]:
    return {"eval_time": at, "alertname": "A", "exp_alerts": [{}] if fires else []}


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        ([("1m", False), ("1h5m", False)], {Story.SILENT}),
        ([("1m", True)], {Story.FIRES}),
        ([("1m", False), ("2m", True)], {Story.FIRES}),
        ([("1h", False), ("2m", True)], {Story.FIRES, Story.CLEARS}),
    ],
)
def test_what_a_test_shows_follows_from_its_answers_in_time(
    answers: list[tuple[str, bool]], shown: set[Story]
) -> None:
    asked = [question(at, fires) for at, fires in answers]

    assert stories({"tests": [{"alert_rule_test": asked}]}) == {"A": shown}


def test_every_figure_has_a_value_worked_out_by_hand_or_one_that_has_rests_on_it() -> None:
    exprs = {rule.name: rule.expr for rule in RECORDED}
    reached: set[str] = set()
    waiting = [*expressions_asked(), *(alert.expr for alert in ALERTS)]
    while waiting:
        named = {name for name in FIGURE.findall(waiting.pop()) if name in exprs} - reached
        reached |= named
        waiting += [rule.expr for rule in RECORDED if rule.name in named]

    assert sorted(set(exprs) - reached) == []


def test_every_budget_can_burn_as_fast_as_its_alerts_say() -> None:
    objectives = recorded("slo:objective:ratio")
    burning = [found for alert in ALERTS for found in BURN.findall(alert.expr)]

    assert {slo for slo, _ in burning} == set(objectives)
    # No more than everything can go wrong.
    assert [(slo, x) for slo, x in burning if float(x) * (1 - objectives[slo]) >= 1] == []


def test_prometheus_asks_the_four_services_and_reads_every_rule() -> None:
    config = read(PROMETHEUS / "prometheus.yml")
    found = {path for pattern in config["rule_files"] for path in PROMETHEUS.glob(pattern)}

    assert tuple(each["job_name"] for each in config["scrape_configs"]) == JOBS
    assert found == set(rule_files())


def test_each_severity_has_a_receiver_and_what_inhibits_is_an_alert() -> None:
    receivers = {receiver["name"] for receiver in ROUTING["receivers"]}
    matchers = [
        matcher
        for rule in ROUTING["inhibit_rules"]
        for side in ("source_matchers", "target_matchers")
        for matcher in rule[side]
    ]
    patterns = [each.split("=", 1)[1].strip('~"') for each in matchers if "alertname" in each]
    alternatives = [name for pattern in patterns for name in pattern.split("|")]

    assert receivers == set(SEVERITIES)
    assert alternatives
    names = [alert.name for alert in ALERTS]
    assert [x for x in alternatives if not any(re.fullmatch(x, name) for name in names)] == []


@pytest.mark.parametrize("cause", ["ServiceDown", "PredictorTimeStopped"])
def test_what_stands_still_because_time_does_is_not_told_beside_it(cause: str) -> None:
    told = {"alertname": cause, "job": "churn_predictor"}
    silenced = [
        rule["target_matchers"]
        for rule in ROUTING["inhibit_rules"]
        if all(_matches(each, told) for each in rule["source_matchers"])
    ]

    for name in ("FiguresNotSettled", "SnapshotTooOld"):
        alert = {"alertname": name, "severity": "ticket"}
        assert any(all(_matches(each, alert) for each in matchers) for matchers in silenced)


def _matches(matcher: str, labels: Mapping[str, str]) -> bool:
    label, _, wanted = matcher.partition("=")
    return re.fullmatch(wanted.strip('~"'), labels.get(label, "")) is not None


@needs_promtool
def test_promtool_takes_the_configuration_and_every_rule() -> None:
    ran = tools.check_config()

    assert ran.is_right, ran.said


@needs_promtool
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.stem)
def test_promtool_finds_every_alert_and_figure_as_its_tests_say(suite: Path) -> None:
    ran = tools.run_suite(suite)

    assert ran.is_right, ran.said


@needs_amtool
def test_amtool_takes_the_routes_and_sends_each_severity_where_it_belongs() -> None:
    ran = tools.check_routing()

    assert ran.is_right, ran.said
    assert [tools.receiver_of(severity=each) for each in SEVERITIES] == list(SEVERITIES)
    assert tools.receiver_of(alertname="unheard-of") == "page"


def test_the_check_says_how_to_install_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tools, "PROMTOOL", None)
    monkeypatch.setattr(tools, "AMTOOL", None)

    assert alerts_check.main() == alerts_check.EXIT_USAGE
    assert "promtool and amtool not found.  On Debian" in capsys.readouterr().err


def test_the_table_tells_what_is_shown_of_each_alert_and_what_fails() -> None:
    alert = rule_of("LagTooOld")
    shown = {"LagTooOld": {Story.FIRES, Story.SILENT}}

    _, line = alerts_check.table([alert], shown, frozenset({"LagTooOld"})).splitlines()
    assert line.split() == ["LagTooOld", "page", "yes", "yes", "no", "FAIL"]
