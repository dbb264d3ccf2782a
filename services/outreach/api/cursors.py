"""Where a page of a list ended, as a text that a caller hands back.  Pure."""

import base64
import binascii
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from services.outreach.api.faults import Error, Kind

MAX_LENGTH = 2500
"""Characters of a cursor; ids may take four bytes a letter."""


class WrongCursor(Exception):
    """The text is no cursor of this list."""

    kind = Kind.INVALID
    errors = (
        Error(
            pointer="/query/cursor",
            code="cursor",
            detail="send the `next_cursor` of the page before, or leave it out",
        ),
    )


class Cursor(BaseModel):
    """What the last entry of a page is put in order by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """Return the cursor in this text, or None where there is none.

        Raises:
            WrongCursor: it is none of this list's.
        """
        if text is None:
            return None
        try:
            raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
            return cls.model_validate_json(raw)
        except (binascii.Error, ValidationError, UnicodeError):
            raise WrongCursor from None

    def text(self) -> str:
        """Return it as the caller hands it back."""
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).decode()


class WorthCursor(Cursor):
    """Of the list of problems."""

    value: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
    opened_at: AwareDatetime
    problem_id: UUID


class TimelineCursor(Cursor):
    """Of a customer's timeline."""

    at: AwareDatetime
    rank: Annotated[int, Field(ge=0, le=99)]
    id: Annotated[str, Field(max_length=420, pattern=r"^[^\x00]*$")]

    @property
    def order(self) -> tuple[Any, int, str]:
        """The place of its entry."""
        return (self.at, self.rank, self.id)


class DecisionCursor(Cursor):
    """Of a customer's decisions."""

    decided_at: AwareDatetime
    decision_id: UUID
