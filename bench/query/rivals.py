"""DuckDB and ClickHouse's engine (chdb) in this process, each with the table orders that suit it, two threads each."""

import json
import os
import shutil
from pathlib import Path

import chdb
import duckdb
from chdb import session

THREADS = 2
PROPERTIES = "platform, country, city, app_version, plan, referrer, page_url, variant, duration_ms, amount"
# What JSON an application would send; both keep it as one column, as systems do that do not know a property.
DUCK_JSON = "to_json({" + ", ".join(f"'{p.strip()}': {p.strip()}" for p in PROPERTIES.split(",")) + "})"
CLICK_JSON = "toJSONString(map(" + ", ".join(
    f"'{p}', ifNull(toString({p}), '')" for p in ("platform", "country", "city", "app_version", "plan", "referrer", "page_url", "variant")
) + "))"  # fmt: skip


class DuckDb:
    """`tim` as it arrives, `evt` by event and person, `act` by person, `js` with JSON in a VARIANT."""

    name = "DuckDB"
    version = duckdb.__version__
    orders = {"tim": "time", "evt": "event, actor, time", "act": "actor, time"}

    def __init__(self, folder):
        self.path = Path(folder) / "bench.duckdb"
        self.open()

    def open(self):
        self.db = duckdb.connect(str(self.path), config={"threads": THREADS, "memory_limit": "8GB"})

    def load(self, files):
        known = {row[0] for row in self.db.execute("SELECT table_name FROM information_schema.tables").fetchall()}
        columns = f"event, time, actor, session_id, insert_id, {PROPERTIES}"
        for table, order in self.orders.items():
            if table not in known:
                self.db.execute(f"CREATE TABLE {table} AS SELECT {columns} FROM read_parquet('{files}') ORDER BY {order}")
        if "js" not in known:
            select = f"SELECT event, time, actor, {DUCK_JSON}::JSON::VARIANT AS props FROM read_parquet('{files}')"
            self.db.execute(f"CREATE TABLE js AS {select} ORDER BY event, actor, time")
        self.db.execute("CHECKPOINT")

    def ask(self, sql):
        return self.db.execute(sql).fetchall()

    def forget(self):
        self.db.close()
        self.open()

    def bytes_per_event(self, events):
        size = "SELECT count(DISTINCT block_id) * 262144 FROM pragma_storage_info('{}') WHERE block_id >= 0"
        return {t: self.ask(size.format(t))[0][0] / events for t in [*self.orders, "js"]}


class ClickHouse:
    """`ph` in PostHog's order with plain strings, `evt` event first, `fun` person first; `js` with its JSON type."""

    name = "ClickHouse (chdb)"
    version = chdb.chdb_version if isinstance(chdb.chdb_version, str) else ".".join(map(str, chdb.chdb_version))
    orders = {
        "ph": ("String", "String", "(toDate(time), event, cityHash64(actor), cityHash64(insert_id))"),
        "evt": ("LowCardinality(String)", "LowCardinality(Nullable(String))", "(event, toDate(time), actor)"),
        "fun": ("LowCardinality(String)", "LowCardinality(Nullable(String))", "(actor, time)"),
    }

    def __init__(self, folder):
        self.path = Path(folder) / "clickhouse"
        self.session = session.Session(str(self.path))
        for setting in (f"max_threads={THREADS}", "max_memory_usage=12000000000", "session_timezone='UTC'"):
            self.session.query(f"SET {setting}")

    def load(self, files):
        self.session.query("CREATE DATABASE IF NOT EXISTS b ENGINE=Atomic")
        known = {row[0] for row in self.ask("SELECT name FROM system.tables WHERE database = 'b'")}
        source = f"file('{files}', Parquet)"
        fixed = "event, fromUnixTimestamp64Milli(time, 'UTC') AS time, actor, session_id, insert_id"
        settings = "SETTINGS input_format_null_as_default=1, max_insert_threads=1"
        for table, (event, text, order) in self.orders.items():
            if table in known:
                continue
            texts = ", ".join(f"{p} {text}" for p in ("platform", "country", "city", "app_version", "plan", "referrer", "page_url", "variant"))
            js = ", properties String CODEC(ZSTD(3))" if table == "ph" else ""
            self.session.query(
                f"CREATE TABLE b.{table} (event {event}, time DateTime64(3, 'UTC'), actor UInt64, session_id UInt64, insert_id FixedString(16), "
                f"{texts}, duration_ms Nullable(Int32), amount Nullable(Float64){js}) ENGINE=MergeTree PARTITION BY toYYYYMM(time) ORDER BY {order}"
            )
            more = f", {CLICK_JSON} AS properties" if js else ""
            self.session.query(f"INSERT INTO b.{table} SELECT {fixed}, {PROPERTIES}{more} FROM {source} {settings}")
            self.session.query(f"OPTIMIZE TABLE b.{table} FINAL")
        if "js" not in known:
            self.session.query(
                "CREATE TABLE b.js (event LowCardinality(String), time DateTime64(3, 'UTC'), actor UInt64, props JSON) ENGINE=MergeTree "
                "PARTITION BY toYYYYMM(time) ORDER BY (event, toDate(time), actor)"
            )
            self.session.query(f"INSERT INTO b.js SELECT event, fromUnixTimestamp64Milli(time, 'UTC'), actor, {CLICK_JSON}::JSON FROM {source} {settings}")
            self.session.query("OPTIMIZE TABLE b.js FINAL")

    def ask(self, sql):
        return json.loads(str(self.session.query(sql, "JSONCompact")))["data"]

    def forget(self):
        for cache in ("MARK CACHE", "UNCOMPRESSED CACHE", "QUERY CONDITION CACHE"):
            self.session.query(f"SYSTEM DROP {cache}")

    def bytes_per_event(self, events):
        sql = "SELECT table, sum(data_compressed_bytes) FROM system.parts WHERE active AND database = 'b' GROUP BY table"
        return {table: int(size) / events for table, size in self.ask(sql)}


def drop_page_cache():
    """True if the kernel's cache of files was dropped."""
    try:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
        return True
    except OSError:
        return False


def clean(folder):
    shutil.rmtree(Path(folder) / "clickhouse", ignore_errors=True)
    (Path(folder) / "bench.duckdb").unlink(missing_ok=True)
