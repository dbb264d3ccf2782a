"""The rules a dashboard keeps, read from its JSON alone, so that one edited by hand is found too."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, TypeAlias

from deploy.grafana import known_metrics
from deploy.grafana.expressions import NotPromQL, read, wrong_stretches

Json: TypeAlias = dict[str, Any]
Rule: TypeAlias = Callable[[Json, str], Iterable[str]]

MOST_PANELS = 20
GRID_WIDTH = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_UID = re.compile(r"care-[a-z]+(-[a-z]+)*")
_TITLE = re.compile(r"[A-Z][^_]{5,59}")
_SHORTEST_DESCRIPTION = 30
_LONGEST_UID = 40
_BADLY = ("orange", "red")
_LABELS = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def faults(content: Json, stem: str) -> list[str]:
    """Return what is wrong with a dashboard, in words; nothing where it keeps the rules.

    Args:
        content: The dashboard's JSON.
        stem: The name of its file without the ending.
    """
    return [fault for rule in RULES for fault in rule(content, stem)]


def panels_of(content: Json) -> Iterator[Json]:
    """Return the panels that show something: no headings."""
    return (panel for panel in content.get("panels", []) if panel["type"] != "row")


def expressions_of(panel: Json) -> list[str]:
    """Return what a panel asks Prometheus."""
    return [target["expr"] for target in panel.get("targets", [])]


# The dashboard as a whole


def _identity(content: Json, stem: str) -> Iterator[str]:
    uid = str(content.get("uid") or "")
    if not _UID.fullmatch(uid) or len(uid) > _LONGEST_UID:
        yield f"uid {uid!r} is not care-<words>, at most {_LONGEST_UID} characters"
    if uid != stem:
        yield f"the file of {uid!r} is called {stem!r}"
    if "id" in content:
        yield "has an id, which belongs to one Grafana alone"


def _manners(content: Json, stem: str) -> Iterator[str]:
    del stem
    if content.get("editable") is not False:
        yield "is editable: what somebody changes there is lost"
    if not content.get("refresh"):
        yield "does not refresh"
    if "care" not in content.get("tags", []):
        yield "lacks the tag care"
    if not content.get("description"):
        yield "has no description"
    if not any(link.get("type") == "dashboards" for link in content.get("links", [])):
        yield "does not lead to the other dashboards"


def _variables(content: Json, stem: str) -> Iterator[str]:
    del stem
    found = {one["name"]: one for one in content.get("templating", {}).get("list", [])}
    source = found.get("datasource", {})
    if (source.get("type"), source.get("query")) != ("datasource", "prometheus"):
        yield "has no variable datasource of type prometheus"
    for name, one in found.items():
        if one["type"] == "query" and one.get("datasource") != _SOURCE:
            yield f"variable {name} names a data source"


def _sources(content: Json, stem: str) -> Iterator[str]:
    del stem
    for panel in panels_of(content):
        for part in (panel, *panel.get("targets", [])):
            if part.get("datasource") != _SOURCE:
                yield f"{_name(panel)} names a data source"
    if _hard_coded(content):
        yield "names a data source somewhere"


def _hard_coded(value: Any) -> bool:
    if isinstance(value, dict):
        source = value.get("datasource", _SOURCE)
        return source != _SOURCE or any(_hard_coded(inner) for inner in value.values())
    return isinstance(value, list) and any(_hard_coded(inner) for inner in value)


def _amount(content: Json, stem: str) -> Iterator[str]:
    del stem
    count = sum(1 for _ in panels_of(content))
    if not 0 < count <= MOST_PANELS:
        yield f"has {count} panels: from 1 to {MOST_PANELS} can be read"
    for title, times in Counter(str(panel.get("title")) for panel in panels_of(content)).items():
        if times > 1:
            yield f"has {times} panels called {title!r}"


# Places


def _layout(content: Json, stem: str) -> Iterator[str]:
    del stem
    for one, other in combinations(content.get("panels", []), 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"{_name(one)} and {_name(other)} overlap"
    for panel in content.get("panels", []):
        if not 0 < panel["gridPos"]["x"] + panel["gridPos"]["w"] <= GRID_WIDTH:
            yield f"{_name(panel)} is not within the {GRID_WIDTH} columns"
    shown = sorted(panels_of(content), key=lambda panel: _corner(panel["gridPos"]))
    if shown and shown[0]["type"] != "stat":
        yield "does not begin with a row of single figures"
    looks = [panel["type"] == "stat" for panel in shown]
    if looks != sorted(looks, reverse=True):
        yield "has a single figure below a chart"


def _overlap(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return all(
        one.get(at, 0) < other.get(at, 0) + other[length]
        and other.get(at, 0) < one.get(at, 0) + one[length]
        for at, length in (("x", "w"), ("y", "h"))
    )


def _corner(place: Mapping[str, int]) -> tuple[int, int]:
    return place.get("y", 0), place.get("x", 0)


# Each panel


def _words(content: Json, stem: str) -> Iterator[str]:
    del stem
    for panel in panels_of(content):
        if not _TITLE.fullmatch(str(panel.get("title") or "")):
            yield f"{_name(panel)}: the title is not a few plain words"
        description = str(panel.get("description") or "")
        if len(description) < _SHORTEST_DESCRIPTION or not description.endswith("."):
            yield f"{_name(panel)}: no description that says what is seen"
        if not _defaults(panel).get("unit"):
            yield f"{_name(panel)}: no unit"


def _judging(content: Json, stem: str) -> Iterator[str]:
    del stem
    for panel in panels_of(content):
        defaults = _defaults(panel)
        steps = defaults.get("thresholds", {}).get("steps", [])
        judges = any(step.get("color") in _BADLY for step in steps)
        mode = defaults.get("color", {}).get("mode")
        if panel["type"] == "stat" and mode == "thresholds" and not judges:
            yield f"{_name(panel)}: is coloured by thresholds and has none"
        if panel["type"] == "stat" and mode not in ("thresholds", "fixed"):
            yield f"{_name(panel)}: neither judged by thresholds nor of one colour"
        if defaults.get("unit") == "percentunit" and panel["type"] == "stat" and not judges:
            yield f"{_name(panel)}: a share without a good and a bad side"
        values = [step["value"] for step in steps[1:]]
        if values != sorted(set(values)) or (steps and steps[0].get("value") is not None):
            yield f"{_name(panel)}: thresholds do not rise from the lowest value"


def _leading_on(content: Json, stem: str) -> Iterator[str]:
    """A panel with a bad side that an alert watches leads from alert to runbook, and to the desk."""
    del stem
    for panel in panels_of(content):
        urls = [str(link.get("url")) for link in panel.get("links", [])]
        alerts = {
            url.removeprefix("${alerts:raw}") for url in urls if url.startswith("${alerts:raw}")
        }
        books = {
            url.removeprefix("${runbooks:raw}").removesuffix(".md")
            for url in urls
            if url.startswith("${runbooks:raw}")
        }
        if alerts != books:
            yield f"{_name(panel)}: alerts {sorted(alerts)}, runbooks {sorted(books)}"
        if any(
            not url.startswith(("${alerts:raw}", "${runbooks:raw}", "${desk:raw}/v1/"))
            for url in urls
        ):
            yield f"{_name(panel)}: a link leads to a fixed place"
    if not any(
        str(link.get("url", "")).startswith("${desk:raw}") for link in content.get("links", [])
    ):
        yield "does not lead to the desk"


# Queries


def _queries(content: Json, stem: str) -> Iterator[str]:
    del stem
    for panel in panels_of(content):
        if not expressions_of(panel):
            yield f"{_name(panel)}: asks nothing"
        for target in panel.get("targets", []):
            yield from (f"{_name(panel)}: {fault}" for fault in _query_faults(panel, target))


def _query_faults(panel: Json, target: Json) -> Iterator[str]:
    try:
        asked = read(target["expr"])
    except NotPromQL as error:
        yield f"no PromQL: {error}"
        return
    yield from (f"{wrong} does not follow the zoom" for wrong in wrong_stretches(asked))
    families = {known_metrics.family(name) for name in asked.metrics}
    labels: set[str] = set(known_metrics.BY_PROMETHEUS) | {"le"}
    for name in sorted(families):
        known = known_metrics.labels_of(name)
        if known is None:
            yield f"no service exports {name}"
        labels |= known or set()
    legend = str(target.get("legendFormat") or "")
    if not legend:
        yield "a series without a name"
    for label in sorted((asked.labels | set(_LABELS.findall(legend))) - labels):
        yield f"no metric here has a label {label}"
    if bool(target.get("instant")) is (panel["type"] == "timeseries"):
        yield "a chart asks for a range, a single figure for an instant"


def _name(panel: Json) -> str:
    return repr(panel.get("title") or f"panel {panel.get('id')}")


def _defaults(panel: Json) -> Json:
    found: Json = panel.get("fieldConfig", {}).get("defaults", {})
    return found


RULES: tuple[Rule, ...] = (
    _identity,
    _manners,
    _variables,
    _sources,
    _amount,
    _layout,
    _words,
    _judging,
    _leading_on,
    _queries,
)
