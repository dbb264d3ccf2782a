"""docs/settings.md: every variable that a service or a command of `care` reads, from where it is declared."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from pydantic_settings import BaseSettings

from deploy.settings.words import allowed, default
from services.churn_predictor.settings import Settings as PredictorSettings
from services.cli.__main__ import care
from services.contracts import committed
from services.ingest.settings import Settings as IngestSettings
from services.kit.settings import (
    CommonSettings,
    FileUse,
    KafkaSecurity,
    environment_names,
    uses_of,
)
from services.metrics.settings import Settings as MetricsSettings
from services.outreach.api.settings import ApiSettings
from services.outreach.pages.settings import PagesSettings
from services.outreach.settings import Settings as OutreachSettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"

_HEAD = """# Settings

Made from the models in `services/*/settings.py` by `make settings`; do not edit it.

Every setting is a variable of the environment and is read once, when a process starts. A missing or wrong
one ends it with exit code 2 and one line that names it. A service needs no secret in its environment:
settings name files, and what such a file holds may be read again while the process runs:

* *secret*: mount it from where secrets are kept;
* *read again*: what the file says counts from then on, without a restart. A file without these words is
  read at the start.

`care run <service> --help` says the same of one service; `python -m deploy.kubernetes inspect` holds
manifests against it."""
_LIBRARIES = """## Read by libraries

| setting | what reads it |
| --- | --- |
| `PGSERVICEFILE` | libpq, for `DATABASE_URL=postgresql:///?service=care`: the file with host, user and \
password of the database ([secrets](deploy.md#secrets)). *secret*, *read again* for each new connection |
| `OTEL_…` | OpenTelemetry, with the extra `tracing` ([tracing.md](tracing.md)) |"""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what is said below it, and the settings that it lists."""

    title: str
    says: str
    settings: type[BaseSettings]
    beyond: type[BaseSettings] | None = None
    """Settings that another section lists."""

    @property
    def fields(self) -> list[str]:
        """The fields listed, in their order; those of every service come first in each."""
        listed = self.beyond.model_fields if self.beyond else {}
        return [name for name in self.settings.model_fields if name not in listed]


SECTIONS = (
    Section(
        "Kafka",
        "For every service and every command of `care` that speaks to Kafka ([security.md](security.md)).",
        KafkaSecurity,
    ),
    Section("Every service", "", CommonSettings, beyond=KafkaSecurity),
    Section("`ingest`", "", IngestSettings, beyond=CommonSettings),
    Section("`churn_predictor`", "", PredictorSettings, beyond=CommonSettings),
    Section("`outreach`", "", OutreachSettings, beyond=CommonSettings),
    Section(
        "`outreach`: the desk's API",
        "Read where its port is set ([outreach-api.md](outreach-api.md)).",
        ApiSettings,
    ),
    Section(
        "`outreach`: the customers' pages",
        "Read where their base URL is set ([customer-pages.md](customer-pages.md)).",
        PagesSettings,
    ),
    Section("`metrics`", "", MetricsSettings, beyond=CommonSettings),
)


def render() -> str:
    """Return the page as it is committed."""
    parts = [_HEAD, *map(_section, SECTIONS), _commands(), _LIBRARIES]
    return "\n\n".join(parts) + "\n"


def undescribed(sections: Iterable[Section] = SECTIONS) -> list[str]:
    """Return the settings of which nothing is said."""
    return [
        environment_names(section.settings, name)
        for section in sections
        for name in section.fields
        if not section.settings.model_fields[name].description
    ]


def drift() -> list[str]:
    """Return the page's name where the committed one differs, else nothing."""
    return committed.drift(PAGE, render())


def write() -> list[str]:
    """Make the committed page equal to the models; return its name if it changed."""
    return committed.write(PAGE, render())


def _section(section: Section) -> str:
    lines = [f"## {section.title}", ""]
    if section.says:
        lines += [section.says, ""]
    lines += ["| setting | may be | not set | what it does |", "| --- | --- | --- | --- |"]
    schema = section.settings.model_json_schema()
    parts = dict(zip(section.settings.model_fields, schema["properties"].values(), strict=True))
    for name in section.fields:
        field = section.settings.model_fields[name]
        cells = (
            f"`{environment_names(section.settings, name)}`",
            allowed(field, parts[name], schema),
            default(field),
            _said(field.description or "", uses_of(section.settings, name)),
        )
        lines.append(_row(cells))
    return "\n".join(lines)


def _said(description: str, uses: frozenset[FileUse]) -> str:
    words = [f"*{use.value}*" for use in FileUse if use in uses]
    return " ".join(" ".join([description, *([", ".join(words)] if words else [])]).split())


def _commands() -> str:
    """Return the variables that commands alone read, each with those commands."""
    listed = {environment_names(s.settings, name) for s in SECTIONS for name in s.fields}
    read: dict[str, dict[str, str]] = {}
    for command, option in options(care, ["care"]):
        if str(option.envvar) not in listed:
            read.setdefault(str(option.envvar), {})[command] = str(getattr(option, "help", ""))
    lines = [
        "## Commands of `care`",
        "",
        "Read by commands alone; what they share with the services is above. Options go before variables.",
        "",
        "| setting | command | what it is |",
        "| --- | --- | --- |",
    ]
    for name, commands in sorted(read.items()):
        words = " ".join(dict.fromkeys(commands.values()))
        lines.append(_row((f"`{name}`", ", ".join(f"`{each}`" for each in commands), words)))
    return "\n".join(lines)


def options(command: click.Command, path: list[str]) -> Iterator[tuple[str, click.Parameter]]:
    """Yield each option below a command that a variable can set, with the name of its command."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from options(found, [*path, name])
        return
    yield from ((" ".join(path), each) for each in command.params if each.envvar)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |".replace(
        "|  |", "| |"
    )
