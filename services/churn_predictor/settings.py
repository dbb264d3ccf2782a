"""Settings of the predictor, from the environment."""

import os
from enum import StrEnum
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.kit.settings import CommonSettings, FileUse
from services.kit.stores import StoreKind

_MODELS = Path(__file__).parent / "models"


class HistoriesUse(StrEnum):
    """Whether histories of sellers, products, categories and lanes are told and asked."""

    AUTO = "auto"
    """Where the model looks at them."""
    ON = "on"
    OFF = "off"


class Settings(CommonSettings):
    """Where the broker is, how time comes, which model scores."""

    model_config = SettingsConfigDict(
        env_prefix="CARE_CHURN_PREDICTOR_", frozen=True, extra="ignore", populate_by_name=True
    )

    host: str = Field(default="127.0.0.1", description="Address for metrics and probes.")
    port: int = Field(
        default=0, ge=0, le=65535, description="Port for metrics and probes; 0: a free one."
    )
    address_file: Path | None = Field(
        default=None, description="File that is given the address once the service listens."
    )
    model: Path = Field(
        default=_MODELS / "complaint-risk.json",
        description="Scorecard file that gives the risk of a complaint.",
    )
    lapse_model: Path = Field(
        default=_MODELS / "lapse-risk.json",
        description="Scorecard file that gives the risk that a silent customer has left.",
    )
    tolerances: Path | None = Field(
        default=None,
        description="JSON file with other tolerances than the defaults of docs/expectations.md.",
    )
    histories: HistoriesUse = Field(
        default=HistoriesUse.AUTO,
        description="auto: tell and ask histories of sellers, products, categories and lanes where the "
        "model looks at them; on, some weeks before such a model comes, or it begins without memory; off.  "
        "What other workers tell is counted in any case.",
    )
    suppression_key_file: Annotated[Path | None, FileUse.SECRET] = Field(
        default=None,
        description="File with the keys, one a line, each of 32 characters or more, by which the ids of "
        "erased customers are hashed before they are remembered: the same for every worker, and for "
        "outreach.  The last is used and each is known again: append one to replace it.  Without one "
        "whoever reads the state can tell whether an id that they know was erased.",
    )
    folder: Path = Field(
        default=Path(gettempdir()) / f"care-churn-predictor-{os.getuid()}",
        description="This process' own folder: the store, and notes that find a record which ends "
        "the process.  Worth keeping over a restart; whatever is lost with it is read again.",
    )
    store: StoreKind = Field(
        default=StoreKind.MEMORY,
        description="memory, filled from the changelog at every start, or rocksdb, in the folder.",
    )
    session_seconds: float = Field(
        default=10.0, gt=1, description="Silence after which the group gives partitions to others."
    )
    member: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="This worker's own name in its group (`group.instance.id`), and no other's: it does not "
        "leave when it ends, and whoever joins under the name within a session has its partitions, "
        "without a rebalance. Not set: it leaves, and the others share its partitions at once.",
    )
    tick_seconds: float = Field(
        default=1.0,
        ge=1.0,
        description="How often time is told, where the clock is the machine's: at most once a second.",
    )
