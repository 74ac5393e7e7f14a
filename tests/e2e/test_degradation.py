"""The table "What works without what" of docs/operating.md, row by row, on the real binary (A16-9, A16-3, H15-6)."""

import os
import signal
import sqlite3
import time

import httpx

from conftest import ADMIN_KEY, SECRET_KEY

CHART = {"type": "segmentation", "range": {"from": "2026-01-05", "to": "2026-01-06"}, "series": [{"event": "Buy", "measure": "totals"}], "interval": "day"}
EVENTS = [
    {"event": "Buy", "user_id": f"u{i}", "insert_id": f"b{i}", "time": "2026-01-05T10:00:00Z"} for i in range(20)
]


def total(answer):
    return sum(s["total"] for s in answer["series"])


def until(what, seconds=40):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = what()
            if found:
                return found
        # Until a loss is noticed, a moment later, an answer may be a refusal.
        except (httpx.HTTPError, KeyError, AssertionError):
            pass
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


def code(server, path, key=SECRET_KEY):
    return server.http.get(path, headers={"authorization": f"Bearer {key}"}).status_code


def freeze(server, *roles):
    for role in roles:
        os.kill(server.pids()[role], signal.SIGSTOP)


def thaw(server, *roles):
    for role in roles:
        os.kill(server.pids()[role], signal.SIGCONT)


def stocked(server):
    server.send(EVENTS, wait="visible")
    until(lambda: total(server.query(**CHART)) == 20)


def collects(server):
    assert server.send([{"event": "More", "user_id": "x"}])["accepted"] == 1


def public(server):
    return httpx.get(f"{server.url}/status/api/v2/summary.json", timeout=10).status_code


def test_without_process_charts_and_status_go_on(server):
    stocked(server)
    freeze(server, "process")
    collects(server)
    assert total(server.query(**CHART)) == 20
    assert (public(server), code(server, "/api/v1/operations/summary", ADMIN_KEY)) == (200, 200)
    thaw(server, "process")


def test_without_web_collecting_goes_on(server):
    stocked(server)
    freeze(server, "web")
    collects(server)
    thaw(server, "web")
    until(lambda: total(server.query(**CHART)) == 20)


def test_without_audit_and_watch_everything_else_goes_on(server):
    stocked(server)
    freeze(server, "audit", "watch")
    collects(server)
    assert total(server.query(**CHART)) == 20
    assert (public(server), code(server, "/api/v1/operations/summary", ADMIN_KEY)) == (200, 200)
    thaw(server, "audit", "watch")


def test_without_watch_db_charts_go_on_and_a_file_comes_back(server):
    stocked(server)
    for end in ("", "-wal", "-shm"):
        (server.data / f"watch.db{end}").unlink(missing_ok=True)
    collects(server)
    assert total(server.query(**CHART)) == 20


def test_what_only_the_auditor_found_is_a_gap_of_the_chart(server):
    stocked(server)
    until(lambda: server.query(**CHART)["complete"])
    now = int(time.time() * 1000)
    noon = 1767607200000
    body = ('{"key":"books/hole/live/0/3-7","kind":"hole","projects":[],"interval":{"shard":{"lane":"live","partition":0},'
            f'"from":3,"to":7}},"received":[{noon},{noon}],"count":4,"evidence":"planted","found":{now}}}')
    freeze(server, "audit")
    watch = sqlite3.connect(server.data / "watch.db", timeout=20)
    with watch:
        watch.execute("INSERT INTO reported (key, at, body) VALUES (?, ?, ?)", ("books/hole/live/0/3-7", now, body))
    told = until(lambda: (a := server.query(**CHART))["gaps"] and a)
    assert (told["complete"], told["gaps"][0]["state"], told["gaps"][0]["count"]) == (False, "unaccounted", 4)
    assert any(told["incomplete"])
    with watch:
        watch.execute("DELETE FROM reported")
    until(lambda: server.query(**CHART)["complete"])
    thaw(server, "audit")


def test_a_rule_that_was_just_published_does_not_send_the_watermark_to_1970(server):
    stocked(server)
    freeze(server, "process")
    rule = {"name": "bots", "reason": "test", "action": {"type": "drop", "events": ["Bot"], "conditions": []}}
    made = server.http.post("/api/v1/projects/shop/rules", json=rule)
    assert made.status_code == 201, made.text
    # The rule goes to every partition of every lane, most of which never had a record.
    seen = []
    end = time.monotonic() + 5
    while time.monotonic() < end:
        seen.append(server.query(**CHART)["complete_through"])
        seen.append(server.ledger()["complete_through"])
        time.sleep(0.3)
    thaw(server, "process")
    assert all(at is None or at > "2020" for at in seen), seen


def test_without_the_catalog_people_and_charts_stay(server):
    stocked(server)
    admin = httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {ADMIN_KEY}"}, timeout=30)
    assert admin.get("/api/v1/projects").status_code == 200
    for end in ("", "-wal", "-shm"):
        (server.data / f"catalog.db{end}").unlink(missing_ok=True)
    stale = until(lambda: (a := server.query(**CHART)).get("stale") and a)
    assert (total(stale), stale["complete"]) == (20, False)
    collects(server)
    assert public(server) == 200
    assert admin.get("/api/v1/projects").status_code == 200
    refused = admin.post("/api/v1/projects", json={"name": "new"})
    assert refused.status_code == 503, refused.text
    # Also after web was started again, which finds no catalog: who is known is known, changes are refused.
    os.kill(server.pids()["web"], signal.SIGKILL)
    until(lambda: admin.get("/api/v1/projects").json()["projects"][0]["name"] == "shop")
    assert public(server) == 200
    collects(server)
    assert admin.post("/api/v1/projects", json={"name": "new"}).status_code == 503
    assert not (server.data / "catalog.db").exists(), "nothing is made in its place"


def test_without_a_segment_other_charts_go_on(server):
    stocked(server)
    server.send([{"event": "Other", "user_id": "u", "time": "2026-03-05T10:00:00Z"}], wait="visible")
    files = sorted(p for p in (server.data / "objects").rglob("*.parquet"))
    assert files
    for file in files:
        file.unlink()
    # One that nobody asked before: an answer that is kept needs no file, and is still right.
    unasked = {**CHART, "series": [{**CHART["series"][0], "measure": "uniques"}]}
    answer = server.http.post("/api/v1/projects/shop/query", json=unasked)
    assert answer.status_code >= 400, "a chart that reads it says so"
    kept = server.http.post("/api/v1/projects/shop/query", json=CHART)
    assert kept.status_code >= 400 or total(kept.json()) == 20
    collects(server)
    assert public(server) == 200
    assert code(server, "/api/v1/projects/shop/ledger") == 200


def test_without_the_state_folder_everything_comes_back(server):
    import shutil

    stocked(server)
    server.stop()
    shutil.rmtree(server.data / "state")
    server.start()
    until(lambda: total(server.query(**CHART)) == 20)
    server.send(EVENTS, wait="visible")
    assert total(server.query(**CHART)) == 20, "what was sent again is a duplicate"


def test_another_event_with_a_known_insert_id_is_a_counted_conflict(server):
    stocked(server)
    server.send(EVENTS[:3], wait="visible")
    other = {**EVENTS[5], "properties": {"price": 7}}
    server.send([other], wait="visible")
    told = until(lambda: (l := server.ledger())["conflicts"]["total"] and l)
    assert (told["conflicts"]["total"], told["identity"]["duplicate"]) == (1, 4)
    assert told["identity"]["balanced"]


def test_canaries_come_through_and_nobody_sees_their_project(make_server):
    server = make_server()
    server.data.mkdir(parents=True)
    (server.data / "watch.toml").write_text("[thresholds]\ncanary_every_s = 1.0\n")
    server.start()
    admin = {"authorization": f"Bearer {ADMIN_KEY}"}
    events = until(lambda: server.http.get("/api/v1/projects/%24canary/events", headers=admin).json()["events"])
    lanes = until(lambda: {e["properties"]["lane"] for e in server.http.get(
        "/api/v1/projects/%24canary/events?limit=500", headers=admin).json()["events"]} == {"live", "bulk"})
    assert lanes and events[0]["event"] == "$canary"
    listed = server.http.get("/api/v1/projects", headers=admin).json()["projects"]
    assert [p["name"] for p in listed] == ["shop"]
    assert server.ledger()["identity"]["acknowledged"] == 0, "no customer's books hold them"
