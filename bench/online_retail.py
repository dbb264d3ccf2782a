"""Invoice lines of Online Retail (UCI) as purchases: one row per invoice.

python -m bench.online_retail <online_retail.csv.gz> purchases.csv.gz
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

_CANCELLATION = "C"


def purchases(lines: Path) -> Iterator[tuple[str, str, str]]:
    """Yield customer, date and amount of each invoice that names a customer and cancels nothing.

    The amount is the sum of its lines with a positive quantity and price.
    """
    spent: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    with gzip.open(lines, "rt", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            worth = int(line["Quantity"]) * float(line["UnitPrice"])
            named = line["CustomerID"] and not line["InvoiceNo"].startswith(_CANCELLATION)
            if named and worth > 0:
                customer = line["CustomerID"].removesuffix(".0")
                spent[line["InvoiceNo"], customer, line["InvoiceDate"]] += worth
    for (_, customer, at), amount in spent.items():
        yield customer, at.replace(" ", "T"), f"{amount:.2f}"


def write(lines: Path, out: Path) -> None:
    """Write the purchases as `care train --purchases` reads them, packed with gzip."""
    with gzip.open(out, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("customer", "date", "amount"))
        writer.writerows(purchases(lines))


@click.command(help=__doc__)
@click.argument("lines", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def main(lines: Path, out: Path) -> None:
    """Convert."""
    write(lines, out)


if __name__ == "__main__":
    main()
