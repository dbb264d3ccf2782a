"""Invoice lines become purchases."""

import gzip
from pathlib import Path

from bench.online_retail import write
from services.churn_predictor.train.purchases import read_purchases

LINES = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,A,LAMP,2,2030-01-01 08:00:00,1.50,7.0,Nowhere
1,B,"BOWL, BLUE",1,2030-01-01 08:00:00,4.00,7.0,Nowhere
2,A,LAMP,1,2030-01-01 09:00:00,1.50,7.0,Nowhere
C3,A,LAMP,-1,2030-01-02 09:00:00,1.50,7.0,Nowhere
4,A,LAMP,1,2030-01-02 09:00:00,1.50,,Nowhere
5,A,LAMP,-5,2030-01-02 09:00:00,0.00,8.0,Nowhere
6,A,LAMP,5,2030-01-02 09:00:00,0.00,8.0,Nowhere
"""


def test_an_invoice_is_a_purchase_and_a_cancellation_is_none(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(gzip.compress(LINES.encode()))

    write(tmp_path / "lines", tmp_path / "purchases")

    found = read_purchases(tmp_path / "purchases")
    assert {
        name: [(p.at.isoformat(), p.amount) for p in bought]
        for name, bought in found.by_customer.items()
    } == {"7": [("2030-01-01T08:00:00+00:00", 7.0), ("2030-01-01T09:00:00+00:00", 1.5)]}
