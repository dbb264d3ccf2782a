"""`care playbook`: what playbooks there are, what they would write, and what is wrong with them."""

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
from jinja2 import FileSystemLoader

from services.cli import options
from services.contracts.outreach import Mode
from services.contracts.problems import Actor, Clearing, Tier
from services.kit.exits import EXIT_USAGE, leave
from services.kit.plurals import counted
from services.outreach.messages import LANGUAGES, Templates, Text, WrongTemplate, samples
from services.outreach.pages.settings import wanted as pages_wanted
from services.outreach.playbook import Catalogue, Playbook, WrongPlaybook, catalogue_of, parse
from services.outreach.playbook_schema import schema_text
from services.outreach.review import Fault, review
from services.outreach.settings import Settings

EXIT_FOUND = 1
_SHIPPED: Path = Settings.model_fields["playbooks"].default
_SHIPPED_TEMPLATES: Path = Settings.model_fields["templates"].default
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

_playbooks = click.option(
    "--playbooks", "folder", envvar="CARE_OUTREACH_PLAYBOOKS", type=_FOLDER, default=_SHIPPED,
    show_default="the shipped ones", show_envvar=True, metavar="FOLDER",
    help="Where the playbooks are.",
)  # fmt: skip
_templates = click.option(
    "--templates", envvar="CARE_OUTREACH_TEMPLATES", type=_FOLDER, default=_SHIPPED_TEMPLATES,
    show_default="the shipped ones", show_envvar=True, metavar="FOLDER",
    help="Where their templates are.",
)  # fmt: skip


@click.group()
def playbook() -> None:
    """Check, list and show playbooks: when outreach writes, and what.

    How to write one: docs/playbooks.md.

    \b
    Examples:
      care playbook list
      care playbook show delivery_late --language de
      care playbook check my/playbooks --templates my/templates
    """


@playbook.command()
@click.argument("folder", envvar="CARE_OUTREACH_PLAYBOOKS", type=_FOLDER, default=_SHIPPED)
@_templates
@options.as_json
@click.pass_context
def check(ctx: click.Context, folder: Path, templates: Path, as_json: bool) -> None:
    """Say everything that is wrong with the playbooks in FOLDER and their templates.

    FOLDER is by default the one outreach would use: CARE_OUTREACH_PLAYBOOKS, or the shipped ones.
    Templates are rendered in every language, with all and with the least that problems of the playbook's
    kind tell, and must not offer anything unless the class is promotional.

    \b
    Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage or no playbook there.

    \b
    Examples:
      care playbook check
      care playbook check my/playbooks --templates my/templates
      care playbook check my/playbooks --json | jq -r '.faults[].file'
    """
    files = {path.name: path.read_bytes() for path in _files(folder)}
    faults = review(files, Templates(FileSystemLoader(templates)))
    if as_json:
        told = {"playbooks": len(files), "faults": [asdict(fault) for fault in faults]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for fault in faults:
            click.echo(_in_words(fault, templates if fault.is_template else folder))
        click.echo(counted(len(files), "playbook") + f", {counted(len(faults), 'fault')}")
        for name in _asking_nobody(files):
            click.echo(
                f"note: {name} asks a survey, which needs CARE_OUTREACH_PAGES_BASE_URL to be sent"
            )
    ctx.exit(EXIT_FOUND if faults else 0)


@playbook.command("list")
@_playbooks
@options.as_json
def list_(folder: Path, as_json: bool) -> None:
    """List the playbooks: mode, class, and what makes each due.

    \b
    Examples:
      care playbook list
      care playbook list --json | jq -r '.[] | select(.mode == "live") | .name'
    """
    playbooks = _catalogue(folder).values()
    if as_json:
        rows = [each.model_dump(mode="json", exclude_none=True) for each in playbooks]
        click.echo(json.dumps([_sorted(row) for row in rows], indent=2))
        return
    click.echo(f"{'NAME':<24} {'VERSION':>7}  {'MODE':<7} {'CLASS':<12} DUE")
    for each in playbooks:
        click.echo(
            f"{each.name:<24} {each.version:>7}  {each.mode:<7} {each.message_class:<12} {_due(each)}"
        )


@playbook.command()
@click.argument("name")
@click.option(
    "--language", type=click.Choice(LANGUAGES), default=LANGUAGES[0], show_default=True,
    help="Which of the languages.",
)  # fmt: skip
@click.option(
    "--least",
    is_flag=True,
    help="With the least that its problems tell: no name, perhaps no order.",
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the HTML part there too, to look at in a browser.",
)  # fmt: skip
@_playbooks
@_templates
@options.as_json
def show(
    *,
    name: str,
    language: str,
    least: bool,
    html: Path | None,
    folder: Path,
    templates: Path,
    as_json: bool,
) -> None:
    """Show what the playbook NAME writes, with sample values.

    \b
    Examples:
      care playbook show delivery_late
      care playbook show contact_unanswered --language pt --least
      care playbook show refund_overdue --html refund.html
    """
    wanted = _named(name, _catalogue(folder))
    texts = _rendered(wanted, language, templates, least=least)
    if html is not None:
        html.write_text("\n".join(text.html for text in texts.values()), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(_shown(wanted, language, texts), indent=2, ensure_ascii=False))
        return
    click.echo(f"{wanted.name} version {wanted.version}, {wanted.mode}, {wanted.message_class}")
    click.echo(f"due: {_due(wanted)}")
    for step, text in texts.items():
        click.echo(f"\nstep {step}\nSubject: {text.subject}\n\n{text.plain}")


@playbook.command()
def schema() -> None:
    """Print the JSON Schema of a playbook, for editors.

    \b
    Example:
      care playbook schema > my/playbooks/schema.json
    """
    click.echo(schema_text(), nl=False)


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.yaml"))
    if not files:
        leave(f"no playbook (*.yaml) in {folder}: name the folder they are in", EXIT_USAGE)
    return files


def _asking_nobody(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the sound playbooks that would send a survey nobody could answer with these settings."""
    if pages_wanted(os.environ):
        return
    for name, raw in files.items():
        with suppress(WrongPlaybook, ValueError):
            found = parse(raw.decode(), name)
            if found.mode is not Mode.SHADOW and any(step.survey for step in found.steps):
                yield found.name


def _catalogue(folder: Path) -> Catalogue:
    try:
        texts = ((path.name, path.read_text(encoding="utf-8")) for path in _files(folder))
        return catalogue_of(parse(text, name) for name, text in texts)
    except (WrongPlaybook, ValueError) as error:  # The latter: no UTF-8, a date on no calendar.
        leave(f"{error}; `care playbook check {folder}` says everything", EXIT_FOUND)


def _named(name: str, catalogue: Catalogue) -> Playbook:
    if name not in catalogue:
        raise click.UsageError(f"there is no playbook {name}: there are {', '.join(catalogue)}")
    return catalogue[name]


def _rendered(wanted: Playbook, language: str, folder: Path, *, least: bool) -> Mapping[str, Text]:
    """Return step → message."""
    templates = Templates(FileSystemLoader(folder))
    kind = wanted.trigger.kind
    try:
        return {
            step.name: templates.render(
                step.template, samples(kind, language, asks=step.survey is not None)[least]
            )
            for step in wanted.steps
            if step.template is not None
        }
    except WrongTemplate as error:
        leave(f"{error}; `care playbook check` says everything", EXIT_FOUND)


def _shown(wanted: Playbook, language: str, texts: Mapping[str, Text]) -> dict[str, Any]:
    return {
        "playbook": wanted.name,
        "version": wanted.version,
        "mode": wanted.mode,
        "message_class": wanted.message_class,
        "language": language,
        "messages": [
            {"step": step, "subject": text.subject, "text": text.plain, "html": text.html}
            for step, text in texts.items()
        ],
    }


def _due(each: Playbook) -> str:
    """Return its trigger in words."""
    return " ".join(_due_words(each))


def _due_words(each: Playbook) -> Iterator[str]:
    trigger = each.trigger
    yield f"{trigger.kind}: {_any_of(Tier, trigger.tiers)}"
    if trigger.cleared is not None:
        yield f"and then {_any_of(Clearing, trigger.cleared)}"
    if trigger.told:
        yield "where we told of it"
    if trigger.actors is not None:
        yield f"if {_any_of(Actor, trigger.actors)} can act"
    if trigger.minimum_complaint_risk is not None:
        yield f"from a complaint risk of {trigger.minimum_complaint_risk}"


def _any_of(every: Iterable[StrEnum], chosen: Collection[StrEnum]) -> str:
    return " or ".join(word for word in every if word in chosen)


def _sorted(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its sets in an order that does not change from call to call."""
    trigger = {k: sorted(v) if isinstance(v, list) else v for k, v in row["trigger"].items()}
    return row | {"trigger": trigger}


def _in_words(fault: Fault, folder: Path) -> str:
    line = "" if fault.line is None else f":{fault.line}"
    return f"{folder / fault.file}{line}: {fault.place}: {fault.what}"
