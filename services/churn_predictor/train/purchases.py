"""Who bought when and for how much, from a CSV file or from events.

Of a file, what cannot be read is refused with its line.
"""

import csv
import gzip
import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from services.churn_predictor.expectations.rhythm import purchases
from services.churn_predictor.facts import Facts
from services.churn_predictor.learning import learn
from services.churn_predictor.rhythm import Purchase
from services.contracts.envelope import Event
from services.contracts.purchases import OrderCancelled, OrderPlaced

COLUMNS = ("customer", "date", "amount")
_GZIP = b"\x1f\x8b"


class UnreadablePurchases(Exception):
    """The file does not hold purchases; the message is one line that says where and why."""


class NothingBought(Exception):
    """There is no purchase in the time asked about."""


@dataclass(frozen=True, slots=True)
class Purchases:
    """A shop's purchases, with what was left out."""

    by_customer: Mapping[str, Sequence[Purchase]]
    """Rising in time."""
    rows: int
    returns: int
    """Rows whose amount is not above 0, or orders that were cancelled: they are no purchases."""

    def before(self, until: datetime) -> "Purchases":
        """Return what had been bought before this instant.

        Raises:
            NothingBought: that is nothing.
        """
        kept = {
            customer: [purchase for purchase in bought if purchase.at < until]
            for customer, bought in self.by_customer.items()
        }
        kept = {customer: bought for customer, bought in kept.items() if bought}
        if not kept:
            raise NothingBought(f"nothing was bought before {until.date()}")
        return replace(self, by_customer=kept)

    @property
    def digest(self) -> str:
        """SHA-256 of the purchases, whatever the order or form of the file they came from."""
        found = hashlib.sha256()
        for customer in sorted(self.by_customer):
            found.update(f"{customer!r}\n".encode())
            for purchase in self.by_customer[customer]:
                found.update(f"{purchase.at.isoformat()} {purchase.amount!r}\n".encode())
        return found.hexdigest()

    @property
    def count(self) -> int:
        """How many purchases; several of one day are as many."""
        return sum(map(len, self.by_customer.values()))

    @property
    def first(self) -> datetime:
        """The beginning (UTC) of the day of the first purchase."""
        return midnight(min(bought[0].at for bought in self.by_customer.values()).date())

    @property
    def end(self) -> datetime:
        """The end (UTC) of the day of the last: up to here the file is taken to be complete."""
        last = max(bought[-1].at for bought in self.by_customer.values())
        return midnight(last.date()) + timedelta(days=1)


def midnight(day: date) -> datetime:
    """Return the instant (UTC) at which this day begins."""
    return datetime.combine(day, time(), UTC)


def read_purchases(path: Path) -> Purchases:
    """Return the purchases in this CSV file, plain or packed with gzip.

    The header names `customer`, `date` (ISO 8601, a day or an instant; UTC where no zone is told)
    and `amount`; other columns are passed over.

    Raises:
        UnreadablePurchases: it is not such a file, or holds no purchase.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw.startswith(_GZIP) else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UnreadablePurchases(f"{path}: {error}") from error
    return _purchases(path, text)


_EVER = datetime.max.replace(tzinfo=UTC)
"""Whatever was cancelled, however late, taught nothing about coming back."""


def purchases_in(events: Iterable[Event[Any]]) -> Purchases:
    """Return the orders that were placed and not cancelled, as the stream counts them.

    The order of the events does not matter.

    Raises:
        NothingBought: there is none.
    """
    customers: dict[str, Facts] = {}
    for event in events:
        if isinstance(event.data, OrderPlaced | OrderCancelled):
            learn(customers.setdefault(event.partitionkey, Facts()), event)
    placed = sum(
        order.basket is not None for facts in customers.values() for order in facts.orders.values()
    )
    # By name: fits and draws go through the customers in this order.
    found = {name: sorted(purchases(facts, _EVER)) for name, facts in sorted(customers.items())}
    kept = {name: bought for name, bought in found.items() if bought}
    if not kept:
        raise NothingBought("nothing was bought, or all of it was cancelled")
    return Purchases(by_customer=kept, rows=placed, returns=placed - sum(map(len, kept.values())))


def _purchases(path: Path, text: str) -> Purchases:
    found: dict[str, list[Purchase]] = {}
    rows = returns = 0
    for customer, purchase in _rows(path, text):
        rows += 1
        if purchase.amount > 0:
            found.setdefault(customer, []).append(purchase)
        else:
            returns += 1
    if not found:
        raise UnreadablePurchases(f"{path}: no purchase")
    return Purchases(
        by_customer={customer: sorted(bought) for customer, bought in found.items()},
        rows=rows,
        returns=returns,
    )


def _rows(path: Path, text: str) -> Iterator[tuple[str, Purchase]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_header(reader.fieldnames or ())
        for row in reader:
            yield _row(row)
    except (csv.Error, ValueError) as error:
        # Of the inner reader: the outer one does not count a line it fails on.  An empty file has none.
        line = max(reader.reader.line_num, 1)
        raise UnreadablePurchases(f"{path}, line {line}: {error}") from error


def _check_header(names: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise ValueError(f"the header has no column {', '.join(missing)}")


def _row(row: Mapping[str, str | None]) -> tuple[str, Purchase]:
    if None in row:
        # "1,000" without quotes would be read as 1.
        raise ValueError("more fields than the header names")
    customer, day, amount = ((row[name] or "").strip() for name in COLUMNS)
    if not customer:
        raise ValueError("no customer")
    return customer, Purchase(_instant(day), _amount(amount))


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"no date: {text!r}") from None


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount):
        raise ValueError(f"no amount: {text!r}")
    return amount
