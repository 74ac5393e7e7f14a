"""Mixpanel's SDKs, unmodified: exact counts, persons and properties, and nothing lost that they believed delivered."""

import os
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path

import httpx
import pytest
from conftest import node
from shown import run_page
from tls_proxy import Proxy

HERE = Path(__file__).resolve().parent / "node"
N = 1000


@pytest.fixture
def proxy(server, tmp_path, monkeypatch):
    proxy = Proxy(tmp_path, server.port)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(proxy.cert))
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    yield proxy
    proxy.close()


def books(server, visible):
    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0 and identity["duplicate"] == 0, identity
    assert identity["visible"] == visible, identity


def test_python(server, proxy):
    from mixpanel import BufferedConsumer, Mixpanel

    consumer = BufferedConsumer(api_host=proxy.host)
    mp = Mixpanel(server.write_key, consumer)
    for i in range(10):
        mp.track("$device:anon-3", "landing", {"$device_id": "anon-3", "i": i})
    consumer.flush()
    for i in range(N):
        mp.track(f"user-{i % 50}", "play" if i % 2 else "search", {"i": i, "title": "naïve ☃ a+b/c="})
    mp.track("user-3", "$identify", {"$identified_id": "user-3", "$anon_id": "anon-3"})
    mp.track("old-four", "legacy")
    mp.track("user-5", "Charge", {"$amount": 29.5})
    consumer.flush()
    changes = [
        ("people_set", {"plan": "pro", "gone": 1}), ("people_set_once", {"plan": "free", "first": "x"}), ("people_increment", {"plays": 5}),
        ("people_increment", {"plays": -2}), ("people_append", {"tags": ["a", "b"]}), ("people_union", {"genres": ["jazz", "folk", "jazz"]}),
        ("people_remove", {"genres": "folk"}), ("people_unset", ["gone"]),
    ]
    for call, argument in changes:
        getattr(mp, call)("user-3", argument)
    mp.people_track_charge("user-3", 9.5)
    mp.people_set("user-6", {"plan": "pro"})
    mp.people_delete("user-6")
    mp.group_set("company", "acme", {"seats": 12})
    mp.group_union("company", "acme", {"cities": ["Bern"]})
    for i in range(120):
        mp.import_data(None, f"user-{i % 50}", "imported", 1_580_702_706 + i, api_secret="not-the-token")
    mp.merge(None, "user-4", "old-four", api_secret="not-the-token")
    consumer.flush()
    assert set(proxy.answers) == {200}

    books(server, visible=10 + N + 3 + len(changes) + 3 + 2 + 120 + 1)
    assert server.total("play") == 500 and server.total("search") == 500 and server.total("imported") == 120
    assert server.total("landing", "uniques") == 1
    # 50 users; anon-3 is user-3 and old-four is user-4.
    assert server.total("*", "uniques") == 50
    assert server.total("Charge", "sum", property="revenue") == 29.5
    three = server.get("persons/user-3")
    expected = {"plan": "pro", "first": "x", "plays": 3, "tags": [["a", "b"]], "genres": ["jazz"], "$transactions": [{"$amount": 9.5}]}
    found = {name: three["properties"].get(name) for name in expected}
    charges = found["$transactions"]
    found["$transactions"] = [{"$amount": charge["$amount"]} for charge in charges]
    assert found == expected and "gone" not in three["properties"], three
    assert "anon-3" in three["device_ids"]
    assert "plan" not in server.get("persons/user-6")["properties"]
    assert {"legacy", "play"} & {e["event"] for e in server.get("persons/user-4/timeline", limit=1000)["events"]} >= {"legacy"}


def test_node(server):
    done = subprocess.run([node(), "mixpanel.mjs", server.url, server.write_key], cwd=HERE, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    books(server, visible=1 + N + 1 + 9 + 2 + 1 + 1 + 120)
    assert server.total("play") == 500 and server.total("search") == 500 and server.total("imported") == 121
    assert server.total("play", "uniques") == 25
    # old-nine never sent an event of its own.
    assert server.total("*", "uniques") == 50
    assert server.total("*", "max", property="i") == 999
    person = server.get("persons/user-0003")
    expected = {"plan": "pro", "name": "naïve ☃ +/=", "plays": 3, "tags": [["a", "b"]], "genres": ["jazz"]}
    assert expected.items() <= person["properties"].items() and "stops" not in person["properties"], person
    assert "anon-0003" in person["device_ids"], person
    assert "landing" in {e["event"] for e in server.get("persons/user-0003/timeline", limit=1000)["events"]}


def test_what_was_delivered_is_there_once_whatever_fails(server, proxy):
    from mixpanel import Consumer, Mixpanel, MixpanelException

    mp = Mixpanel(server.write_key, Consumer(api_host=proxy.host, request_timeout=20))
    delivered, failed, stop = set(), set(), threading.Event()

    def send(ident):
        mp.track(f"user-{int(ident[:4], 16) % 50}", "beat", {"id": ident, "$insert_id": ident})

    def client():
        while not stop.is_set():
            ident = uuid.uuid4().hex
            try:
                send(ident)
                delivered.add(ident)
            except MixpanelException:
                failed.add(ident)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    # Short failures fit into what the SDK tries again, long ones do not.
    for mode, seconds in [("pass", 2), ("503", 1), ("pass", 2), ("reset", 1), ("pass", 1), ("503", 6), ("pass", 2)]:
        proxy.mode = mode
        time.sleep(seconds)
    os.kill(server.pids()["collect"], signal.SIGKILL)
    time.sleep(4)
    server.kill_all()
    server.start()
    time.sleep(2)
    stop.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert delivered and failed, (len(delivered), len(failed))

    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0, identity
    stored = [e["properties"]["id"] for e in server.all_events()]
    assert len(stored) == len(set(stored))
    assert delivered <= set(stored) <= delivered | failed
    # The program sends again what failed: under its insert id it counts once.
    for ident in failed:
        send(ident)
    server.settle()
    assert server.total("beat") == len(delivered | failed)


def test_import_names_what_failed_and_keeps_the_rest(server):
    def event(**properties):
        return {"event": "imported", "properties": {"time": 1_618_716_477, "distinct_id": "u", **properties}}

    answer = httpx.post(
        f"{server.url}/import?strict=1&project_id=7", auth=(server.write_key, ""),
        json=[event(**{"$insert_id": "1"}), event(), event(**{"$insert_id": "2", "time": "soon"}), event(**{"$insert_id": "3"})],
    )
    body = answer.json()
    assert answer.status_code == 400 and body["num_records_imported"] == 2, body
    assert [(r["index"], r["field"], r["insert_id"]) for r in body["failed_records"]] == [(1, "properties.$insert_id", ""), (2, "properties.time", "2")]
    lines = "\n".join(f'{{"event":"line","properties":{{"time":1618716477,"distinct_id":"u","$insert_id":"l{i}"}}}}' for i in range(2000))
    answer = httpx.post(f"{server.url}/import", auth=(server.write_key, ""), content=lines)
    assert answer.status_code == 200 and answer.json() == {"code": 200, "num_records_imported": 2000, "status": "OK"}
    books_of = server.settle()
    assert books_of["balanced"] and books_of["visible"] == 2002, books_of
    assert server.total("imported") == 2 and server.total("line") == 2000


def test_the_page_runs_as_it_stands(server, proxy):
    run_page("mixpanel.md", proxy, server.write_key)
    identity = server.settle()
    assert identity["dead"] == 0 and identity["visible"] == 8, identity
    assert server.total("Signed Up") == 5
    assert server.get("persons/user-1")["properties"]["logins"] == 1
