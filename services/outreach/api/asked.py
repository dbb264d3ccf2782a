"""What a caller may ask and say: queries and bodies, strict about what they do not know."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from services.contracts.envelope import CustomerId
from services.contracts.people import Channel
from services.contracts.problems import ProblemKind
from services.outreach.api.cursors import MAX_LENGTH
from services.outreach.api.views import Became, Need
from services.outreach.pauses import Scope, Target
from services.outreach.playbook import Name

MAX_LIMIT = 200
_LIMIT = 50

Words = Annotated[
    str,
    Field(
        min_length=1,
        max_length=300,
        pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
    ),
]
"""One line that says something."""

Person = Annotated[
    Words, Field(max_length=100, description="Who says so, as your people are known; recorded.")
]


class Asked(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PageAsked(Asked):
    """Which page of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = _LIMIT
    """Entries on one page."""
    cursor: Annotated[str, Field(max_length=MAX_LENGTH)] | None = None
    """`next_cursor` of the page before."""


class NeedAsked(PageAsked):
    """Which problems."""

    needs: Literal["person", "all"] = "person"
    """`person`: those that need one; `all`: every open one too."""
    reason: Need | None = None
    """Only those that need a person for this reason."""
    kind: ProblemKind | None = None
    """Only problems of this kind."""
    customer_id: CustomerId | None = None
    """Only this customer's."""


class HistoryAsked(Asked):
    """Which pauses."""

    history: bool = False
    """Also what was resumed since."""


class Saying(Asked):
    """A body that only says who."""

    by: Person


class Resolving(Saying):
    """What became of a send."""

    became: Became


class Approving(Saying):
    """How many more may go out."""

    contacts: Annotated[StrictInt, Field(ge=1, le=1_000_000)]


class Pausing(Saying):
    """What to pause, and why."""

    scope: Scope
    name: Name | None = None
    """Of the playbook or the channel; left out where all are meant."""
    because: Words
    """Why; recorded."""

    @model_validator(mode="after")
    def _names_what_it_means(self) -> Self:
        if (self.scope is Scope.ALL) != (self.name is None):
            raise ValueError("name says which playbook or channel, and is left out for all")
        if self.scope is Scope.CHANNEL and self.name not in set(Channel):
            raise ValueError(f"there are the channels {', '.join(Channel)}")
        return self

    @property
    def target(self) -> Target:
        """What is meant."""
        return Target(self.scope, self.name)
