"""SQL on the running server: answers, isolation, refusals, limits, cancellation, the command line."""

import csv
import io
import json
import threading
import time

import httpx
import pytest
from conftest import ADMIN_KEY

DAY = "2026-03-{:02d}T12:00:00Z"


def fill(server, events=600, key=None):
    names = ["view", "cart", "buy"]
    made = [
        {
            "event": names[i % 3], "user_id": f"u{i % 50}", "insert_id": f"i{i}", "time": DAY.format(1 + i % 20),
            "properties": {"amount": i / 2, "colour": ["red", "blue"][i % 2], "tags": ["a", "b"][: 1 + i % 2]},
            "user_properties": {"plan": ["free", "pro"][i % 50 % 2]},
        }
        for i in range(events)
    ]
    server.send(made, wait="visible", **({"key": key} if key else {}))


def ask(server, sql, params=None, project="shop", **more):
    query = {"type": "sql", "sql": sql, **({"params": params} if params else {}), **more}
    return server.http.post(f"/api/v1/projects/{project}/query", json=query)


def rows(server, sql, params=None, **more):
    answer = ask(server, sql, params, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def refused(server, sql, **more):
    answer = ask(server, sql, **more)
    assert answer.status_code >= 400, answer.text
    error = answer.json()["error"]
    assert error["message"] and error["docs"] == f"/docs/errors/{error['code']}"
    return answer.status_code, error["code"]


def test_sql_says_what_the_charts_say(server):
    fill(server)
    answer = ask(server, "SELECT event, count(*) AS n, count(DISTINCT person) AS p FROM events GROUP BY event ORDER BY event").json()
    assert answer["columns"] == [{"name": "event", "type": "text"}, {"name": "n", "type": "integer"}, {"name": "p", "type": "integer"}]
    assert answer["rows"] == [["buy", 200, 50], ["cart", 200, 50], ["view", 200, 50]]
    assert answer["truncated"] is False and answer["complete_through"] and answer["definition_hash"]
    for event, total, persons in answer["rows"]:
        assert (server.total(event), server.total(event, "uniques")) == (total, persons)
    by_colour = rows(server, "SELECT properties.colour, sum(properties.amount) FROM events WHERE event = $1 GROUP BY 1 ORDER BY 1", ["buy"])
    chart = server.query(
        type="segmentation", series=[{"event": "buy", "measure": "sum", "property": "amount"}], interval="none",
        range={"from": "2026-01-01", "to": "2026-12-31"}, breakdown=[{"property": "colour"}],
    )
    assert sorted([s["breakdown"], s["total"]] for s in chart["series"]) == by_colour
    assert rows(server, "SELECT p.properties.plan, count(*) FROM persons p GROUP BY 1 ORDER BY 1") == [["free", 25], ["pro", 25]]
    assert rows(server, "SELECT user_properties.plan, count(*) FROM events GROUP BY 1 ORDER BY 1") == [["free", 300], ["pro", 300]]
    assert rows(server, "SELECT value, count(*) FROM person_properties WHERE property = 'plan' GROUP BY 1 ORDER BY 1") == [["free", 25], ["pro", 25]]
    assert rows(server, "SELECT t, count(*) FROM (SELECT unnest(texts(properties.tags)) AS t FROM events) e GROUP BY t ORDER BY t") == [["a", 600], ["b", 300]]
    explained = server.http.post("/api/v1/projects/shop/query/explain", json={"type": "sql", "sql": "SELECT count(*) FROM events WHERE event = 'buy'"}).json()
    assert explained["scans"][0]["events"] == ["buy"] and "events=[buy]" in explained["plan"]
    link = server.http.get("/api/v1/projects/shop/query", params={"q": json.dumps({"type": "sql", "sql": "SELECT 1"})})
    assert link.json()["rows"] == [[1]]


def test_a_project_sees_only_itself(server):
    fill(server, 60)
    made = httpx.post(f"{server.url}/api/v1/projects", json={"name": "other"}, headers={"authorization": f"Bearer {ADMIN_KEY}"}).json()
    other = httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {made['secret_key']}"}, timeout=60)
    server.send([{"event": "secret", "user_id": "u1", "insert_id": "x", "properties": {"hidden": 1}}], key=made["write_key"], wait="visible")
    query = {"type": "sql", "sql": "SELECT event, count(*) FROM events GROUP BY event"}
    assert other.post("/api/v1/projects/other/query", json=query).json()["rows"] == [["secret", 1]]
    assert ["secret", 1] not in rows(server, query["sql"])
    assert rows(server, "SELECT count(*) FROM persons") == [[50]]
    assert refused(server, "SELECT properties.hidden FROM events") == (400, "TM0321")
    assert other.post("/api/v1/projects/shop/query", json=query).status_code in (403, 404)
    assert ask(server, query["sql"], project="other").status_code in (403, 404)
    for table in ["information_schema.tables", "tallymark.project.events", "other.events", "\"1\".events", "shop.events", "sqlite_master"]:
        assert refused(server, f"SELECT * FROM {table}")[1] == "TM0321"


@pytest.mark.parametrize("sql", [
    "DELETE FROM events", "INSERT INTO events VALUES ('x')", "CREATE TABLE t AS SELECT 1", "DROP TABLE events",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "COPY (SELECT 1) TO '/tmp/out.csv'",
    "SET datafusion.execution.batch_size = 1", "SHOW TABLES", "SELECT 1; SELECT 2", "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_parquet('/etc/passwd')", "SELECT version()", "SELECT * INTO t FROM events",
    "WITH RECURSIVE t AS (SELECT 1 n UNION ALL SELECT n + 1 FROM t) SELECT * FROM t", "", "SELECT",
])
def test_only_reading_is_possible(server, sql):
    fill(server, 3)
    status, code = refused(server, sql)
    assert status == 400 and code in ("TM0321", "TM0322"), (sql, code)


def test_limits_end_a_statement_and_nothing_else(server):
    fill(server)
    web = server.pids()["web"]
    assert refused(server, "SELECT " + "+".join(["1"] * 10_000)) == (400, "TM0323")
    assert refused(server, "SELECT count(*) FROM events WHERE " + " OR ".join(["event = 'x'"] * 4_000)) == (400, "TM0323")
    assert refused(server, "SELECT " + "(" * 10_000 + "1" + ")" * 10_000) == (400, "TM0323")
    assert refused(server, "SELECT '" + "x" * 70_000 + "'") == (400, "TM0323")
    assert refused(server, "SELECT 1 / 0") == (400, "TM0324")
    many = "SELECT a.seq FROM events a, events b"
    assert len(rows(server, many)) == 10_000 and ask(server, many).json()["truncated"] is True
    assert len(rows(server, many, limit=25_000)) == 25_000
    assert refused(server, "SELECT 1", limit=100_001) == (400, "TM0301")
    doubling = ", ".join(["a0 AS (SELECT event AS v FROM events)"] + [f"a{i} AS (SELECT v || v AS v FROM a{i - 1})" for i in range(1, 30)])
    assert refused(server, f"WITH {doubling} SELECT max(length(v)) FROM a29")[1] in ("TM0324", "TM0311")
    # Its client goes away: the statement ends, and others are answered.
    endless = "SELECT sum(length(concat(a.seq, b.seq, c.seq, d.seq))) FROM events a, events b, events c, events d"
    for _ in range(6):
        with pytest.raises(httpx.TimeoutException):
            httpx.post(
                f"{server.url}/api/v1/projects/shop/query", json={"type": "sql", "sql": endless}, timeout=0.7,
                headers={"authorization": f"Bearer {server.secret_key}"},
            )
    began = time.monotonic()
    assert rows(server, "SELECT count(*) FROM events") == [[600]]
    assert time.monotonic() - began < 30
    assert server.pids()["web"] == web, "the web process is the same"


def test_many_statements_at_once_share(server):
    fill(server)
    found, statement = [], "SELECT event, count(*), sum(properties.amount) FROM events GROUP BY event ORDER BY event"
    expected = rows(server, statement)
    threads = [threading.Thread(target=lambda: found.append(rows(server, statement))) for _ in range(24)]
    [t.start() for t in threads]
    server.send([{"event": "meanwhile", "user_id": "u1", "insert_id": "m"}])
    [t.join() for t in threads]
    assert len(found) == 24
    assert all([r for r in one if r[0] != "meanwhile"] == expected for one in found)


def test_the_command_line(server):
    fill(server, 30)
    arguments = ["--project", "shop", "--data", server.data]
    statement = "SELECT event, sum(properties.amount) AS amount FROM events WHERE event <> $1 GROUP BY event ORDER BY event"
    table = server.cli("sql", statement, "--param", "view", *arguments).stdout
    assert "amount" in table and "complete through" in table
    answer = json.loads(server.cli("sql", statement, "--param", "view", "--format", "json", *arguments).stdout)
    assert [r[0] for r in answer["rows"]] == ["buy", "cart"]
    text = server.cli("sql", statement, "--param", "view", "--format", "csv", *arguments).stdout
    assert [r[0] for r in csv.reader(io.StringIO(text))] == ["event", "buy", "cart"]
    assert float(list(csv.reader(io.StringIO(text)))[1][1]) == answer["rows"][0][1]
    plan = server.cli("sql", "SELECT count(*) FROM events WHERE event = 'buy'", "--explain", *arguments).stdout
    assert "events=[buy]" in plan and "row_groups_read" in plan
    wrong = server.cli("sql", "SELECT nothing FROM events", *arguments, check=False)
    assert wrong.returncode != 0 and "TM0321" in wrong.stderr
