"""The command line: demo, import, query, verify; and verify's power to find what is wrong."""

import json
import shutil
import sqlite3


def test_demo_twice_adds_nothing(server, tmp_path):
    arguments = ["demo", "--events", 20_000, "--days", 30, "--project", "shop", "--until", 1_790_000_000_000, "--data", server.data]
    server.cli(*arguments)
    first = server.settle()
    server.cli(*arguments)
    second = server.settle()
    assert first["visible"] > 10_000 and second["visible"] == first["visible"]
    assert second["duplicate"] == first["visible"]
    # People who visited before they had an account are one person each.
    assert server.total("Signed Up", "uniques") == server.total("Signed Up")
    file = tmp_path / "demo.ndjson"
    server.cli("demo", "--events", 20_000, "--days", 30, "--until", 1_790_000_000_000, "--out", file)
    assert sum(1 for _ in file.open()) == first["visible"]

    query = tmp_path / "funnel.json"
    query.write_text(json.dumps({
        "type": "funnel", "steps": [{"event": "Signed Up"}, {"event": "Song Played"}, {"event": "Upgraded"}],
        "window": {"n": 14, "unit": "day"}, "range": {"from": "2026-08-01", "to": "2026-09-30"}, "breakdown": {"property": "platform"},
    }))
    table = server.cli("query", query, "--project", "shop", "--data", server.data).stdout
    assert "android" in table and "of previous" in table
    csv = server.cli("query", query, "--project", "shop", "--format", "csv", "--data", server.data).stdout
    assert csv.startswith("group,step,people")


def test_import_reports_bad_rows_and_goes_on(server, tmp_path):
    rows = [json.dumps({"event": "row", "user_id": f"u{i}", "time": "2026-01-02T03:04:05Z"}) for i in range(10)]
    rows[3] = "{broken"
    rows[7] = json.dumps({"user_id": "no event"})
    file = tmp_path / "rows.ndjson"
    file.write_text("\n".join(rows))
    arguments = ["import", file, "--project", "shop", "--data", server.data, "--state", tmp_path / "state", "--json"]
    done = server.cli(*arguments, check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 2 and report["rejected"] == 2
    assert [line for line, _ in report["rejects"]] == [4, 8]
    server.settle()
    assert server.total("row") == 8
    again = json.loads(server.cli(*arguments, check=False).stdout)
    assert again["sent"] == 0 and again["skipped"] == 10


def test_verify_finds_planted_faults(make_server):
    server = make_server().start()
    for i in range(5):
        server.send([{"event": "e", "user_id": f"u{i}-{j}", "insert_id": f"{i}-{j}"} for j in range(200)], wait="visible")
    server.send([{"event": "e", "user_id": "u0-0", "insert_id": "0-0"}], wait="visible")
    server.stop()
    healthy = json.loads(server.cli("verify", "--data", server.data, "--json").stdout)
    assert healthy["visible"] == 1000 and healthy["duplicate"] == 1 and healthy["violations"] == []

    def planted(name, spoil):
        copy = server.data.parent / name
        shutil.copytree(server.data, copy, ignore=shutil.ignore_patterns("*.sock"))
        spoil(copy)
        done = server.cli("verify", "--data", copy, "--json", check=False)
        assert done.returncode == 2, (name, done.stdout, done.stderr)
        return json.loads(done.stdout)["violations"]

    def damage_a_segment(copy):
        segment = next((copy / "objects/segments").rglob("*.parquet"))
        data = bytearray(segment.read_bytes())
        data[len(data) // 3] ^= 0x40
        segment.write_bytes(bytes(data))

    def forget_a_segment(copy):
        db = sqlite3.connect(copy / "catalog.db")
        db.execute("DELETE FROM segments WHERE id = (SELECT min(id) FROM segments)")
        db.commit()
        db.close()

    def lose_a_delta(copy):
        for delta in (copy / "objects/deltas").rglob("*.delta"):
            delta.unlink()
            return

    assert any("I4" in v for v in planted("damaged", damage_a_segment))
    assert any("no outcome" in v or "I4" in v for v in planted("forgotten", forget_a_segment))
    assert any("I8" in v for v in planted("lost", lose_a_delta))
