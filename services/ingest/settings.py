"""Settings of ingest, from the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.contracts.envelope import TimeZone
from services.ingest.access.callers import Method
from services.ingest.access.tokens import ALGORITHMS
from services.ingest.adapters.shopify_terms import ParcelName
from services.ingest.reading import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from services.kit.settings import CommonSettings, FileUse

_METHODS = "|".join(method for method in Method if method is not Method.NONE)
_ALGORITHMS = "|".join(ALGORITHMS)


class Settings(CommonSettings):
    """What ingest can be told."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_prefix="CARE_INGEST_"
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=0, ge=0, le=65535, description="Port to listen on; 0: a free one, told in the log."
    )
    address_file: Path | None = Field(
        default=None, description="Where to write http://host:port once it listens."
    )
    max_in_flight_records: int = Field(
        default=10_000,
        ge=MAX_BATCH_EVENTS,
        description="Records sent and not yet acknowledged; beyond it publishers get 503.",
    )
    max_in_flight_bytes: int = Field(
        default=16 * 1024 * 1024,
        # A body and the records made of it are held side by side for a moment.
        ge=4 * MAX_BATCH_BYTES,
        description="Bytes of bodies being read and of records not yet acknowledged, together.",
    )
    acknowledgement_timeout_seconds: float = Field(
        default=10.0,
        gt=0,
        le=120,
        description="How long to wait for the broker before an event's outcome counts as unknown; "
        "the record stays under way and may still be written.",
    )
    body_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long a request's body may take to arrive."
    )
    retry_after_seconds: int = Field(
        default=1, ge=1, description="What `retry-after` says with a 503."
    )
    paused: bool = Field(
        default=False,
        description="Take nothing: live and ready, it answers publishers with 503 and never asks the "
        "broker. For a planned pause; it ends with the next start.",
    )
    paused_retry_after_seconds: int = Field(
        default=30, ge=1, description="What `retry-after` says while paused."
    )
    remembered_events: int = Field(
        default=100_000,
        ge=0,
        description="Events this replica remembers to tell a repeat from a new one, some 450 bytes "
        "each; 0: none, every repeat is published again.",
    )
    remembered_seconds: float = Field(
        default=3_600.0, gt=0, description="How long it remembers one at most."
    )
    lookback_seconds: float = Field(
        default=86_400.0,
        gt=0,
        description="How far back `GET /v1/events/{source}/{id}` looks where it is not told `since`.",
    )
    look_seconds: float = Field(
        default=10.0, ge=2, le=60, description="How long it may look at most."
    )
    look_records: int = Field(
        default=500_000, ge=1, description="How many records it may look at at most."
    )
    looks_at_once: int = Field(
        default=1,
        ge=0,
        description="How many such questions are answered at a time, each by a process of some 60 MB; "
        "beyond it they get 429. 0: none ever.",
    )
    drain_delay_seconds: float = Field(
        default=0.0,
        ge=0,
        description="After SIGTERM: how long it is not ready but still serves, so that whoever "
        "routes requests here can stop doing so.",
    )
    authentication: str = Field(
        default="api_keys",
        pattern=rf"^(none|({_METHODS})(,({_METHODS}))*)$",
        description="How publishers show who they are, separated by commas: `api_keys`, `oidc`, `webhooks`; "
        "or `none`: anybody may publish, which needs a loopback host or CARE_DEPLOYMENT=dev.",
    )
    api_keys_file: Annotated[Path | None, FileUse.SECRET, FileUse.REREAD] = Field(
        default=None,
        description="File with the hashes of the API keys, made with `care keys create`; read again when it "
        "changes.",
    )
    webhook_secrets_file: Annotated[Path | None, FileUse.SECRET, FileUse.REREAD] = Field(
        default=None,
        description="File with the publishers that sign what they send and their secrets; read again when it "
        "changes.",
    )
    oidc_issuer: str | None = Field(
        default=None, description="Whose tokens are believed: `iss`, exactly as it stands in them."
    )
    oidc_audience: str | None = Field(
        default=None, description="For whom tokens must be made: `aud`, or one of them."
    )
    oidc_algorithms: str = Field(
        default="RS256,ES256",
        pattern=rf"^({_ALGORITHMS})(,({_ALGORITHMS}))*$",
        description="With which tokens may be signed, separated by commas; those with a public key alone.",
    )
    oidc_jwks_url: str | None = Field(
        default=None,
        description="Where the issuer's keys are: `jwks_uri` of its /.well-known/openid-configuration.",
    )
    events_per_second: float = Field(
        default=1000.0,
        gt=0,
        le=1_000_000,
        description="How many events a client may publish through one replica, where its key says "
        "nothing else.",
    )
    burst: int = Field(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="How many it may publish at once, after a pause; likewise.",
    )
    counted_sources: str = Field(
        default="",
        pattern=r"^([^\s,]{1,256}(,[^\s,]{1,256})*)?$",
        description="Sources, or beginnings of them and a `*`, separated by commas, whose rejected events "
        "are counted by name; those in the scopes of keys and of signed webhooks' publishers are anyway.",
    )
    aftership_secret_file: Annotated[Path | None, FileUse.SECRET, FileUse.REREAD] = Field(
        default=None,
        description="File with the secret of AfterShip's webhooks, one a line, any is accepted, read "
        "again when it changes; without it /v1/webhooks/aftership is not there.",
    )
    aftership_customer_field: str = Field(
        default="customer_id",
        description="Custom field of a tracking that holds the customer's id.",
    )
    aftership_time_zone: TimeZone = Field(
        default="UTC", description="Zone of AfterShip's dates and times that come without one."
    )
    aftership_promises: str = Field(
        default="company,carrier,model",
        pattern=r"^((company|carrier|model)(,(company|carrier|model))*)?$",
        description="Whose delivery dates customers are told, separated by commas: the shop's own, the "
        "carrier's, AfterShip's prediction. A date nobody is told is no promise.",
    )
    shopify_secret_file: Annotated[Path | None, FileUse.SECRET, FileUse.REREAD] = Field(
        default=None,
        description="The same for Shopify: the client secret of the app, or the one that the "
        "notification settings show.",
    )
    shopify_customer_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._:~-]{0,32}$",
        description="Put before Shopify's customer id to give the customer's id.",
    )
    shopify_parcel_name: ParcelName = Field(
        default=ParcelName.TRACKING_NUMBER,
        description="What names a parcel: `tracking_number`, as the carrier does, or `fulfillment`, "
        "for shops whose parcels have no numbers.",
    )
    shopify_promise_attribute: str | None = Field(
        default=None,
        description="Order attribute (`note_attributes`) that holds the date promised at the checkout.",
    )
    shopify_time_zone: TimeZone = Field(default="UTC", description="Zone of that date.")
    chatwoot_secret_file: Annotated[Path | None, FileUse.SECRET, FileUse.REREAD] = Field(
        default=None, description="The same for Chatwoot: the secret of the webhook."
    )
    chatwoot_customer_attribute: str | None = Field(
        default=None,
        description="Custom attribute of a contact that holds the customer's id; without it the "
        "contact's identifier does.",
    )
    chatwoot_order_attribute: str = Field(
        default="order_id",
        description="Custom attribute of a conversation that holds the order's id, where it is known.",
    )
    chatwoot_reason_attribute: str = Field(
        default="reason",
        description="Custom attribute of a conversation that holds the reason, as our contract has "
        "it; else a label of that name.",
    )
