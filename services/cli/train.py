"""`care train`: a model fitted to records and written to a file: of complaint or of lapse risk."""

import json
from datetime import date
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

from services.churn_predictor.scoring import Scorecard
from services.churn_predictor.train.fitting import Effort
from services.churn_predictor.train.lapse import HORIZON_DAYS, TooFewPurchases
from services.churn_predictor.train.training import TooLittle, to_text, train
from services.churn_predictor.train.version import versioned
from services.cli import lapse, options
from services.cli.model_file import replace_model
from services.cli.on_topics import RETENTION
from services.cli.progress import telling
from services.cli.records import Day
from services.cli.sources import Source, source
from services.contracts.problems import RiskKind
from services.kit.exits import EXIT_USAGE, leave
from services.kit.progress import Tell

_OLIST = (
    "Fitted by `care train` to the recorded orders of a Brazilian marketplace (Olist, CC BY-NC-SA "
    "4.0: not for commercial use) that were bought and answered before {until}."
)
_TOPICS = "Fitted by `care train` to the events on a deployment's own topics"
_ORDERS = f"{_TOPICS}: orders that were bought and answered before {{until}}."


@click.command(
    name="train",
    help=(
        "Fit a model to records and write it to a file: of complaint risk to recorded orders "
        "(--olist), of lapse risk to purchases (--purchases), of either to the events on a "
        "deployment's own topics (--topics).\n\n"
        "Events are replayed through the facts and features of the stream, and an additive model "
        "is fitted at each decision point to the orders that were bought and answered before "
        "--until. From purchases, what was known of each customer at cut-offs in the past is held "
        "against what they bought in the --horizon after it; nothing from --until on is looked at. "
        "On topics every event counts once, and what the predictor could not read is passed over; "
        "purchases are orders that were placed and not cancelled. "
        "CARE_CHURN_PREDICTOR_MODEL names a file of complaint risk, CARE_CHURN_PREDICTOR_LAPSE_MODEL "
        "one of lapse risk. A model that was there before is kept beside it, under its version and "
        "digest."
    ),
    epilog=(
        "\b\nExamples:\n"
        "  care train --olist ~/olist --until 2018-03-01 --out build/complaint-risk.json\n"
        "  care evaluate --olist ~/olist --model build/complaint-risk.json --from 2018-03-01\n"
        "  care train --purchases purchases.csv.gz --out build/lapse-risk.json\n"
        "  care train --topics complaint --until 2026-03-01 --out build/complaint-risk.json\n"
        "  care train --topics lapse --horizon 28 --out build/lapse-risk.json\n"
        "\n"
        "Exit codes: 0 written, 2 wrong usage or records that cannot be learned from, 75 Kafka or a "
        "topic is not there."
    ),
)
@source
@click.option(
    "--until", type=Day(), default=None,
    help="Bought, and of complaint risk answered, before this day; that risk needs it.",
)  # fmt: skip
@lapse.horizon
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE",
    help="Where the model goes.",
)  # fmt: skip
@click.option(
    "--rounds", type=click.IntRange(1), default=None, show_default=str(Effort().max_rounds),
    help="At most so many of boosting; few are quick, and worse.",
)  # fmt: skip
@options.as_json
def train_command(
    *,
    source: Source,
    until: date | None,
    horizon_days: int | None,
    out: Path,
    rounds: int | None,
    as_json: bool,
) -> None:
    """Train, write the file, print what it holds."""
    options.refuse_others(
        source.kind,
        {
            "--horizon": (RiskKind.LAPSE, horizon_days),
            "--rounds": (RiskKind.COMPLAINT, rounds),
            "--tolerances": (RiskKind.COMPLAINT, source.tolerances),
        },
    )
    with telling(Console(stderr=True)) as tell:
        if source.kind is RiskKind.LAPSE:
            card = _of_lapses(source, until, horizon_days or HORIZON_DAYS, tell)
        else:
            effort = Effort(max_rounds=rounds or Effort().max_rounds)
            card = _of_complaints(source, until, effort, tell)
    replace_model(out, to_text(card))
    summary = {"model": str(out), "version": card.version, **card.metrics}
    click.echo(json.dumps(summary, indent=2) if as_json else _in_words(summary))


def _of_complaints(source: Source, until: date | None, effort: Effort, tell: Tell) -> Scorecard:
    if until is None:
        raise click.UsageError(f"{source.option} needs --until")
    cases = source.cases(tell)
    provenance = (_ORDERS if source.is_topics else _OLIST).format(until=until)
    try:
        return train(cases, source.midnight(until), provenance, effort, tell)
    except TooLittle as error:
        _leave(str(error), source)


def _of_lapses(source: Source, until: date | None, horizon_days: int, tell: Tell) -> Scorecard:
    purchases = source.purchases(tell)
    try:
        card = lapse.trained(purchases, until, horizon_days, tell)
    except TooFewPurchases as error:
        _leave(f"{source.bought}: {error}" if source.bought else str(error), source)
    seen_until = None if card.span is None else card.span.until
    if not source.is_topics or seen_until is None:
        return card
    named = card.model_copy(update={"provenance": f"{_TOPICS}. {card.provenance}"})
    return versioned(named, seen_until)


def _leave(why: str, source: Source) -> NoReturn:
    leave(f"{why}; {RETENTION}" if source.is_topics else why, EXIT_USAGE)


def _in_words(summary: dict[str, object]) -> str:
    return "\n".join(
        f"{name:<32}{value:.4g}" if isinstance(value, float) else f"{name:<32}{value}"
        for name, value in summary.items()
    )
