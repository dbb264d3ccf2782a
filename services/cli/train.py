"""`care train`: a model fitted to records and written to a file: of complaint or of lapse risk."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import click
from rich.console import Console

from services.churn_predictor.scoring import Scorecard
from services.churn_predictor.train.fitting import Effort
from services.churn_predictor.train.lapse import HORIZON_DAYS
from services.churn_predictor.train.training import TooLittle, to_text, train
from services.cli import lapse, options
from services.cli.model_file import replace_model
from services.cli.progress import telling
from services.cli.records import Day, midnight, olist, read_cases
from services.cli.tolerances import tolerances as tolerances_option
from services.contracts.problems import RiskKind
from services.contracts.tolerances import Tolerances
from services.kit.exits import EXIT_USAGE, leave

_PROVENANCE = (
    "Fitted by `care train` to the recorded orders of a Brazilian marketplace (Olist, CC BY-NC-SA "
    "4.0: not for commercial use) that were bought and answered before {until}."
)


@click.command(
    name="train",
    help=(
        "Fit a model to records and write it to a file: of complaint risk to recorded orders "
        "(--olist), of lapse risk to purchases (--purchases).\n\n"
        "Events are replayed through the facts and features of the stream, and an additive model "
        "is fitted at each decision point to the orders that were bought and answered before "
        "--until. From purchases, what was known of each customer at cut-offs in the past is held "
        "against what they bought in the --horizon after it; nothing from --until on is looked at. "
        "CARE_CHURN_PREDICTOR_MODEL names a file of complaint risk, CARE_CHURN_PREDICTOR_LAPSE_MODEL "
        "one of lapse risk. A model that was there before is kept beside it, under its version and "
        "digest."
    ),
    epilog=(
        "\b\nExamples:\n"
        "  care train --olist ~/olist --until 2018-03-01 --out build/complaint-risk.json\n"
        "  care evaluate --olist ~/olist --model build/complaint-risk.json --from 2018-03-01\n"
        "  care train --purchases purchases.csv.gz --out build/lapse-risk.json\n"
        "\n"
        "Exit codes: 0 written, 2 wrong usage or records that cannot be learned from."
    ),
)
@olist
@lapse.purchases
@click.option(
    "--until", type=Day(), default=None,
    help="Bought, and with --olist answered, before this day; needed with --olist.",
)  # fmt: skip
@lapse.horizon
@tolerances_option
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE",
    help="Where the model goes.",
)  # fmt: skip
@click.option(
    "--rounds", type=click.IntRange(1), default=None, show_default=str(Effort().max_rounds),
    help="With --olist: at most so many of boosting; few are quick, and worse.",
)  # fmt: skip
@options.as_json
def train_command(
    *,
    folder: Path | None,
    bought: Path | None,
    until: date | None,
    horizon_days: int | None,
    tolerances: Tolerances | None,
    out: Path,
    rounds: int | None,
    as_json: bool,
) -> None:
    """Train, write the file, print what it holds."""
    lapse.one_of(folder, bought)
    kind = RiskKind.COMPLAINT if bought is None else RiskKind.LAPSE
    options.refuse_others(
        kind,
        {
            "--horizon": (RiskKind.LAPSE, horizon_days),
            "--rounds": (RiskKind.COMPLAINT, rounds),
            "--tolerances": (RiskKind.COMPLAINT, tolerances),
        },
    )
    with telling(Console(stderr=True)) as tell:
        if bought is not None:
            card = lapse.trained(bought, until, horizon_days or HORIZON_DAYS, tell)
        else:
            assert folder is not None
            effort = Effort(max_rounds=rounds or Effort().max_rounds)
            card = _of_complaints(folder, until, effort, tolerances, tell)
    replace_model(out, to_text(card))
    summary = {"model": str(out), "version": card.version, **card.metrics}
    click.echo(json.dumps(summary, indent=2) if as_json else _in_words(summary))


def _of_complaints(
    folder: Path,
    until: date | None,
    effort: Effort,
    tolerances: Tolerances | None,
    tell: Callable[[str], None],
) -> Scorecard:
    if until is None:
        raise click.UsageError("--olist needs --until")
    cases = read_cases(folder, tell, tolerances)
    try:
        return train(cases, midnight(until), _PROVENANCE.format(until=until), effort, tell)
    except TooLittle as error:
        leave(str(error), EXIT_USAGE)


def _in_words(summary: dict[str, object]) -> str:
    return "\n".join(
        f"{name:<32}{value:.4g}" if isinstance(value, float) else f"{name:<32}{value}"
        for name, value in summary.items()
    )
