"""`care run <service>`: the same as `python -m services.<service>`, with its settings in the help."""

import sys
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import click
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

import services
from services.cli.lazy import with_packages
from services.kit import exits
from services.kit.settings import environment_names

SERVICES = {
    "ingest": "Takes events over HTTP and puts them on the topics.",
    "churn_predictor": "Notices what was promised and does not happen.",
    "outreach": "Decides whether to write to a customer, and writes once.",
    "metrics": "Counts what the topics tell, for Prometheus.",
}
"""What each does, by package name."""


class ServiceCommand(click.Command):
    """Starts a service; its help lists the settings, read from its settings model."""

    def __init__(self, service: str, purpose: str) -> None:
        """Make the command for this package under `services`."""
        super().__init__(
            service,
            callback=lambda: start(service),
            help=f"{purpose}\n\nRuns until Ctrl-C or SIGTERM.  Settings come from the environment.",
            short_help=purpose,
            epilog=f"\b\nExample:\n  care run {service}",
        )
        self._service = service

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write click's options, then the settings."""
        super().format_options(ctx, formatter)
        settings: type[BaseSettings] = _module(self._service, "settings").Settings
        with formatter.section("Settings (environment)"):
            formatter.write_dl([_row(settings, *item) for item in settings.model_fields.items()])


@click.group()
def run() -> None:
    """Start one service in the foreground.

    \b
    Examples:
      care run ingest
      care run outreach --help
    """


for _name, _purpose in SERVICES.items():
    run.add_command(ServiceCommand(_name, _purpose))


def start(service: str) -> None:
    """Run the service until it ends; the process ends with the service's exit code."""
    main = _module(service, "__main__").main
    # What the service calls itself when it refuses to start.
    sys.argv = [f"care run {service}"]
    exits.run(main)


def _module(service: str, part: str) -> Any:
    extra = service.replace("_", "-")
    return with_packages(f"services.{service}.{part}", f"care run {service}", [extra])


def _row(settings: type[BaseSettings], name: str, field: FieldInfo) -> tuple[str, str]:
    default = field.get_default(call_default_factory=True, validated_data={})
    wanted = "required" if default is PydanticUndefined else f"default: {shown(default)}"
    words = f"{field.description or ''}  [{_kind(field.annotation)}; {wanted}]"
    return environment_names(settings, name), words.strip()


def _kind(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(str(member.value) for member in annotation)
    members = [member for member in get_args(annotation) if member is not NoneType]
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        return " or ".join(_kind(member) for member in members)
    return str(getattr(annotation, "__name__", annotation))


def shown(default: Any) -> str:
    """Return a setting's default, as it would be written; `none` where there is nothing."""
    if isinstance(default, Enum):
        return str(default.value)
    shipped = Path(services.__file__).parent
    if isinstance(default, Path) and default.is_relative_to(shipped):
        return f"the shipped {default.relative_to(shipped)}"
    return "none" if default in (None, "", (), []) else str(default)
