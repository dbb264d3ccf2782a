"""`care why`: one customer's story, every assessment in it made again."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timezone
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import click

from services.cli import options
from services.cli.customer import Customer
from services.cli.instants import Instant, Zone
from services.kit.clock import monotonic
from services.why.models import NAMED_BY, Models, read_models
from services.why.page import as_object, page
from services.why.records import read_customer, read_names
from services.why.said import Teller
from services.why.story import TOPICS, Found, Story, tell
from services.why.times import Times

EXIT_FOUND = 1
_PROGRESS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for."""

    customer: str
    at: datetime | None
    problem_id: UUID | None
    zone: ZoneInfo | timezone
    models: tuple[Path, ...]
    bootstrap: str
    partitions: int
    prefix: str
    as_json: bool

    @property
    def until(self) -> datetime | None:
        """Up to when to tell; None: to the end."""
        at = self.at
        return at.replace(tzinfo=self.zone) if at is not None and at.tzinfo is None else at


@click.command()
@click.argument("customer", type=Customer())
@click.option(
    "--at",
    type=Instant(),
    help="Leave out what happened or was said later; ISO 8601, by default in --zone.",
)
@click.option(
    "--problem", "problem_id", type=click.UUID, help="Only what has to do with this problem."
)
@click.option(
    "--zone", type=Zone(), default=UTC,
    help="Tell times in this zone, as Europe/Berlin.  [default: UTC]",
)  # fmt: skip
@click.option(
    "--models",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    metavar="FOLDER",
    help="Another folder with model files (*.json).  May be repeated.",
)
@options.bootstrap
@options.partitions
@options.prefix
@options.as_json
@click.pass_context
def why(ctx: click.Context, /, **options: Any) -> None:
    """Say why CUSTOMER was, or was not, contacted.

    Tells in time order what happened, what was expected, what went wrong and on what evidence, each
    risk with its reasons, each decision with the gate that said no, and each contact.

    Every score is made again from what its record holds and compared with it, byte for byte.  Feature
    values, the band before and the digest of the facts are taken from the record, not made again from
    events; model, points, probability and band are.  The model is looked for by its digest among the
    shipped ones, in the folders of the files that CARE_CHURN_PREDICTOR_MODEL and
    CARE_CHURN_PREDICTOR_LAPSE_MODEL name, where `care train` keeps older ones, and in --models.

    Who was merged with others is told of under all these ids.  Reads their partitions, and all that was
    said of merges, and writes nothing.  What its topics hold no more cannot be told:
    events from outside are kept 30 days, what the services said 400.

    \b
    Exit codes: 0 every assessment is the same (also where nothing is recorded about the customer),
    1 one differs, cannot be read, or its model file is not at hand, 2 wrong usage,
    75 Kafka or a topic is not there.

    \b
    Examples:
      care why c-48213
      care why c-48213 --at 2026-03-12T09:00 --zone Europe/Berlin
      care why c-48213 --problem 0c2f8f0e-3c0a-5d0f-9c55-6f1f6f4f6c11
      care why c-48213 --models ~/old-models
      care why c-48213 --json | jq '.entries[] | select(.rerun.outcome == "differs")'
    """
    choice = Choice(**options)
    known = _models(choice.models)
    story = tell(
        choice.customer, _read(choice), known.usable, at=choice.until, problem_id=choice.problem_id
    )
    teller = Teller(story, Times(choice.zone), known.refused)
    if choice.as_json:
        click.echo(json.dumps(as_object(teller), indent=2))
    elif story.entries or story.unreadable:
        click.echo("\n".join(page(teller)))
    if not story.entries:
        click.echo(_nothing(story, choice.problem_id), err=True)
    ctx.exit(0 if story.is_good else EXIT_FOUND)


def _read(choice: Choice) -> Iterator[Found]:
    """Yield the records of the customer, under whichever ids they are known."""
    place: dict[str, Any] = {"prefix": choice.prefix, "partitions": choice.partitions}
    progress = _progress()
    ids = read_names(choice.bootstrap, customer_id=choice.customer, progress=progress, **place)
    for name in ids:
        yield from read_customer(
            choice.bootstrap, customer_id=name, wanted=TOPICS, progress=progress, **place
        )


def _models(folders: Sequence[Path]) -> Models:
    try:
        return read_models((*_in_use(), *folders))
    except OSError as error:
        raise click.UsageError(f"cannot read models: {error.filename}: {error.strerror}") from error


def _in_use() -> Iterator[Path]:
    """Yield the folders of the models that this environment's predictor scores with."""
    for setting in NAMED_BY:
        if named := os.environ.get(setting):
            yield Path(named).parent


def _nothing(story: Story, problem_id: UUID | None) -> str:
    if problem_id is not None and story.happened:
        return f"nothing is recorded about problem {problem_id} of this customer"
    return (
        f"nothing is recorded about customer {story.customer_id}: is the id right, and has "
        "retention left anything?"
    )


def _progress() -> Callable[[str, int, int], None]:
    """Return a listener that tells on stderr how far reading is, where it takes long."""
    told = monotonic()

    def progress(topic: str, done: int, total: int) -> None:
        nonlocal told
        if monotonic() - told > _PROGRESS_SECONDS:
            told = monotonic()
            click.echo(f"reading {topic}: {done:,} of {total:,}", err=True)

    return progress
