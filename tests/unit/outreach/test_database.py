"""What the database says when it fails, and what of it is passed on."""

import psycopg
import pytest
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from services.kit.exits import Unavailable
from services.outreach.database import Refused, open_engine, reaching

URL = "postgresql://care:s3cret@127.0.0.1:1/care"
CANARY = "ada@example.org"


def failure(kind: type[DBAPIError], sqlstate: str | None, *, lost: bool = False) -> DBAPIError:
    """Return what SQLAlchemy raises for an error of the driver with this SQLSTATE."""

    class Cause(psycopg.OperationalError):
        pass

    Cause.sqlstate = sqlstate
    cause = Cause(f"DETAIL: Failing row contains ({CANARY})")
    return kind("INSERT", {"email": CANARY}, cause, connection_invalidated=lost)


@pytest.mark.parametrize("sqlstate", [None, "08001", "08006", "57P01", "57P02", "57P03"])
def test_a_refused_or_lost_connection_says_what_to_start(sqlstate: str | None) -> None:
    with pytest.raises(Unavailable) as caught, reaching(open_engine(URL)):
        raise failure(OperationalError, sqlstate)

    assert "PostgreSQL does not answer at 127.0.0.1:1" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_where_a_service_file_says_where_it_is_that_file_is_named() -> None:
    with pytest.raises(Unavailable) as caught, reaching(open_engine("postgresql:///?service=care")):
        raise failure(OperationalError, "08001")

    assert "where the service file says for care" in str(caught.value)
    assert "None" not in str(caught.value)


def test_a_connection_that_broke_under_another_error_is_lost_too() -> None:
    with pytest.raises(Unavailable), reaching(open_engine(URL)):
        raise failure(DBAPIError, "25P03", lost=True)


@pytest.mark.parametrize(
    ("kind", "sqlstate"),
    [
        (OperationalError, "53100"),
        (OperationalError, "40P01"),
        (OperationalError, "57014"),
        (IntegrityError, "23514"),
        (DataError, "22021"),
    ],
)
def test_any_other_error_is_named_and_repeats_nothing_that_is_stored(
    kind: type[DBAPIError], sqlstate: str
) -> None:
    with pytest.raises(Refused, match=f"SQLSTATE {sqlstate}") as caught, reaching(open_engine(URL)):
        raise failure(kind, sqlstate)

    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_error_without_a_state_that_is_not_about_the_connection_is_no_outage() -> None:
    with pytest.raises(Refused, match="SQLSTATE none"), reaching(open_engine(URL)):
        raise failure(DataError, None)
