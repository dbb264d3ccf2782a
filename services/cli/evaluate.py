"""`care evaluate`: how good a model's scores would have been on records."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from services.churn_predictor.scoring import Scorecard, UnusableModel, read_scorecard
from services.churn_predictor.train.measures import by, evaluation, judge
from services.churn_predictor.train.unseen import SeenBefore, check_unseen
from services.cli import lapse, options
from services.cli.progress import telling
from services.cli.records import Day
from services.cli.sources import Source, source
from services.contracts.problems import RiskKind
from services.kit.exits import EXIT_USAGE, leave
from services.kit.progress import Tell


@click.command(
    name="evaluate",
    help=(
        "Score records with a model and say how good that would have been.\n\n"
        "An order counts with what was known before its delivery and before the customer was "
        "asked; of several scores the latest counts, or the first that reached a threshold. "
        "Histories run over everything there is, each order knowing what came before it. "
        "Beside the model stands the rule to beat: the promised day is over, nothing was delivered."
        "\n\n"
        "With --purchases or --topics lapse everybody who had bought before --from is scored for "
        "lapse risk, and held against the model's horizon. Beside it stand the number of purchases, "
        "recency, and the pace carried forward.\n\n"
        "A model is judged on what it has not seen: --from cannot lie before the day up to which it "
        "was fitted."
    ),
    epilog=(
        "\b\nExamples:\n"
        "  care evaluate --olist ~/olist --model build/complaint-risk.json --from 2018-03-01\n"
        "  care evaluate --olist ~/olist --model m.json --from 2018-01-01 --until 2018-03-01 --json\n"
        "  care evaluate --purchases purchases.csv.gz --model lapse.json --from 2011-07-07 --json\n"
        "  care evaluate --topics complaint --model m.json --from 2026-03-01\n"
        "\n"
        "Exit codes: 0 evaluated, 2 wrong usage, no model, or no orders to evaluate, 75 Kafka or a "
        "topic is not there."
    ),
)
@source
@click.option(
    "--model", type=click.Path(path_type=Path), required=True, metavar="FILE",
    help="A model of the risk that is looked at.",
)  # fmt: skip
@click.option(
    "--from", "start", type=Day(), required=True,
    help="Orders bought on this day or later; of purchases, the cut-off.",
)  # fmt: skip
@click.option("--until", type=Day(), default=None, help="Bought before this day.")
@options.as_json
def evaluate(
    *,
    source: Source,
    model: Path,
    start: date,
    until: date | None,
    as_json: bool,
) -> None:
    """Evaluate and print the figures."""
    options.refuse_others(source.kind, {"--tolerances": (RiskKind.COMPLAINT, source.tolerances)})
    card = _card(model.expanduser(), source.kind, start)
    with telling(Console(stderr=True)) as tell:
        if source.kind is RiskKind.LAPSE:
            purchases = source.purchases(tell)
            figures, in_words = lapse.evaluated(card, purchases, start, until), lapse.in_words
        else:
            figures, in_words = _of_complaints(card, source, start, until, tell), _in_words
    click.echo(json.dumps(figures, indent=2) if as_json else in_words(figures))


def _of_complaints(
    card: Scorecard, source: Source, start: date, until: date | None, tell: Tell
) -> Mapping[str, Any]:
    begin, end = source.midnight(start), None if until is None else source.midnight(until)
    chosen = [
        case
        for case in source.cases(tell)
        if begin <= case.bought_at and (end is None or case.bought_at < end)
    ]
    tell(f"scoring {len(chosen):,} orders")
    try:
        return evaluation(judge(chosen, by(card)))
    except ValueError as error:
        leave(str(error), EXIT_USAGE)


def _card(path: Path, kind: RiskKind, start: date) -> Scorecard:
    try:
        card = read_scorecard(path.read_bytes())
        check_unseen(card, start)
    except OSError as error:
        leave(f"cannot read {path}: {error.strerror}", EXIT_USAGE)
    except UnusableModel as error:
        leave(f"{path} is no model: {error}", EXIT_USAGE)
    except SeenBefore as error:
        leave(str(error), EXIT_USAGE)
    if card.kind is not kind:
        leave(f"{path} is a model of {card.kind} risk, not of {kind} risk", EXIT_USAGE)
    return card


def _in_words(figures: Mapping[str, Any]) -> str:
    lines = [
        f"{name:<18}{figures[name]['value']:.3f}  [{figures[name]['low']:.3f}, "
        f"{figures[name]['high']:.3f}]"
        for name in ("roc_auc", "pr_auc")
    ]
    for name in ("at_10_percent", "at_threshold_0_5", "rule"):
        told = "  ".join(f"{key} {_number(value)}" for key, value in figures[name].items())
        lines.append(f"{name:<18}{told}")
    for point, known in figures["calibration"]["points"].items():
        said, was = known["predicted"], known["observed"]
        lines.append(
            f"{point:<18}{known['scores']} scores  predicted {said:.3f}  observed {was:.3f}"
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value > 1 else f"{value:.3f}"
