"""The file of publishers that sign what they send: JSON, mounted as a platform mounts secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.ingest.access import seals
from services.ingest.access.rates import Rate
from services.kit.exits import Unavailable
from services.kit.key_file import Burst, ClientName, EventsPerSecond, Scope
from services.kit.watched_file import UnreadableFile, WatchedFile, faults_of, read_text


def _is_secret(text: str) -> str:
    seals.key_of(text)
    return text


class _Publisher(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    client: ClientName
    secrets: Annotated[
        tuple[Annotated[str, AfterValidator(_is_secret)], ...], Field(min_length=1, max_length=2)
    ]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    events_per_second: EventsPerSecond | None = None
    burst: Burst | None = None


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    publishers: tuple[_Publisher, ...]

    @model_validator(mode="after")
    def _clients_differ(self) -> "_Document":
        if len({each.client for each in self.publishers}) < len(self.publishers):
            raise ValueError("two publishers have the same client")
        return self

    @model_validator(mode="after")
    def _secrets_differ(self) -> "_Document":
        # Who has one could sign as the other: the client is named in the address, which nobody signs.
        whose: dict[bytes, str] = {}
        for each in self.publishers:
            for secret in map(seals.key_of, each.secrets):
                other = whose.setdefault(secret, each.client)
                if other != each.client:
                    raise ValueError(
                        f"{other} and {each.client} have the same secret, so each could sign as the "
                        "other: give each its own"
                    )
        return self


@dataclass(frozen=True, slots=True)
class Signer:
    """A publisher that signs what it sends."""

    client: str
    secrets: tuple[bytes, ...]
    """The one in use, and the one that is about to replace it."""
    scopes: tuple[str, ...]
    rate: Rate


Signers = Mapping[str, Signer]
"""By client."""


def read(path: Path, usual: Rate) -> Signers:
    """Return the publishers in this file.

    Args:
        path: The file.
        usual: The rate of who has none of its own.

    Raises:
        Unavailable: it cannot be read, or is no file of publishers; no secret is in the message.
    """
    try:
        document = _Document.model_validate_json(read_text(path))
    except UnreadableFile as error:
        raise Unavailable(f"{path} {error.reason}: put the webhooks' secrets there") from None
    except ValidationError as error:
        raise Unavailable(f"{path} is no file of publishers: {faults_of(error)}: mend it") from None
    return {each.client: _signer(each, usual) for each in document.publishers}


def watched(path: Path, usual: Rate) -> WatchedFile[Signers]:
    """Return the publishers in this file, whatever they are by then; see `read`."""
    return WatchedFile(path, lambda path: read(path, usual), "webhook_secrets")


def _signer(told: _Publisher, usual: Rate) -> Signer:
    rate = Rate(told.events_per_second or usual.events_per_second, told.burst or usual.burst)
    return Signer(told.client, tuple(map(seals.key_of, told.secrets)), told.scopes, rate)
