"""Each house rule, broken once: a good dashboard, one thing changed, and what is said about it."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from deploy.grafana.assembly import Addresses, encode
from deploy.grafana.boards.outcomes import OUTCOMES
from deploy.grafana.boards.pipeline import PIPELINE
from deploy.grafana.house_rules import MOST_PANELS, faults, panels_of

Json = dict[str, Any]
GOOD: Json = json.loads(encode(PIPELINE, Addresses()))


def stat(board: Json) -> Json:
    return next(panel for panel in panels_of(board) if panel["type"] == "stat")


def chart(board: Json) -> Json:
    return next(panel for panel in panels_of(board) if panel["type"] == "timeseries")


def defaults(panel: Json) -> Json:
    found: Json = panel["fieldConfig"]["defaults"]
    return found


def variable(board: Json, name: str) -> Json:
    return next(one for one in board["templating"]["list"] if one["name"] == name)


def ask(board: Json, expr: str, legend: str = "all") -> None:
    chart(board)["targets"] = [{**chart(board)["targets"][0], "expr": expr, "legendFormat": legend}]


def with_more(board: Json) -> None:
    lowest = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    more = copy.deepcopy(chart(board))
    board["panels"].append(
        more | {"title": "One panel more", "gridPos": {"x": 0, "y": lowest, "w": 8, "h": 8}}
    )


def other(board: Json, place: int) -> Json:
    found: Json = list(panels_of(board))[place]
    return found


SPOILED: dict[str, tuple[Callable[[Json], object], str]] = {
    "uid of chance": (lambda b: b.update(uid="aB3xQ"), "is not care-<words>"),
    "uid too long": (lambda b: b.update(uid="care-" + "x" * 40), "at most 40"),
    "file of another name": (lambda b: b.update(uid="care-other"), "is called"),
    "id": (lambda b: b.update(id=7), "has an id"),
    "editable": (lambda b: b.update(editable=True), "is editable"),
    "no refresh": (lambda b: b.pop("refresh"), "does not refresh"),
    "no tag": (lambda b: b.update(tags=["other"]), "lacks the tag"),
    "no description": (lambda b: b.pop("description"), "has no description"),
    "no way to the others": (
        lambda b: b.update(links=[link for link in b["links"] if link["type"] != "dashboards"]),
        "other dashboards",
    ),
    "no way to the desk": (
        lambda b: b.update(links=[link for link in b["links"] if link["type"] != "link"]),
        "to the desk",
    ),
    "no data source variable": (
        lambda b: variable(b, "datasource").update(name="source"),
        "no variable datasource",
    ),
    "variable of another kind": (
        lambda b: variable(b, "datasource").update(query="loki"),
        "no variable datasource",
    ),
    "variable with a data source": (
        lambda b: variable(b, "job").update(datasource={"type": "prometheus", "uid": "prom-1"}),
        "variable job names a data source",
    ),
    "panel with a data source": (
        lambda b: stat(b).update(datasource={"type": "prometheus", "uid": "prom-1"}),
        "' names a data source",
    ),
    "query with a data source": (
        lambda b: stat(b)["targets"][0].update(datasource={"type": "prometheus", "uid": "prom-1"}),
        "' names a data source",
    ),
    "annotation with a data source": (
        lambda b: b.update(annotations={"list": [{"datasource": "prom-1"}]}),
        "names a data source somewhere",
    ),
    "too many panels": (with_more, f"from 1 to {MOST_PANELS}"),
    "no panels": (lambda b: b.update(panels=[]), "has 0 panels"),
    "two of one title": (
        lambda b: other(b, 1).update(title=other(b, 0)["title"]),
        "has 2 panels called",
    ),
    "overlap": (
        lambda b: other(b, 1).update(gridPos=other(b, 0)["gridPos"]),
        "overlap",
    ),
    "beyond the columns": (
        lambda b: other(b, 5)["gridPos"].update(w=12),
        "is not within the 24 columns",
    ),
    "a chart first": (
        lambda b: chart(b)["gridPos"].update(y=-9),
        "does not begin with a row of single figures",
    ),
    "a figure below a chart": (
        lambda b: stat(b)["gridPos"].update(y=900),
        "single figure below a chart",
    ),
    "title of a metric": (
        lambda b: stat(b).update(title="care_events_total by topic"),
        "not a few plain words",
    ),
    "no title": (lambda b: stat(b).pop("title"), "not a few plain words"),
    "panel without description": (
        lambda b: stat(b).pop("description"),
        "no description that says what is seen",
    ),
    "panel without unit": (lambda b: defaults(stat(b)).pop("unit"), "no unit"),
    "colours without thresholds": (
        lambda b: defaults(stat(b))["thresholds"].update(steps=[{"color": "green", "value": None}]),
        "is coloured by thresholds and has none",
    ),
    "colours by chance": (
        lambda b: defaults(stat(b))["color"].update(mode="palette-classic"),
        "neither judged by thresholds nor of one colour",
    ),
    "a share without sides": (
        lambda b: defaults(stat(b)).update(
            unit="percentunit",
            color={"mode": "fixed"},
            thresholds={"steps": [{"color": "green", "value": None}]},
        ),
        "a share without a good and a bad side",
    ),
    "thresholds that fall": (
        lambda b: defaults(stat(b))["thresholds"].update(
            steps=[
                {"color": "green", "value": None},
                {"color": "orange", "value": 5},
                {"color": "red", "value": 1},
            ]
        ),
        "thresholds do not rise",
    ),
    "an alert without its runbook": (lambda b: stat(b)["links"].pop(1), "runbooks"),
    "a fixed link": (
        lambda b: stat(b)["links"].append({"url": "https://grafana.example/alerts"}),
        "leads to a fixed place",
    ),
    "no query": (lambda b: stat(b).update(targets=[]), "asks nothing"),
    "no PromQL": (lambda b: ask(b, "sum(rate(care_events_total[$__rate_interval])"), "no PromQL"),
    "a rate over a fixed stretch": (
        lambda b: ask(b, "sum(rate(care_events_total[5m]))"),
        "rate(…[5m]) does not follow the zoom",
    ),
    "a rate over the whole range": (
        lambda b: ask(b, "sum(irate(care_events_total[$__range]))"),
        "irate(…[$__range]) does not follow the zoom",
    ),
    "an increase over a fixed stretch": (
        lambda b: ask(b, "sum(increase(care_events_total[1h]))"),
        "increase(…[1h]) does not follow the zoom",
    ),
    "a metric nobody has": (lambda b: ask(b, "care_nothing_total"), "no service exports"),
    "a matcher on a label it lacks": (
        lambda b: ask(b, 'care_events_total{customer="7"}'),
        "no metric here has a label customer",
    ),
    "a grouping by a label it lacks": (
        lambda b: ask(b, "sum by (tier) (care_events_total)"),
        "no metric here has a label tier",
    ),
    "a legend of a label it lacks": (
        lambda b: ask(b, "care_events_total", "{{kind}}"),
        "no metric here has a label kind",
    ),
    "no legend": (lambda b: ask(b, "care_events_total", ""), "a series without a name"),
    "a figure that asks for a range": (
        lambda b: stat(b)["targets"][0].update(instant=False, range=True),
        "a single figure for an instant",
    ),
}


def test_the_dashboard_to_be_spoiled_is_good() -> None:
    assert faults(GOOD, "care-pipeline") == []
    assert sum(1 for _ in panels_of(GOOD)) == MOST_PANELS


@pytest.mark.parametrize("case", SPOILED, ids=str)
def test_a_broken_rule_is_found(case: str) -> None:
    spoil, said = SPOILED[case]
    board = copy.deepcopy(GOOD)

    spoil(board)

    assert [fault for fault in faults(board, "care-pipeline") if said in fault], faults(
        board, "care-pipeline"
    )


def test_panels_that_only_touch_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in json.loads(encode(OUTCOMES, Addresses()))["panels"]]

    assert any(one["x"] + one["w"] == other["x"] for one in places for other in places)
    assert any(one["y"] + one["h"] == other["y"] for one in places for other in places)
