"""What the programs in the containers read from their environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click
from pydantic_settings import BaseSettings

from services.churn_predictor.settings import Settings as PredictorSettings
from services.cli import waiting
from services.cli.backfill import backfill
from services.cli.db import upgrade
from services.cli.erase import erase
from services.cli.export import export
from services.cli.partitions import move
from services.cli.recount import recount
from services.cli.topics import apply
from services.cli.verify import verify
from services.cli.why import why
from services.ingest.settings import Settings as IngestSettings
from services.kit.settings import FileUse, KafkaSecurity, environment_names, uses_of
from services.metrics.settings import Settings as MetricsSettings
from services.outreach.api import settings as api
from services.outreach.pages import settings as pages
from services.outreach.settings import Settings as OutreachSettings
from services.why.models import NAMED_BY

LIBPQ_SERVICES = "PGSERVICEFILE"
"""Where libpq finds the hosts, users and passwords that a URL calls by a name."""


def _always(_: Mapping[str, str]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Part:
    """Settings that are read together, and when they are."""

    settings: type[BaseSettings]
    is_wanted: Callable[[Mapping[str, str]], bool] = _always

    @property
    def names(self) -> dict[str, str]:
        """Variable → the field it sets."""
        return {environment_names(self.settings, each): each for each in self.settings.model_fields}

    @property
    def required(self) -> frozenset[str]:
        """The variables without which it does not start."""
        fields = self.settings.model_fields
        return frozenset(name for name, each in self.names.items() if fields[each].is_required())

    @property
    def paths(self) -> frozenset[str]:
        """The variables that name a file or a folder."""
        fields = self.settings.model_fields
        return frozenset(
            name
            for name, each in self.names.items()
            if fields[each].annotation is Path or Path in get_args(fields[each].annotation)
        )

    @property
    def secrets(self) -> frozenset[str]:
        """The variables that name a file in which something is secret."""
        return frozenset(
            name
            for name, each in self.names.items()
            if FileUse.SECRET in uses_of(self.settings, each)
        )


@dataclass(frozen=True, slots=True)
class Program:
    """What a container runs."""

    parts: tuple[Part, ...] = ()
    commands: tuple[click.Command, ...] = ()
    beside: frozenset[str] = frozenset()
    """Variables that are read in another way, as by a library."""

    @property
    def _options(self) -> list[click.Parameter]:
        return [each for command in self.commands for each in command.params]

    @property
    def known(self) -> frozenset[str]:
        """The variables that it reads."""
        read = {str(each.envvar) for each in self._options if each.envvar}
        return self.beside.union(read, *(part.names for part in self.parts))

    def required(self, environment: Mapping[str, str]) -> frozenset[str]:
        """Return the variables that it cannot do without, where the others are these."""
        asked = {str(each.envvar) for each in self._options if each.envvar and each.required}
        wanted = (part.required for part in self.parts if part.is_wanted(environment))
        return frozenset(asked).union(*wanted)

    @property
    def paths(self) -> frozenset[str]:
        """The variables that name a file or a folder."""
        return (self.beside & {LIBPQ_SERVICES}).union(*(part.paths for part in self.parts))

    @property
    def secrets(self) -> frozenset[str]:
        """The variables that name a file in which something is secret."""
        return (self.beside & {LIBPQ_SERVICES}).union(*(part.secrets for part in self.parts))


_DATABASE = frozenset({LIBPQ_SERVICES})
TYPED: tuple[click.Command, ...] = (backfill, erase, export, move, recount, verify, why)
"""Commands for whose sake there are tools: services' own Kafka users may not do what they do."""

PROGRAMS: Mapping[tuple[str, ...], Program] = {
    ("run", "ingest"): Program((Part(IngestSettings),)),
    ("run", "churn_predictor"): Program((Part(PredictorSettings),)),
    ("run", "outreach"): Program(
        (
            Part(OutreachSettings),
            Part(api.ApiSettings, api.wanted),
            Part(pages.PagesSettings, pages.wanted),
        ),
        beside=_DATABASE,
    ),
    ("run", "metrics"): Program((Part(MetricsSettings),)),
    ("topics", "apply"): Program((Part(KafkaSecurity),), commands=(apply,)),
    ("-m", waiting.__name__): Program(
        (Part(KafkaSecurity),), commands=TYPED, beside=_DATABASE.union(NAMED_BY)
    ),
    ("db", "upgrade"): Program(commands=(upgrade,), beside=_DATABASE),
}
"""By the container's arguments."""
