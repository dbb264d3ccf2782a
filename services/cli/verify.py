"""`care verify`: everything recomputed from the topics, and what differs."""

import click

from services.cli import options
from services.cli.tolerances import tolerances as tolerances_option
from services.contracts.tolerances import Tolerances
from services.kit import kafka_security
from services.kit.exits import Unavailable
from services.kit.layouts import Layouts, layouts_of
from services.kit.settings import ClockSource
from services.verifier.topics import TopicsMissing
from services.verifier.verify import CLASSES, Unreachable, Verdict, read
from services.verifier.verify import verify as judge

EXIT_FOUND = 1
_SHOWN = 5


@click.command()
@options.bootstrap
@options.partitions
@options.prefix
@click.option(
    "--clock",
    envvar="CARE_CLOCK",
    type=click.Choice([source.value for source in ClockSource]),
    default=ClockSource.SYSTEM.value,
    show_default=True,
    show_envvar=True,
    help="As the services have it; with `ticks` everything is checked to the tick.",
)
@tolerances_option
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=_SHOWN,
    show_default=True,
    help="Findings shown of each class.",
)
@options.as_json
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    bootstrap: str,
    partitions: int,
    prefix: str,
    clock: str,
    tolerances: Tolerances | None,
    show: int,
    as_json: bool,
) -> None:
    """Recompute facts, problems and counts from the topics, and say what differs.

    Reads the topics of a deployment at rest and writes nothing.  It shares no code with the services:
    what they promise is computed anew, in another way.  Findings name customers by their pseudonymous
    ids, topics, partitions, offsets and event ids, never what is personal.

    \b
    Exit codes: 0 nothing differs, 1 something does, 2 the file holds no tolerances, 75 Kafka or a topic
    is not there, or the deployment was moved to more partitions.

    \b
    Examples:
      care verify --partitions 12
      care verify --clock ticks --prefix demo-1a2b3c- --partitions 4
      care verify --tolerances tolerances.json --show 20
      care verify --json | jq '.lost, .problems_missing'
    """
    try:
        evidence = read(
            bootstrap,
            prefix=prefix,
            partitions=partitions,
            connecting=kafka_security.kafka_python(bootstrap),
        )
    except TopicsMissing as error:
        raise Unavailable(f"{error}{kafka_security.unseen()}") from error
    except Unreachable as error:
        raise Unavailable(str(error)) from error
    _refuse_moved(layouts_of(bootstrap, prefix=prefix, partitions=partitions))
    verdict = judge(evidence, lockstep=clock == ClockSource.TICKS, tolerances=tolerances)
    if as_json:
        click.echo(verdict.model_dump_json(indent=2))
    else:
        _tell(verdict, show)
    ctx.exit(0 if verdict.is_good else EXIT_FOUND)


def _refuse_moved(told: Layouts) -> None:
    """End where a story may lie in two partitions: it would be found torn where it is not."""
    if len(told) > 1:
        raise Unavailable(
            f"this deployment was moved from {told[-2]} to {told[-1]} partitions: stories that lie in two "
            "of them cannot be recomputed here, and `care partitions move` has checked what it moved"
        )


def _tell(verdict: Verdict, show: int) -> None:
    for name, count in verdict.counts.items():
        click.echo(f"{name.replace('_', ' '):<20} {count:>10,}")
    click.echo()
    for name in CLASSES:
        _tell_class(name, getattr(verdict, name), show)
    click.echo(f"\nfacts      {verdict.facts_digest}\nrecomputed {verdict.recomputed_digest}")
    _tell_list("checked", verdict.checked)
    _tell_list("not checked", verdict.not_checked)
    good = "nothing differs" if verdict.is_good else "something differs: see above"
    click.echo(f"\n{good}")


def _tell_class(name: str, found: tuple[str, ...], show: int) -> None:
    click.echo(f"{name.replace('_', ' '):<20} {len(found):>10,}")
    for finding in found[:show]:
        click.echo(f"    {finding}")
    if len(found) > show > 0:
        click.echo(f"    … and {len(found) - show:,} more")


def _tell_list(title: str, lines: tuple[str, ...]) -> None:
    click.echo(f"\n{title}:")
    for line in lines:
        click.echo(f"  {line}")
