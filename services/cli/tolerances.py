"""The tolerances of a deployment, as an option."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from services.contracts.tolerances import Tolerances, UnusableTolerances, read_tolerances

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class TolerancesFile(click.ParamType):
    """A JSON file of tolerances, as the predictor reads it."""

    name = "file"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Tolerances:
        """Return what the file says; a usage error, with every fault, where it says none."""
        if isinstance(value, Tolerances):
            return value
        try:
            return read_tolerances(Path(str(value)).read_bytes())
        except OSError as error:
            self.fail(f"{value} cannot be read: {error.strerror}", param, ctx)
        except UnusableTolerances as error:
            self.fail(f"{value} holds no tolerances: {error}", param, ctx)


tolerances: Decorator = click.option(
    "--tolerances",
    type=TolerancesFile(),
    metavar="FILE",
    help="JSON of what the deployment tolerates; without it the defaults.",
)
