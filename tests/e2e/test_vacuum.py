"""Files of folders and buckets: each row once, whatever is killed, changed, broken or read again."""

import gzip
import io
import json
import os
import random
import re
import shlex
import signal
import subprocess
import time
import zipfile

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from conftest import BINARY, ROOT
from test_backup_s3 import client, moto  # noqa: F401 (a fixture)
from test_books import until

DAY = "2026-01-02T03:04:05Z"


@pytest.fixture
def bucket(moto, monkeypatch):  # noqa: F811
    """An empty bucket; its keys in the environment of everything that is started."""
    httpx.post(f"{moto}/moto-api/reset").raise_for_status()
    for name, value in {
        "AWS_ENDPOINT_URL": moto, "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret",
    }.items():
        monkeypatch.setenv(name, value)
    s3 = client("s3", moto)
    s3.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return s3


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def events(name, count, **more):
    return [{"event": name, "time": DAY, "user_id": f"u{i % 50}", "properties": {"n": i}, **more} for i in range(count)]


def run(server, *args, code=0):
    done = server.cli("vacuum", *args, "--json", check=False)
    assert done.returncode == code, f"{args} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def status(server):
    return json.loads(server.cli("vacuum", "status", "--json", check=False).stdout)


def taken(server, name, files):
    """Waits until the server has taken so many files of a source."""
    until(f"{files} files of {name}", lambda: status(server).get(name, {}).get("taken", 0) >= files and not status(server)[name]["now"]["working"], 90)
    server.settle()


def test_a_folder_of_every_format_is_taken_once_and_rows_are_traced(server, tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.ndjson").write_bytes(lines(events("plain", 10)))
    (folder / "deep" / "b.json.gz").write_bytes(gzip.compress(lines(events("packed", 20))))
    (folder / "c.jsonl.zst").write_bytes(zstandard.compress(lines(events("packed", 30))))
    rows = events("column", 40)
    columns = {
        "event": [r["event"] for r in rows], "user_id": [r["user_id"] for r in rows],
        "time": pa.array([1767323045678] * 40, pa.timestamp("ms", tz="UTC")),
        "properties": pa.array([{"n": i, "fine": i / 8} for i in range(40)]),
    }
    pq.write_table(pa.table(columns), folder / "d.parquet")  # as pyarrow does it: Snappy
    with zipfile.ZipFile(folder / "e.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1/x.json", lines(events("zipped", 5)))
        archive.writestr("1/y.json.gz", gzip.compress(lines(events("zipped", 6))))
    (folder / "readme.txt").write_text("not events")
    where = ["--from", folder, "--project", "shop", "--settle", "0"]

    planned = run(server, "plan", *where)["by-hand"]
    assert (planned["objects"], planned["rows"], planned["added"], planned["duplicates"]) == (5, 111, 111, 0)
    assert planned["events"] == {"plain": 10, "packed": 50, "column": 40, "zipped": 11}
    assert planned["unknown"] == ["readme.txt"] and len(planned["samples"]) == 5
    assert list(server.all_events()) == [], "a plan sends nothing"

    report = run(server, "run", *where, code=2)["by-hand"]  # 2: there is a file that says nothing to it
    assert (report["taken"], report["rows"], report["rejected"]) == (5, 111, 0)
    server.settle()
    totals = {name: server.total(name) for name in ("plain", "packed", "column", "zipped")}
    assert totals == {"plain": 10, "packed": 50, "column": 40, "zipped": 11}
    again = run(server, "run", *where, code=2)["by-hand"]
    assert (again["taken"], again["known"], again["rows"]) == (0, 5, 0)
    planned = run(server, "plan", *where)["by-hand"]
    assert (planned["objects"], planned["known"]) == (0, 5)

    series = [{"event": "packed", "measure": "totals", "where": [{"property": "$source_object", "op": "is", "value": "deep/b.json.gz"}]}]
    assert server.query(type="segmentation", series=series, range={"from": "2026-01-01", "to": "2026-01-03"}, interval="none")["series"][0]["total"] == 20
    found = [e for e in server.all_events() if e["properties"]["$source_object"] == "a.ndjson" and e["properties"]["$source_row"] == 4]
    assert [e["properties"]["n"] for e in found] == [3]

    # The record is lost: everything is read again, under the same ids.
    (server.data / "vacuum" / "record.ndjson").unlink()
    planned = run(server, "plan", *where)["by-hand"]
    assert (planned["rows"], planned["added"], planned["duplicates"]) == (111, 0, 111)
    assert run(server, "run", *where, code=2)["by-hand"]["rows"] == 111
    identity = server.settle()
    assert (identity["visible"], identity["duplicate"]) == (111, 111) and identity["balanced"], identity


def test_mapped_rows_bad_rows_and_their_report(server, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    with gzip.open(folder / "orders.csv.gz", "wt") as file:
        file.write("id,customer,total,at\n1,c1,9.5,2026-01-02 03:04:05\n2,c2\n3,c3,12,soon\n4,c4,1,2026-01-02 03:04:06\n")
    (tmp_path / "map.toml").write_text(
        "event = \"'order'\"\nuser_id = 'row.customer'\ntime = 'row.at'\n[properties]\ntotal = 'num.total'\n"
    )
    where = ["--from", folder, "--project", "shop", "--settle", "0", "--map", tmp_path / "map.toml"]
    planned = run(server, "plan", "orders", *where, code=2)["orders"]
    assert (planned["added"], planned["rejected"]) == (2, 2)
    assert [(r["row"], r["text"][:5]) for r in planned["rejects"]] == [(3, "2c2"), (4, '{"id"')]
    report = run(server, "run", "orders", *where, code=2)["orders"]
    assert (report["rows"], report["rejected"], report["taken"]) == (2, 2, 1)
    rejects = run(server, "rejects", "orders")
    assert rejects["all"] == 2 and "2 fields where the header has 4" in rejects["rejects"][0]["why"]
    assert rejects["rejects"][1]["row"] == 4 and "soon" in rejects["rejects"][1]["why"]
    server.settle()
    assert server.total("order") == 2


EXPORTS = {
    "amplitude-export": [
        {"event_type": "buy", "user_id": "ann", "device_id": "d1", "event_time": "2026-01-02 03:04:05.678000", "$insert_id": "i1",
         "uuid": "x", "event_properties": {"price": 5}, "user_properties": {"plan": "pro"}, "groups": {}, "amplitude_id": 7},
    ],
    "posthog-export": [
        {"uuid": "0197-a", "event": "buy", "timestamp": DAY, "distinct_id": "ann", "properties": json.dumps({"price": 5}),
         "set": {"plan": "pro"}, "person_id": "p", "team_id": 1},
    ],
    "mixpanel-export": [
        {"event": "buy", "properties": {"time": 1767323045, "distinct_id": "ann", "$insert_id": "i1", "price": 5}},
    ],
    "segment-export": [
        {"type": "track", "event": "buy", "userId": "ann", "messageId": "m1", "timestamp": DAY, "receivedAt": DAY, "sentAt": DAY,
         "originalTimestamp": DAY, "properties": {"price": 5}, "context": {"traits": {"plan": "pro"}}},
    ],
}


def test_what_others_export_is_understood_and_their_ids_are_kept(server, tmp_path):
    for name, rows in EXPORTS.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "x_2026-01-02_3#0.json.gz").write_bytes(gzip.compress(lines(rows * 2)))
        report = run(server, "run", name, "--from", folder, "--project", "shop", "--format", name, "--settle", "0")[name]
        assert (report["rows"], report["rejected"]) == (2, 0), name
    identity = server.settle()
    # Both Amplitude's and Mixpanel's are called i1, but only one of the two came from a device.
    assert (identity["visible"], identity["duplicate"]) == (4, 4), identity
    for event in server.all_events():
        assert (event["event"], event["user_id"], event["properties"]["price"]) == ("buy", "ann", 5), event
        assert event["time"].startswith("2026-01-02T03:04:05"), event


def test_a_bucket_is_watched_and_a_changed_object_is_reported(bucket, make_server):
    server = make_server().start()
    put = lambda key, body: bucket.put_object(Bucket="exports", Key=key, Body=body)  # noqa: E731
    put("logs/ds=2026-01-02/a#1 b.json.gz", gzip.compress(lines(events("a", 100))))
    put("logs/ds=2026-01-02/other.txt", b"no")
    put("elsewhere/c.json", lines(events("c", 5)))
    server.cli("vacuum", "add", "logs", "--from", "s3://exports/logs", "--project", "shop", "--match", r"\.json(\.gz)?$", "--every", "1")
    taken(server, "logs", 1)
    assert (server.total("a"), server.total("c")) == (100, 0)
    put("logs/ds=2026-01-03/b.json", lines(events("b", 3000)))
    taken(server, "logs", 2)
    assert server.total("b") == 3000

    put("logs/ds=2026-01-03/b.json", lines(events("b", 4000)))
    until("the change to be reported", lambda: status(server)["logs"]["now"]["changed"] == ["logs/ds=2026-01-03/b.json"])
    assert "changed after it was taken" in server.cli("vacuum", "status", check=False).stdout
    server.settle()
    assert server.total("b") == 3000
    server.cli("vacuum", "accept", "logs", "logs/ds=2026-01-03/b.json", "--rest")
    until("the rest", lambda: server.total("b") == 4000, 60)
    assert server.cli("vacuum", "status").returncode == 0

    # Another name for the same objects takes nothing again, also after a restart.
    server.cli("vacuum", "remove", "logs")
    server.stop()
    server.cli("vacuum", "add", "renamed", "--from", "s3://exports/logs/ds=2026-01-03", "--project", "shop", "--every", "1")
    server.start()
    until("a round", lambda: status(server).get("renamed", {}).get("now", {}).get("done") == 1)
    identity = server.settle()
    assert identity["visible"] == 4100 and identity["duplicate"] == 0 and identity["balanced"], identity
    assert json.loads(server.cli("vacuum", "list", "--json").stdout)[0]["name"] == "renamed"


def test_everything_is_killed_again_and_again_and_each_row_is_there_once(bucket, make_server):
    server = make_server().start()
    files, rows = 12, 4000
    for i in range(files):
        bucket.put_object(Bucket="exports", Key=f"logs/{i:02}.json.gz", Body=gzip.compress(lines(events("e", rows, device_id=f"d{i}"))))
    server.cli("vacuum", "add", "logs", "--from", "s3://exports/logs", "--project", "shop", "--every", "1", "--parallel", "3")
    chance = random.Random(7)
    killed = 0
    for _ in range(60):
        time.sleep(chance.uniform(0.1, 0.7))
        if status(server).get("logs", {}).get("taken") == files:
            break
        victim = chance.choice(["vacuum", "vacuum", "vacuum", "collect", "process", "serve"])
        if victim == "serve":
            server.kill_all()
            server.start()
        elif pid := server.pids().get(victim):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        killed += 1
    assert killed >= 3, "it was done before anything could happen"
    taken(server, "logs", files)
    identity = server.settle()
    assert identity["visible"] == files * rows and identity["balanced"], identity
    assert server.total("e") == files * rows
    seen = {}
    for event in server.all_events():
        at = (event["properties"]["$source_object"], event["properties"]["$source_row"])
        seen[at] = seen.get(at, 0) + 1
    assert len(seen) == files * rows and set(seen.values()) == {1}
    server.stop()
    proof = server.cli("verify", "--data", server.data, check=False)
    assert proof.returncode == 0, proof.stdout + proof.stderr


@pytest.mark.parametrize("step", ["vacuum_read", "vacuum_acknowledged", "vacuum_acknowledged:2", "vacuum_rejected", "vacuum_noted", "vacuum_before_end"])
def test_a_run_that_dies_between_two_steps_goes_on(server, tmp_path, monkeypatch, step):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.ndjson").write_bytes(lines(events("e", 5000)) + b"{oops\n")
    where = ["--from", folder, "--project", "shop", "--settle", "0"]
    monkeypatch.setenv("TALLYMARK_FAILPOINT", step)
    assert server.cli("vacuum", "run", *where, check=False).returncode == -signal.SIGABRT
    monkeypatch.delenv("TALLYMARK_FAILPOINT")
    done = server.cli("vacuum", "run", *where, check=False)
    assert done.returncode in (0, 2), done  # 0: the bad row was written down before
    assert run(server, "rejects", "by-hand")["all"] == 1
    identity = server.settle()
    assert identity["visible"] == 5000 and identity["balanced"], identity


def test_a_backup_brings_the_record_along(server, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.ndjson").write_bytes(lines(events("e", 10)))
    server.cli("vacuum", "add", "logs", "--from", folder, "--project", "shop", "--every", "1", "--settle", "0")
    taken(server, "logs", 1)
    server.cli("backup", "--to", f"file:{tmp_path / 'backup'}")
    server.stop()
    restored = tmp_path / "restored"
    server.cli("restore", "--from", f"file:{tmp_path / 'backup'}", "--data", restored)
    assert (restored / "vacuum.toml").read_bytes() == (server.data / "vacuum.toml").read_bytes()
    server.data = restored
    server.start()
    until("a round", lambda: status(server)["logs"]["now"].get("done") == 1)
    identity = server.settle()
    assert (identity["visible"], identity["duplicate"]) == (10, 0), identity


def test_what_cannot_be_used_says_what_to_do(server, tmp_path):
    def fails(*args):
        done = server.cli("vacuum", *args, check=False)
        assert done.returncode == 1, done
        return done.stderr

    assert "names no source" in fails("run")
    assert "see `tallymark vacuum list`" in fails("run", "nobody")
    assert "credentials do not belong" in fails("add", "x", "--from", "s3://id:planted@bucket/x", "--project", "shop")
    assert "planted" not in fails("add", "x", "--from", "s3://id:planted@bucket/x", "--project", "shop")
    assert "no such" in fails("run", "--from", tmp_path / "none", "--project", "shop").lower()
    assert "nowhere" in fails("plan", "--from", tmp_path, "--project", "nowhere")
    (server.data / "vacuum.toml").write_text("[[source]]\nname = 'x'\n")
    assert "vacuum.toml" in fails("list") and server.total("x") == 0
    (server.data / "vacuum.toml").unlink()


@pytest.mark.parametrize("page", ["docs/sources/folders.md", "docs/sources/s3.md"])
def test_commands_of_a_page(bucket, make_server, tmp_path, page):
    server = make_server().start()
    for folder in ("exports", "amplitude"):
        (tmp_path / folder).mkdir()
    (tmp_path / "exports" / "a.ndjson").write_bytes(lines(events("a", 3)))
    (tmp_path / "exports" / "orders.csv").write_text("id,customer,total\n1,c1,9.5\n")
    (tmp_path / "mapping.toml").write_text("event = \"'order'\"\nuser_id = \"row.customer\"\n[properties]\ntotal = \"num.total\"\n")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("1/1_2026-01-02_3#0.json.gz", gzip.compress(lines(EXPORTS["amplitude-export"])))
    (tmp_path / "amplitude" / "export.zip").write_bytes(archive.getvalue())
    bucket.put_object(Bucket="exports", Key="shop/a.json", Body=lines(events("a", 3)))
    bucket.put_object(Bucket="exports", Key="segment-logs/s1/1767312000000/1.gz", Body=gzip.compress(lines(EXPORTS["segment-export"])))
    text = (ROOT / page).read_text()
    shown = [line.split(" #")[0].strip() for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()]
    shown = [line for line in shown if line.startswith("tallymark ")]
    assert len(shown) > 4, f"{page} shows no commands"
    for line in shown:
        done = subprocess.run(
            [str(BINARY), *shlex.split(line)[1:]], cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "TALLYMARK_DATA": str(server.data)},
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        server.settle()
