"""What is asked of Prometheus in place of Grafana, and what its answers mean."""

from pathlib import Path

import pytest
import yaml

from deploy.grafana.boards import BOARDS
from deploy.grafana.live import report
from deploy.grafana.live.asking import (
    Answer,
    Asking,
    Question,
    Stretch,
    label_query,
    questions,
    read_answer,
    replaced,
)
from deploy.grafana.live.inspection import allowed, declared
from deploy.grafana.live.quiet_rules import QUIET_RULES
from deploy.grafana.live.verdicts import Result, Verdict, families, judge, rules_asked
from deploy.grafana.spec import EmptyIsGood, RealTimeOnly, Silence

OVER = Stretch(start=1_000, end=1_600, scrape_seconds=1)
NOTHING = Answer()
SOMETHING = Answer(series=1, samples=3)
THERE = "care_events_total"
OTHER = "care_orders_total"


def question(expr: str = THERE) -> Question:
    return Question(
        where="care-feeds",
        title="Events by topic",
        letter="A",
        expr=expr,
        asking=Asking.INSTANT,
        start=OVER.start,
        end=OVER.end,
        step=OVER.step,
    )


def test_the_stretch_is_what_grafana_would_make_of_it() -> None:
    """600 s in at most 250 points: one each 3 s; a rate needs at least 4 scrapes, or a point and one."""
    assert OVER.step == 3
    assert OVER.variables == {"$__rate_interval": "4s", "$__range": "600s"}
    assert Stretch(start=0, end=60, scrape_seconds=1).variables["$__rate_interval"] == "4s"
    assert Stretch(start=0, end=2_500, scrape_seconds=1).variables["$__rate_interval"] == "11s"


def test_of_two_variables_the_longer_name_is_replaced_first() -> None:
    assert replaced("[$__range] [$__range_s]", {"$__range": "6s", "$__range_s": "6"}) == "[6s] [6]"


def test_every_query_of_every_panel_becomes_a_question() -> None:
    board = {
        "uid": "care-feeds",
        "panels": [
            {"type": "row", "title": "Heading"},
            {
                "type": "stat",
                "title": "Events",
                "targets": [
                    {"refId": "A", "expr": "sum(increase(a[$__range]))", "instant": True},
                    {"refId": "B", "expr": 'b{job=~"$job"}', "instant": False, "range": True},
                ],
            },
        ],
    }

    first, second = questions(board, {"$job": "(ingest|metrics)"}, OVER)

    assert (first.letter, first.expr, first.asking) == (
        "A",
        "sum(increase(a[600s]))",
        Asking.INSTANT,
    )
    assert (second.expr, second.asking) == ('b{job=~"(ingest|metrics)"}', Asking.RANGE)


def test_a_variables_query_is_taken_apart() -> None:
    assert label_query('label_values({__name__=~"a|b"}, job)') == ("job", '{__name__=~"a|b"}')
    with pytest.raises(ValueError, match="no label_values"):
        label_query("query_result(up)")


def test_what_is_no_number_is_no_sample() -> None:
    vector = [{"value": [1, "NaN"]}, {"value": [1, "2"]}, {"value": [1, "+Inf"]}]
    matrix = [{"values": [[1, "NaN"], [2, "0"], [3, "1"]]}, {"values": [[1, "NaN"]]}]

    assert read_answer({"resultType": "vector", "result": vector}) == Answer(series=2, samples=2)
    assert read_answer({"resultType": "matrix", "result": matrix}) == Answer(series=1, samples=2)
    assert read_answer({"resultType": "vector", "result": []}) == Answer()
    assert read_answer({"resultType": "scalar", "result": [1, "7"]}) == Answer(series=1, samples=1)


@pytest.mark.parametrize(
    ("expr", "answer", "silence", "exported", "verdict"),
    [
        (THERE, SOMETHING, None, {THERE}, Verdict.SHOWS),
        (THERE, SOMETHING, EmptyIsGood("quiet"), {THERE}, Verdict.SHOWS),
        (THERE, SOMETHING, RealTimeOnly("slow"), {THERE}, Verdict.MEASURED_AFTER_ALL),
        (THERE, NOTHING, None, {THERE}, Verdict.EMPTY),
        (THERE, NOTHING, EmptyIsGood("quiet"), {THERE}, Verdict.MAY_BE_EMPTY),
        (THERE, NOTHING, EmptyIsGood("quiet"), {"care_events"}, Verdict.MAY_BE_EMPTY),
        (THERE, NOTHING, EmptyIsGood("quiet"), {"other"}, Verdict.UNKNOWN_METRIC),
        (THERE, NOTHING, None, {"other"}, Verdict.UNKNOWN_METRIC),
        (THERE, NOTHING, RealTimeOnly("slow"), {"other"}, Verdict.NOT_MEASURED),
        (THERE, Answer(refusal="no"), EmptyIsGood("quiet"), {THERE}, Verdict.REFUSED),
        ("care_lead_time_seconds_bucket", NOTHING, EmptyIsGood("x"), {"care_lead_time_seconds"},
         Verdict.MAY_BE_EMPTY),
    ],
)  # fmt: skip
def test_an_answer_is_judged(
    expr: str, answer: Answer, silence: Silence | None, exported: set[str], verdict: Verdict
) -> None:
    assert judge(question(expr), answer, silence, exported).verdict is verdict


RULES = {
    "care:events:rate5m": ["sum(rate(care_events_total[5m]))"],
    "care:orders:rate5m": [f"sum(rate({OTHER}[5m]))"],
    "care:both:ratio": ["care:events:rate5m / care:orders:rate5m"],
}


def test_what_a_rule_rests_on_is_asked_for_too() -> None:
    assert families("care:both:ratio", RULES) == {THERE, OTHER}
    assert rules_asked("2 * care:both:ratio", RULES) == RULES.keys()
    assert rules_asked("care:both:ratio", {"care:both:ratio": ["care:both:ratio"]}) == {
        "care:both:ratio"
    }


@pytest.mark.parametrize(
    ("expr", "exported", "verdict"),
    [
        ("care:both:ratio", {THERE}, Verdict.UNKNOWN_METRIC),
        ("care:events:rate5m", {THERE}, Verdict.EMPTY),
        ("care:events:rate5m", {"other"}, Verdict.UNKNOWN_METRIC),
    ],
)
def test_a_rule_that_rests_on_others_is_judged_by_them(
    expr: str, exported: set[str], verdict: Verdict
) -> None:
    assert judge(question(expr), NOTHING, None, exported, RULES).verdict is verdict


def test_what_rests_on_a_quiet_rule_may_be_quiet_for_its_reason() -> None:
    quiet, real_time = "care:prevented_contact:ratio", "care:event_to_decision_seconds:p99_rate5m"
    rules = {
        quiet: ["care_events_total"],
        real_time: ["care_events_total"],
        "care:above:ratio": [f"2 * {quiet}"],
        "care:higher:ratio": ["care:above:ratio + 1"],
        "care:slow:ratio": [f"2 * {real_time}"],
        "care:loud:ratio": ["care_events_total"],
    }

    assert allowed(quiet, rules) is QUIET_RULES[quiet]
    assert allowed("care:higher:ratio", rules) == EmptyIsGood(QUIET_RULES[quiet].reason)
    assert allowed("care:slow:ratio", rules) == EmptyIsGood(QUIET_RULES[real_time].reason)
    assert allowed("care:loud:ratio", rules) is None


def test_only_what_somebody_must_mend_is_a_fault() -> None:
    assert {verdict for verdict in Verdict if verdict.is_fault} == {
        Verdict.EMPTY,
        Verdict.UNKNOWN_METRIC,
        Verdict.MEASURED_AFTER_ALL,
        Verdict.REFUSED,
    }


def test_the_report_names_panel_query_and_samples() -> None:
    good = Result(question=question(), answer=SOMETHING, verdict=Verdict.SHOWS)
    bad = Result(question=question(), answer=NOTHING, verdict=Verdict.EMPTY)

    told = "\n".join(report.lines([good, bad]))

    assert "✓ Events by topic [A]: 1 series, 3 samples" in told
    assert "✗ Events by topic [A]: 0 series, 0 samples; EMPTY" in told
    assert report.as_json([good])["ok"] is True
    assert report.as_json([good, bad])["ok"] is False
    assert report.as_json([bad])["queries"][0]["expr"] == THERE


def test_every_quiet_rule_is_there() -> None:
    files = sorted((Path(__file__).parents[2] / "deploy" / "prometheus" / "rules").glob("*.yml"))
    there = {
        rule["record"]
        for path in files
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    }

    assert QUIET_RULES.keys() - there == set()


def test_declarations_are_given_to_panels_that_exist() -> None:
    """By the title: of a dashboard's JSON nothing else says which panel of the code it came from."""
    for board in BOARDS:
        assert declared(board.uid).keys() == {panel.title for panel in board.panels()}
    assert declared("care-unknown") == {}
