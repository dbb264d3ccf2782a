"""A customer's id as an argument of commands."""

import click
from pydantic import TypeAdapter, ValidationError

from services.contracts.envelope import CustomerId

_CUSTOMER_ID: TypeAdapter[str] = TypeAdapter(CustomerId)


class Customer(click.ParamType):
    """A customer's pseudonymous id."""

    name = "customer"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the id; a usage error, which does not repeat it, where it can be none."""
        try:
            return _CUSTOMER_ID.validate_python(value)
        except ValidationError:
            # What was typed may be somebody's address; it goes into no log.
            self.fail("no customer's id: those are 1 to 64 of A-Z a-z 0-9 . _ : ~ -", param, ctx)
