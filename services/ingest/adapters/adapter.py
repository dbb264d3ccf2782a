"""The adapters there are, and the ones that this deployment has switched on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from services.contracts.deliveries import PromiseSource
from services.ingest.adapters import aftership, chatwoot, shopify, signatures
from services.ingest.adapters.findings import Finding, Headers
from services.ingest.adapters.shopify_terms import Options as ShopifyOptions
from services.ingest.adapters.signatures import Verify
from services.ingest.settings import Settings
from services.kit import secret_lines
from services.kit.watched_file import WatchedFile

MIN_LENGTH = 16
"""Characters of a secret; these systems make longer ones."""


class AdapterName(StrEnum):
    """The last part of a webhook's path."""

    AFTERSHIP = "aftership"
    SHOPIFY = "shopify"
    CHATWOOT = "chatwoot"


@dataclass(frozen=True, slots=True)
class Adapter:
    """One that is switched on."""

    name: AdapterName
    secrets: WatchedFile[tuple[str, ...]]
    verify: Verify
    read: Callable[[object, Headers], list[Finding]]


Adapters = Mapping[str, Adapter]
"""By name."""


def open_adapters(settings: Settings) -> Adapters:
    """Return those whose secret is set.

    Raises:
        Unavailable: a file of secrets cannot be used.
    """
    told = (
        _aftership(settings, settings.aftership_secret_file),
        _shopify(settings, settings.shopify_secret_file),
        _chatwoot(settings, settings.chatwoot_secret_file),
    )
    return {adapter.name: adapter for adapter in told if adapter is not None}


def _aftership(settings: Settings, path: Path | None) -> Adapter | None:
    promises = (PromiseSource(name) for name in settings.aftership_promises.split(",") if name)
    options = aftership.Options(
        customer_field=settings.aftership_customer_field,
        zone=ZoneInfo(settings.aftership_time_zone),
        promises=frozenset(promises),
    )
    read = partial(aftership.findings, options=options)
    return _adapter(AdapterName.AFTERSHIP, path, signatures.aftership, read)


def _shopify(settings: Settings, path: Path | None) -> Adapter | None:
    options = ShopifyOptions(
        customer_prefix=settings.shopify_customer_prefix,
        parcel_name=settings.shopify_parcel_name,
        promise_attribute=settings.shopify_promise_attribute,
        zone=ZoneInfo(settings.shopify_time_zone),
    )
    read = partial(shopify.findings, options=options)
    return _adapter(AdapterName.SHOPIFY, path, signatures.shopify, read)


def _chatwoot(settings: Settings, path: Path | None) -> Adapter | None:
    options = chatwoot.Options(
        customer_attribute=settings.chatwoot_customer_attribute,
        order_attribute=settings.chatwoot_order_attribute,
        reason_attribute=settings.chatwoot_reason_attribute,
    )
    read = partial(chatwoot.findings, options=options)
    return _adapter(AdapterName.CHATWOOT, path, signatures.chatwoot, read)


def _adapter(
    name: AdapterName,
    path: Path | None,
    verify: Verify,
    read: Callable[[object, Headers], list[Finding]],
) -> Adapter | None:
    if path is None:
        return None
    return Adapter(name, WatchedFile(path, read_secrets, f"{name}_secrets"), verify, read)


def read_secrets(path: Path) -> tuple[str, ...]:
    """Return the secrets in a file, one a line; any of them is accepted.

    Raises:
        Unavailable: it cannot be read, or holds none, or one that is too short.
    """
    return secret_lines.read_secrets(
        path,
        put="put the secret that signs the webhooks there, one a line",
        get="copy the one that the other system shows where its webhooks are set up",
        min_length=MIN_LENGTH,
    )
