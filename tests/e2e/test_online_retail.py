"""541,909 real order lines: imported with a mapping, imported again, and compared with plain SQL over the CSV."""

import json
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT

CSV = ROOT.parent / "shared/data/online-retail/online_retail.csv.gz"
MAPPING = ROOT / "docs/examples/online-retail.toml"

pytestmark = pytest.mark.skipif(not CSV.exists(), reason="the online-retail file is not beside the checkout")
RANGE = {"from": "2010-12-01", "to": "2011-12-31"}


@pytest.fixture(scope="module")
def sql():
    db = duckdb.connect()
    db.execute(f"""
        CREATE TABLE lines AS SELECT
          CASE WHEN Quantity < 0 OR InvoiceNo LIKE 'C%' THEN 'refund' ELSE 'purchase' END AS event,
          regexp_replace(CustomerID, '\\.0$', '') AS person, CAST(InvoiceDate AS TIMESTAMP) AS moment,
          epoch_ms(timezone('Europe/London', CAST(InvoiceDate AS TIMESTAMP))) AS ms
        FROM read_csv('{CSV}', all_varchar=false, types={{'InvoiceNo': 'VARCHAR', 'StockCode': 'VARCHAR', 'CustomerID': 'VARCHAR', 'Quantity': 'INTEGER'}})
    """)
    return db


def test_import_twice_and_compare_with_sql(make_server, sql):
    server = make_server()
    server.env["TALLYMARK_BOOTSTRAP_TIMEZONE"] = "Europe/London"
    server.start()
    arguments = ["import", CSV, "--map", MAPPING, "--project", "shop", "--data", server.data, "--state", server.data.parent / "import", "--json"]
    first = json.loads(server.cli(*arguments).stdout)
    assert (first["rows"], first["sent"], first["rejected"]) == (541_909, 541_909, 0)
    identity = server.settle(300)
    assert identity["visible"] == 541_909 and identity["duplicate"] == 0

    # A finished import has nothing left to send; sent again regardless, it adds nothing.
    assert json.loads(server.cli(*arguments).stdout)["sent"] == 0
    assert json.loads(server.cli(*arguments, "--again").stdout)["sent"] == 541_909
    identity = server.settle(300)
    assert identity["visible"] == 541_909 and identity["duplicate"] == 541_909 and identity["balanced"]

    answer = server.query(type="segmentation", series=[{"event": "purchase"}, {"event": "purchase", "measure": "totals"}], range=RANGE, interval="month")
    expected = sql.execute("""SELECT strftime(date_trunc('month', moment), '%Y-%m-%d'), count(DISTINCT person), count(*)
                              FROM lines WHERE event = 'purchase' GROUP BY 1 ORDER BY 1""").fetchall()
    assert answer["buckets"] == [row[0] for row in expected]
    assert answer["series"][0]["values"] == [row[1] for row in expected]
    assert answer["series"][1]["values"] == [row[2] for row in expected]

    funnel = server.query(type="funnel", steps=[{"event": "purchase"}, {"event": "refund"}], window={"n": 30, "unit": "day"}, range=RANGE)
    # Equal times count as later (semantics 3.3), and the window is inclusive.
    expected = sql.execute("""
        SELECT count(DISTINCT p.person), count(DISTINCT CASE WHEN EXISTS (
            SELECT 1 FROM lines r WHERE r.event = 'refund' AND r.person = p.person AND r.ms >= p.ms AND r.ms <= p.ms + 30 * 86400000::BIGINT
          ) THEN p.person END)
        FROM (SELECT DISTINCT person, ms FROM lines WHERE event = 'purchase' AND person IS NOT NULL) p""").fetchone()
    assert funnel["counts"] == list(expected)

    retention = server.query(type="retention", start={"event": "purchase"}, **{"return": {"event": "purchase"}}, range={"from": "2010-12-01", "to": "2011-11-30"}, interval="month", periods=12)
    expected = dict(((row[0], row[1]), row[2]) for row in sql.execute("""
        WITH m AS (SELECT DISTINCT person, date_trunc('month', moment) AS month FROM lines WHERE event = 'purchase' AND person IS NOT NULL)
        SELECT strftime(a.month, '%Y-%m-%d'), date_diff('month', a.month, b.month), count(*)
        FROM m a JOIN m b ON a.person = b.person AND b.month >= a.month GROUP BY 1, 2""").fetchall())
    assert len(retention["cohorts"]) == 12
    for cohort in retention["cohorts"]:
        for k, value in enumerate(cohort["values"]):
            if value is not None:
                assert value == expected.get((cohort["cohort"], k), 0), (cohort["cohort"], k)
    server.cli("verify", "--data", server.data)
