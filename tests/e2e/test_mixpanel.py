"""Mixpanel's Python SDK, unmodified: exact counts, persons and properties; and what `/import` says. Node's is in `test_node_sdks.py`."""

import httpx
import pytest
from door import Door
from journey import ORDERS, VISITS, check_visits_and_orders, ms

N = 1000


@pytest.fixture
def door(server, tmp_path, monkeypatch):
    door = Door(server, tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(door.cert))
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    yield door
    door.shut()


def books(server, visible):
    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0 and identity["duplicate"] == 0, identity
    assert identity["visible"] == visible, identity


def test_python(server, door):
    from mixpanel import BufferedConsumer, Mixpanel

    consumer = BufferedConsumer(api_host=door.host)
    mp = Mixpanel(server.write_key, consumer)
    for i in range(10):
        mp.track("$device:anon-3", "landing", {"$device_id": "anon-3", "i": i})
    consumer.flush()
    for i in range(N):
        mp.track(f"user-{i % 50}", "play" if i % 2 else "search", {"i": i, "title": "naïve ☃ a+b/c="})
    mp.track("user-3", "$identify", {"$identified_id": "user-3", "$anon_id": "anon-3"})
    mp.track("old-four", "legacy")
    for time, _ in VISITS:
        mp.track("user-5", "visit", {"time": ms(time)})
    for price, quantity in ORDERS:
        mp.track("user-5", "Charge", {"$amount": price * quantity})
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
    assert set(door.answers) == {200}

    books(server, visible=10 + N + 2 + 6 + len(changes) + 3 + 2 + 120 + 1)
    # Mixpanel's events have no session: pauses make them.
    check_visits_and_orders(server, sessions=3)
    assert server.total("play") == 500 and server.total("search") == 500 and server.total("imported") == 120
    assert server.total("landing", "uniques") == 1
    # 50 users; anon-3 is user-3 and old-four is user-4.
    assert server.total("*", "uniques") == 50
    three = server.get("persons/user-3")
    expected = {"plan": "pro", "first": "x", "plays": 3, "tags": [["a", "b"]], "genres": ["jazz"], "$transactions": [{"$amount": 9.5}]}
    found = {name: three["properties"].get(name) for name in expected}
    charges = found["$transactions"]
    found["$transactions"] = [{"$amount": charge["$amount"]} for charge in charges]
    assert found == expected and "gone" not in three["properties"], three
    assert "anon-3" in three["device_ids"]
    assert "plan" not in server.get("persons/user-6")["properties"]
    assert {"legacy", "play"} & {e["event"] for e in server.get("persons/user-4/timeline", limit=1000)["events"]} >= {"legacy"}


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
