"""Latency of the three analyses beside DuckDB: the same rows, the same machine, one run.

    python bench/query/run.py [--events 10000000] [--binary target/release/tallymark] [--keep DIR]

Generates the demo product as a file, sends it through the front door, waits for compaction, loads the same file
into DuckDB (sorted by time, as it arrives; 2 threads), checks that both give the same numbers, prints medians.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import duckdb
import httpx

DAY = 86_400_000
UNTIL = 1_790_000_000_000  # a fixed end, so that runs compare
SECRET = "sk_bench_0123456789abcdef"
STEPS = ["Signed Up", "Song Played", "Upgraded"]


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--events", type=int, default=10_000_000)
    args.add_argument("--binary", default=os.environ.get("TALLYMARK_BIN", "target/release/tallymark"))
    args.add_argument("--keep", help="folder to keep the generated file and data in")
    args.add_argument("--runs", type=int, default=7)
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        rows = generate(args, folder)
        with Server(args, folder) as server:
            server.load(rows)
            db = load_duckdb(rows, folder)
            compare(server, db, args.runs)


def generate(args, folder):
    path = folder / f"demo-{args.events}.ndjson"
    if not path.exists():
        subprocess.run([args.binary, "demo", "--events", str(args.events), "--until", str(UNTIL), "--out", str(path)], check=True)
    return path


class Server:
    def __init__(self, args, folder):
        self.args, self.data = args, folder / "data"
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{s.getsockname()[1]}"
        self.http = httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {SECRET}"}, timeout=600)

    def __enter__(self):
        env = {**os.environ, "TALLYMARK_BOOTSTRAP_PROJECT": "bench", "TALLYMARK_BOOTSTRAP_SECRET_KEY": SECRET}
        self.process = subprocess.Popen(
            [self.args.binary, "serve", "--data", str(self.data), "--listen", self.url.removeprefix("http://")],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            try:
                self.ledger()
                return self
            except (httpx.HTTPError, KeyError, ValueError):
                time.sleep(0.2)
        raise SystemExit("the server did not become ready")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def ledger(self):
        answer = self.http.get("/api/v1/projects/bench/ledger")
        answer.raise_for_status()
        return answer.json()["identity"]

    def load(self, rows):
        if self.ledger()["visible"] == 0:
            start = time.monotonic()
            subprocess.run(
                [self.args.binary, "import", str(rows), "--project", "bench", "--data", str(self.data), "--state", str(self.data.parent / "import"), "--json"],
                check=True, stdout=subprocess.DEVNULL,
            )
            while self.ledger()["pending"] > 0:
                time.sleep(0.5)
            taken = time.monotonic() - start
            print(f"imported and processed {self.ledger()['visible']:,} events in {taken:.0f} s")
        self.wait_for_compaction()

    def wait_for_compaction(self):
        """Until the number of files a full scan touches stands still."""
        last, since = None, time.monotonic()
        while time.monotonic() - since < 20:
            plan = self.ask({"type": "segmentation", "series": [{"event": "*"}], "range": all_time(), "interval": "none"}, "query/explain")
            text = json.dumps(plan["scan"], sort_keys=True)
            if text != last:
                last, since = text, time.monotonic()
            time.sleep(3)
        objects = sum(f.stat().st_size for f in (self.data / "objects").rglob("*.parquet"))
        print(f"segments on disk: {objects / self.ledger()['visible']:.1f} bytes per event")

    def ask(self, query, verb="query"):
        answer = self.http.post(f"/api/v1/projects/bench/{verb}", json=query)
        if answer.status_code != 200:
            raise SystemExit(answer.text)
        return answer.json()


def all_time():
    return {"from": day(UNTIL - 90 * DAY), "to": day(UNTIL)}


def day(ms):
    return time.strftime("%Y-%m-%d", time.gmtime(ms / 1000))


def load_duckdb(rows, folder):
    path = folder / "bench.duckdb"
    db = duckdb.connect(str(path), config={"threads": 2, "memory_limit": "8GB"})
    if not db.execute("SELECT count(*) FROM information_schema.tables WHERE table_name = 'ev'").fetchone()[0]:
        # Who is who, as the product ends up knowing it: the user a device belongs to.
        db.execute(f"""
            CREATE TABLE raw AS SELECT event, time AS ms, user_id, device_id, properties.platform AS platform
            FROM read_json('{rows}', format='newline_delimited', columns={{event: 'VARCHAR', time: 'BIGINT', user_id: 'VARCHAR', device_id: 'VARCHAR', properties: 'STRUCT(platform VARCHAR)'}});
            CREATE TABLE owner AS SELECT device_id, max(user_id) AS owner FROM raw WHERE user_id IS NOT NULL GROUP BY 1;
            CREATE TABLE ev AS SELECT event, ms, platform, hash(coalesce(user_id, owner, device_id)) AS actor FROM raw LEFT JOIN owner USING (device_id) ORDER BY ms;
            DROP TABLE raw; DROP TABLE owner; CHECKPOINT;""")
    print(f"DuckDB {duckdb.__version__}: {db.execute('SELECT count(*) FROM ev').fetchone()[0]:,} rows, 2 threads")
    return db


def compare(server, db, runs):
    print("\n| analysis | Tallymark median s | DuckDB median s | ratio | same answer |\n|---|---|---|---|---|")
    for name, query, sql, ours, theirs in analyses():
        mine, answer = median(lambda: server.ask(query), runs)
        other, found = median(lambda: db.execute(sql).fetchall(), runs)
        same = ours(answer) == theirs(found)
        print(f"| {name} | {mine:.3f} | {other:.3f} | {other / mine:.1f}x | {'yes' if same else f'NO: {ours(answer)} / {theirs(found)}'} |")


def analyses():
    span = all_time()
    low = UNTIL // DAY * DAY - 90 * DAY
    week = 7 * DAY
    yield (
        "daily uniques, 90 days",
        {"type": "segmentation", "series": [{"event": "Song Played"}], "range": span, "interval": "day"},
        f"SELECT ms // {DAY}, count(DISTINCT actor) FROM ev WHERE event = 'Song Played' AND ms >= {low} GROUP BY 1 ORDER BY 1",
        lambda a: [v for v in a["series"][0]["values"] if v], lambda r: [n for _, n in r],
    )
    # For each step the latest start from which it is reachable: exact, and the fastest SQL we know for DuckDB.
    cte = [f"f0 AS (SELECT actor, event, ms, CASE WHEN event = '{STEPS[0]}' THEN ms END s1 FROM ev WHERE event IN ('{STEPS[0]}','{STEPS[1]}','{STEPS[2]}') AND ms >= {low})"]
    for i in (1, 2):
        cte.append(
            f"f{i} AS (SELECT * EXCLUDE (p), CASE WHEN event = '{STEPS[i]}' AND ms - p <= {week} THEN p END s{i + 1} FROM (SELECT *, max(s{i}) OVER "
            f"(PARTITION BY actor ORDER BY ms ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) p FROM f{i - 1}))"
        )
    yield (
        "funnel of 3 steps, 7 days, 90 days",
        {"type": "funnel", "steps": [{"event": s} for s in STEPS], "window": {"n": 7, "unit": "day"}, "range": span},
        f"WITH {', '.join(cte)} SELECT count(DISTINCT CASE WHEN s1 IS NOT NULL THEN actor END), count(DISTINCT CASE WHEN s2 IS NOT NULL THEN actor END), count(DISTINCT CASE WHEN s3 IS NOT NULL THEN actor END) FROM f2",
        lambda a: a["counts"], lambda r: list(r[0]),
    )
    start = UNTIL // DAY * DAY - 60 * DAY
    yield (
        "retention of 30 days",
        {"type": "retention", "start": {"event": "App Opened"}, "return": {"event": "Song Played"}, "range": {"from": day(start), "to": day(start + 29 * DAY)},
         "interval": "day", "periods": 7, "cohort_by": "any", "as_of": iso(UNTIL)},
        f"""WITH s AS (SELECT actor, ms // {DAY} d, min(ms) first FROM ev WHERE event = 'App Opened' AND ms >= {start} AND ms < {start + 30 * DAY} GROUP BY 1, 2),
             r AS (SELECT DISTINCT actor, ms // {DAY} d FROM ev WHERE event = 'Song Played' AND ms >= {start} AND ms < {start + 38 * DAY})
            SELECT s.d, r.d - s.d AS k, count(*) FROM s JOIN r ON s.actor = r.actor AND r.d > s.d AND r.d - s.d <= 6 GROUP BY 1, 2 ORDER BY 1, 2""",
        lambda a: [v for c in a["cohorts"] for v in c["values"][1:7] if v], lambda r: [n for _, _, n in r],
    )


def iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))


def median(run, times):
    taken, answer = [], None
    for _ in range(times):
        start = time.perf_counter()
        answer = run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), answer


if __name__ == "__main__":
    main()
