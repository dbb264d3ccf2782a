"""From what a board says to Grafana's model, by way of Grafana's own SDK."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.spec import GRID_WIDTH, Board, Colour, Look, Panel, Query, Row

TAG = "care"
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
_ROW_HEIGHT = 1
_NOTHING = "nothing yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a link leads; each ends so that a name or a path can follow."""

    alerts: str = "/alerting/list?search="
    """Of Grafana itself: its list of alerts, filtered by name."""
    runbooks: str = "/runbooks/"
    """Where docs/runbooks is served; `<alert>.md` follows."""
    desk: str = "/desk"
    """What stands before the desk's API, with a key; `/v1/…` follows."""


def encode(board: Board, addresses: Addresses) -> str:
    """Return a board as Grafana's JSON; the same board is the same text."""
    return _text(assemble(board, addresses))


def reencode(text: str) -> str:
    """Return a dashboard's JSON read into the SDK's model and written again."""
    return _text(model.Dashboard.from_json(json.loads(text)))


def assemble(board: Board, addresses: Addresses) -> model.Dashboard:
    """Return a board as the SDK's model."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG, board.uid])
        .readonly()
        .refresh(board.refresh)
        .time(board.since, "now")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Other dashboards")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .keep_time(True)
        )
        .link(_link("Desk", "${desk:raw}"))
    )
    for variable in _variables(board, addresses):
        built = built.with_variable(variable)
    for part in _placed(board):
        built = built.with_row(part) if isinstance(part, dashboard.Row) else built.with_panel(part)
    return built.build()


def _text(built: model.Dashboard) -> str:
    return json.dumps(built, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


# Variables


def _variables(board: Board, addresses: Addresses) -> Iterator[Any]:
    yield dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    yield (
        dashboard.CustomVariable("window")
        .label("Looking back")
        .description("How far each point of a chart looks back.")
        .values(",".join(board.window.choices))
        .current(_option(board.window.default, is_selected=True))
        .options([_option(c, is_selected=c == board.window.default) for c in board.window.choices])
    )
    if board.jobs is not None:
        yield (
            dashboard.QueryVariable("job")
            .label("Service")
            .description("Whose processes are shown.")
            .datasource(SOURCE)
            .query(f'label_values({{__name__=~"{board.jobs}"}}, job)')
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(model.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .current(model.VariableOption(True, "All", "$__all"))
        )
    for name in ("alerts", "runbooks", "desk"):
        yield dashboard.ConstantVariable(name).value(getattr(addresses, name))


def _option(value: str, *, is_selected: bool) -> model.VariableOption:
    return model.VariableOption(selected=is_selected, text=value, value=value)


# Layout


def _placed(board: Board) -> Iterator[Any]:
    """Yield row headings and panels with their numbers and places, from the top down."""
    number, top = 0, 0
    for row in board.rows:
        number += 1
        yield (
            dashboard.Row(row.title)
            .id(number)
            .grid_pos(model.GridPos(h=_ROW_HEIGHT, w=GRID_WIDTH, x=0, y=top))
        )
        top += _ROW_HEIGHT
        for panel, place in zip(row.panels, _places(row, top), strict=True):
            number += 1
            yield _panel(panel, number, place)
            top = max(top, place.y)
        top += row.height


def _places(row: Row, top: int) -> Iterator[model.GridPos]:
    left = 0
    for width in _widths(row):
        if left + width > GRID_WIDTH:
            left, top = 0, top + row.height
        yield model.GridPos(h=row.height, w=width, x=left, y=top)
        left += width


def _widths(row: Row) -> list[int]:
    given = sum(panel.width or 0 for panel in row.panels)
    others = row.per_line - sum(panel.width is not None for panel in row.panels)
    even = (GRID_WIDTH - given) // max(others, 1)
    return [panel.width or even for panel in row.panels]


# Panels


def _panel(panel: Panel, number: int, place: model.GridPos) -> Any:
    builder = _BUILDERS[panel.look](panel)
    builder = (
        builder.id(number)
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .grid_pos(place)
        .links(list(_links(panel)))
        .no_value(_NOTHING)
        .thresholds(_thresholds(panel))
        .color_scheme(_colours(panel))
    )
    if panel.decimals is not None:
        builder = builder.decimals(panel.decimals)
    if panel.lowest is not None:
        builder = builder.min(panel.lowest)
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        builder = builder.with_target(_target(query, letter, panel.look))
    return builder


def _stat(panel: Panel) -> stat.Panel:
    del panel
    return (
        stat.Panel()
        .graph_mode(common_model.BigValueGraphMode.NONE)
        .color_mode(common_model.BigValueColorMode.VALUE)
        .reduce_options(_last())
        .text_mode(common_model.BigValueTextMode.AUTO)
    )


def _bars(panel: Panel) -> bargauge.Panel:
    del panel
    return (
        bargauge.Panel()
        .orientation(common_model.VizOrientation.HORIZONTAL)
        .display_mode(common_model.BarGaugeDisplayMode.BASIC)
        .show_unfilled(True)
        .reduce_options(_last())
    )


def _series(panel: Panel) -> timeseries.Panel:
    stacking = common_model.StackingMode.NORMAL if panel.stacked else common_model.StackingMode.NONE
    style = (
        common_model.GraphTresholdsStyleMode.DASHED
        if panel.limits
        else common_model.GraphTresholdsStyleMode.OFF
    )
    return (
        timeseries.Panel()
        .legend(
            common.VizLegendOptions()
            .display_mode(common_model.LegendDisplayMode.LIST)
            .placement(common_model.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(common_model.TooltipDisplayMode.MULTI))
        .fill_opacity(15 if panel.stacked else 0)
        .line_width(1)
        .stacking(common.StackingConfig().mode(stacking).group("A"))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
    )


_BUILDERS: dict[Look, Any] = {Look.STAT: _stat, Look.BARS: _bars, Look.SERIES: _series}


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _target(query: Query, letter: str, look: Look) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .expr(query.expr)
        .legend_format(query.legend)
        .ref_id(letter)
        .datasource(SOURCE)
    )
    return target.range() if look is Look.SERIES else target.instant()


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = panel.limits.steps if panel.limits else ((None, Colour.GOOD),)
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=colour.value) for value, colour in steps])
    )


def _colours(panel: Panel) -> dashboard.FieldColor:
    if panel.look is Look.SERIES:
        return dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
    if panel.limits is None:
        # A number without a bad side is not to look like a judgement.
        return dashboard.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color("blue")
    return dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def _links(panel: Panel) -> Iterator[dashboard.DashboardLink]:
    for alert in panel.alerts:
        yield _link(f"Alert {alert}", f"${{alerts:raw}}{alert}")
        yield _link(f"Runbook {alert}", f"${{runbooks:raw}}{alert}.md")
    if panel.desk is not None:
        yield _link("Desk: act on it", f"${{desk:raw}}{panel.desk}")


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(model.DashboardLinkType.LINK)
        .url(url)
        .target_blank(True)
    )
