"""`care reconcile`: after a restore, the database is brought up to what was said, and sending goes on."""

import json
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import click
from rich.console import Console
from sqlalchemy import Engine

from services.cli import on_database, options
from services.cli.deployment import Place, telling_of
from services.cli.options import Decorator
from services.cli.progress import telling
from services.contracts.topics import OUTREACH, PROBLEMS
from services.kit import logs
from services.kit.clock import SystemClock, monotonic
from services.kit.exits import Unavailable
from services.kit.plurals import counted
from services.kit.progress import Tell
from services.kit.settings import ClockSource
from services.outreach import reconciliation
from services.outreach.comparison import Comparison, SaidTopic
from services.outreach.database import open_engine, reaching
from services.outreach.erasure import keys_for
from services.outreach.findings import NOT_ON_TOPICS, Findings
from services.outreach.migrate import check
from services.outreach.playbook import Catalogue, WrongPlaybook
from services.outreach.replaying import Replaying
from services.outreach.rereading import ends_of, unread
from services.outreach.settings import Settings
from services.outreach.worker import load_playbooks

_PATIENCE_SECONDS = 60.0
"""Without any source being read any further."""
_LOOK_EVERY_SECONDS = 0.5
_APPLICATION = "care-reconcile"
_SHIPPED: Path = Settings.model_fields["playbooks"].default

_playbooks: Decorator = click.option(
    "--playbooks",
    "folder",
    envvar="CARE_OUTREACH_PLAYBOOKS",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=_SHIPPED,
    show_envvar=True,
    help="Those that outreach uses: they say what follows, and how long a message is good for.",
)


_key_file: Decorator = click.option(
    "--suppression-key-file",
    "key_file",
    envvar="CARE_OUTREACH_SUPPRESSION_KEY_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    show_envvar=True,
    help="That of outreach: who was erased stays so.",
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for on the command line."""

    database_url: str
    bootstrap: str
    prefix: str
    partitions: int
    folder: Path
    key_file: Path | None
    clock: str
    by: str
    dry_run: bool
    as_json: bool


@click.command()
@on_database.database_url
@options.bootstrap
@options.prefix
@options.partitions
@_playbooks
@_key_file
@options.clock
@on_database.by
@click.option("--dry-run", is_flag=True, help="Show what would be found, and change nothing.")
@options.as_json
def reconcile(**options: Any) -> None:
    """Bring a restored database up to what outreach has said, and let it decide and send again.

    Reads the topic outreach from where the database knows it to its end.  What was started and has no
    outcome becomes unknown, and is not sent again.  It waits until outreach, which is to run meanwhile,
    has read again what came since the backup.  It may be interrupted and run again.

    \b
    Examples:
      care reconcile --dry-run
      care reconcile --by ada
      care reconcile --json | jq .unknown
    """
    choice = Choice(**options)
    engine = open_engine(choice.database_url, _APPLICATION)
    try:
        check(engine)
        with reaching(engine):
            found = _reconcile(engine, choice)
    finally:
        engine.dispose()
    if found is None:
        _nothing_to_do(choice.as_json)
    else:
        _show(found, dry_run=choice.dry_run, as_json=choice.as_json)


def _reconcile(engine: Engine, choice: Choice) -> Findings | None:
    """Return what was found; None: the database knows all that was said."""
    where = (choice.bootstrap, choice.prefix, choice.partitions)
    topic = SaidTopic(*where)
    if not choice.dry_run and not _is_behind(engine, topic):
        return None
    work = Replaying(
        engine,
        topic,
        _catalogue(choice.folder),
        keys_for(engine, choice.key_file),
        is_trial=choice.dry_run,
    )
    with telling(Console(stderr=True)) as tell:
        if not choice.dry_run and choice.clock == ClockSource.SYSTEM.value:
            _wait_until_reread(engine, topic, tell)
        return work.run(
            choice.by,
            Place(*where).latest_tick() or SystemClock().now(),
            {each.name: telling_of(each, tell) for each in (PROBLEMS, OUTREACH)},
        )


def _wait_until_reread(engine: Engine, topic: SaidTopic, tell: Tell) -> None:
    """Return once outreach has applied what lies on its sources now.

    Raises:
        Unavailable: nobody reads them.
    """
    ends, reached, give_up = ends_of(topic), -1, 0.0
    while (left := unread(engine, topic, ends)).sources:
        if left.reached != reached:
            reached, give_up = left.reached, monotonic() + _PATIENCE_SECONDS
        elif monotonic() > give_up:
            names = ", ".join(left.sources)
            raise Unavailable(f"nobody reads {names}: start outreach, and run this again beside it")
        tell("waiting until outreach has read again what came since the backup")
        Event().wait(_LOOK_EVERY_SECONDS)


def _is_behind(engine: Engine, topic: SaidTopic) -> bool:
    with engine.connect() as connection:
        if reconciliation.is_needed(connection):
            return True
    return Comparison(engine, topic, logs.get(_APPLICATION)).find() is not None


def _catalogue(folder: Path) -> Catalogue:
    try:
        return load_playbooks(folder)
    except (WrongPlaybook, ValueError) as error:
        raise click.UsageError(f"{error}; `care playbook check {folder}` says everything") from None


def _nothing_to_do(as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"reconciled": False, **Findings().as_object()}))
    else:
        click.echo("nothing to reconcile: the database knows all that was said")


def _show(found: Findings, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"reconciled": not dry_run, **found.as_object()}))
        return
    for line in _lines(found):
        click.echo(line)
    click.echo(
        "nothing was changed: without --dry-run outreach decides and sends again afterwards"
        if dry_run
        else "reconciled: outreach decides and sends again"
    )


def _lines(found: Findings) -> list[str]:
    told = found.as_object()
    span = f", from {told['first']} to {told['last']}" if told["first"] else ""
    lines = [
        f"{counted(found.read_events, 'event')} of outreach read, {found.learnt.total():,} not known{span}",
        *(f"  {count:>9,}  {kind}" for kind, count in told["learnt"].items()),
        f"{counted(len(found.sends), 'send stands', 'sends stand')} elsewhere than the database knew:",
        *(f"  {count:>9,}  {state}" for state, count in told["sends"].items()),
    ]
    if found.without_problem or found.without_decision:
        lines.append(
            f"passed over: {counted(found.without_problem, 'event')} about problems that no topic tells of, "
            f"{found.without_decision:,} of sends whose decision is gone; their steps are settled"
        )
    if found.doubtful:
        lines.append("unknown: may have left, are not sent again, and want somebody to look:")
        lines += [f"  {step}" for step in found.doubtful]
    return [*lines, "not on any topic:", *(f"  {each}" for each in NOT_ON_TOPICS)]
