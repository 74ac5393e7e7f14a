"""What clients see at the port: protocols, encodings, limits, errors, receipts, isolation."""

import gzip
import json
import time

import httpx
import pytest
import zstandard
from conftest import ADMIN_KEY, SECRET_KEY, WRITE_KEY

AUTH = {"authorization": f"Bearer {WRITE_KEY}"}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    from conftest import Server

    server = Server(tmp_path_factory.mktemp("door") / "data").start()
    yield server
    server.stop()


def test_http2_without_tls(door):
    with httpx.Client(http1=False, http2=True) as client:
        answer = client.post(f"{door.url}/api/v1/events", headers=AUTH, json={"events": [{"event": "h2", "user_id": "u"}]})
    assert answer.http_version == "HTTP/2" and answer.json()["accepted"] == 1


def test_good_events_are_kept_beside_bad_ones(door):
    answer = door.send([
        {"event": "good", "user_id": "u1"},
        {"event": 7, "user_id": "u1"},
        {"user_id": "u1"},
        {"event": "good", "user_id": "u2", "time": "not a time"},
        {"event": "good", "user_id": "u3", "properties": []},
        {"event": "good", "user_id": "u4", "properties": {"a": 1}},
        "nonsense",
    ])
    rejected = {r["index"]: r for r in answer["rejected"]}
    assert {1, 2, 4, 6} <= set(rejected) and 0 not in rejected and 5 not in rejected
    assert answer["accepted"] == 7 - len(rejected)
    assert all(r["code"] and r["message"] for r in rejected.values())
    door.settle()
    assert door.total("good") == answer["accepted"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "magic"])
def test_compressed_bodies(door, encoding):
    body = json.dumps({"events": [{"event": f"packed {encoding}", "user_id": "u"}] * 3}).encode()
    headers = dict(AUTH)
    if encoding == "zstd":
        body, headers["content-encoding"] = zstandard.compress(body), "zstd"
    else:
        body = gzip.compress(body)
        if encoding == "gzip":
            headers["content-encoding"] = "gzip"
    answer = httpx.post(f"{door.url}/api/v1/events", content=body, headers=headers)
    assert answer.status_code == 200 and answer.json()["accepted"] == 3, answer.text


def test_bombs_and_depth_are_refused_without_harm(door):
    bomb = gzip.compress(b'{"events":[' + b" " * (256 << 20) + b"]}")
    answer = httpx.post(f"{door.url}/api/v1/events", content=bomb, headers={**AUTH, "content-encoding": "gzip"}, timeout=60)
    assert answer.status_code == 413, answer.text
    deep = b'{"events":[{"event":"deep","user_id":"u","properties":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}]}"
    answer = httpx.post(f"{door.url}/api/v1/events", content=deep, headers=AUTH)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        assert answer.json()["accepted"] == 0 and answer.json()["rejected"]
    assert door.send([{"event": "after", "user_id": "u"}])["accepted"] == 1


def test_receipts_and_waiting(door):
    answer = door.send([{"event": "waited for", "user_id": "u", "insert_id": "w1"}, {"event": "waited for", "user_id": "u", "insert_id": "w1"}], wait="visible")
    receipt = door.http.get(f"/api/v1/receipts/{answer['receipt']}").json()
    assert receipt["durable"] is True and receipt["visible"] is True
    assert receipt["outcomes"] == {"visible": 1, "duplicate": 1, "filtered": 0, "dead": 0, "pending": 0}, receipt
    assert door.total("waited for") == 1


def test_an_unknown_key_is_kept_as_a_dead_letter(door):
    before = door.ledger()["instance"]["dead"]
    answer = door.send([{"event": "lost child", "user_id": "u"}], key="wk_nobody_0123456789abcdef", wait="visible")
    assert answer["accepted"] == 1
    assert door.ledger()["instance"]["dead"] == before + 1
    assert door.total("lost child") == 0


def test_no_key_is_refused_with_help(door):
    answer = httpx.post(f"{door.url}/api/v1/events", json={"events": [{"event": "x", "user_id": "u"}]})
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["code"].startswith("TM") and error["message"] and error["hint"]


def test_a_write_key_cannot_read(door):
    for path in ("", "/events", "/persons", "/schema", "/ledger", "/dead-letters"):
        answer = httpx.get(f"{door.url}/api/v1/projects/shop{path}", headers=AUTH)
        assert answer.status_code in (401, 403), (path, answer.status_code)
    answer = httpx.post(f"{door.url}/api/v1/projects/shop/query", headers=AUTH, json={"type": "segmentation", "series": [{"event": "*"}]})
    assert answer.status_code in (401, 403)


def test_projects_cannot_see_each_other(door):
    made = httpx.post(f"{door.url}/api/v1/projects", headers={"authorization": f"Bearer {ADMIN_KEY}"}, json={"name": "other", "timezone": "Asia/Tokyo"})
    assert made.status_code == 201, made.text
    other = made.json()
    door.send([{"event": "canary", "user_id": "canary-user", "properties": {"canary": "yes"}}], key=other["write_key"], wait="visible")
    for path in ("", "/events", "/persons", "/schema", "/ledger", "/dead-letters", "/persons/canary-user"):
        answer = door.http.get(f"/api/v1/projects/{other['id']}{path}")
        assert answer.status_code in (403, 404), (path, answer.status_code, answer.text)
        assert "canary" not in answer.text
    assert door.total("canary") == 0
    assert "canary" not in door.http.get("/api/v1/projects/shop/schema").text
    theirs = httpx.get(f"{door.url}/api/v1/projects/other/events", headers={"authorization": f"Bearer {other['secret_key']}"}).json()
    assert [e["event"] for e in theirs["events"]] == ["canary"]


@pytest.mark.parametrize("rule, owner", [("last_user", "second"), ("first_user", "first")])
def test_a_shared_device_belongs_to_whom_the_project_says(door, rule, owner):
    body = {"name": f"kiosk {rule}", "identity": {"shared_device": rule}}
    made = httpx.post(f"{door.url}/api/v1/projects", headers={"authorization": f"Bearer {ADMIN_KEY}"}, json=body).json()
    door.send([
        {"event": "login", "device_id": "kiosk", "user_id": "first"},
        {"event": "login", "device_id": "kiosk", "user_id": "second"},
        {"event": "browse", "device_id": "kiosk"},
    ], key=made["write_key"], wait="visible")
    auth = {"authorization": f"Bearer {made['secret_key']}"}
    for user in ("first", "second"):
        page = httpx.get(f"{door.url}/api/v1/projects/{made['id']}/persons/{user}/timeline", headers=auth).json()
        assert ("browse" in [e["event"] for e in page["events"]]) == (user == owner), (rule, user, page)


def test_amplitude_answers(door):
    event = {"event_type": "tone", "user_id": "listener-1", "insert_id": "a1"}
    answer = httpx.post(f"{door.url}/2/httpapi", json={"api_key": WRITE_KEY, "events": [event]}).json()
    assert answer["code"] == 200 and answer["events_ingested"] == 1 and answer["server_upload_time"] > 0
    bad = httpx.post(f"{door.url}/2/httpapi", json={"api_key": WRITE_KEY, "events": [event, {"user_id": "listener-1"}]})
    assert bad.status_code == 400 and bad.json()["events_with_missing_fields"] == {"event_type": [1]}, bad.text
    missing = httpx.post(f"{door.url}/2/httpapi", json={"events": [event]})
    assert missing.status_code == 400 and missing.json()["missing_field"] == "api_key"
    batch = httpx.post(f"{door.url}/batch", json={"api_key": WRITE_KEY, "events": [{**event, "insert_id": "a2"}]})
    assert batch.status_code == 200 and batch.json()["code"] == 200
    form = httpx.post(f"{door.url}/identify", data={"api_key": WRITE_KEY, "identification": json.dumps([{"user_id": "listener-1", "user_properties": {"$set": {"tier": "gold"}}}])})
    assert form.status_code == 200 and "success" in form.text
    v1 = httpx.post(f"{door.url}/httpapi", data={"api_key": WRITE_KEY, "event": json.dumps([{**event, "insert_id": "a3"}])})
    assert v1.status_code == 200 and "success" in v1.text
    door.settle()
    assert door.total("tone") == 3
    assert door.get("persons/listener-1")["properties"]["tier"] == "gold"


def test_posthog_shapes(door):
    import base64

    event = {"event": "ph", "distinct_id": "ph-user", "properties": {"n": 1}}
    single = {"api_key": WRITE_KEY, **event, "uuid": "018f0000-0000-7000-8000-000000000001"}
    assert httpx.post(f"{door.url}/capture/", json=single).status_code == 200
    batch = {"api_key": WRITE_KEY, "batch": [{**event, "uuid": "018f0000-0000-7000-8000-000000000002"}]}
    assert httpx.post(f"{door.url}/batch/", json=batch).json()["status"] in (1, "Ok")
    listed = [{**event, "uuid": "018f0000-0000-7000-8000-000000000003", "properties": {"token": WRITE_KEY}}]
    form = {"data": base64.b64encode(json.dumps(listed).encode()).decode()}
    assert httpx.post(f"{door.url}/e/", data=form).status_code == 200
    packed = gzip.compress(json.dumps({**batch, "batch": [{**event, "uuid": "018f0000-0000-7000-8000-000000000004"}]}).encode())
    answer = httpx.post(f"{door.url}/i/v0/e/?compression=gzip-js", content=packed, headers={"content-type": "text/plain", "origin": "https://shop.example"})
    assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == "https://shop.example"
    flags = httpx.post(f"{door.url}/flags/?v=2", json={"token": WRITE_KEY, "distinct_id": "x"}).json()
    assert flags["flags"] == {} and flags["errorsWhileComputingFlags"] is False
    decide = httpx.post(f"{door.url}/decide/?v=3", json={"token": WRITE_KEY, "distinct_id": "x"}).json()
    assert decide["featureFlags"] == {} and decide["supportedCompression"]
    door.settle()
    assert door.total("ph") == 4 and door.total("ph", "uniques") == 1


def test_segment_calls(door):
    auth = (WRITE_KEY, "")
    common = {"userId": "seg-user", "messageId": "m"}
    calls = {
        "track": {"event": "seg", "properties": {"n": 1}}, "identify": {"traits": {"plan": "pro"}}, "page": {"name": "Home"},
        "screen": {"name": "Main"}, "group": {"groupId": "acme", "traits": {"seats": 3}}, "alias": {"previousId": "seg-old"},
    }
    for call, more in calls.items():
        answer = httpx.post(f"{door.url}/v1/{call}", json={**common, **more, "messageId": f"m-{call}"}, auth=auth)
        assert answer.status_code == 200 and answer.json()["success"] is True, (call, answer.text)
    answer = httpx.post(f"{door.url}/v1/batch", json={"batch": [{"type": "track", **common, "messageId": "m-b", "event": "seg"}], "writeKey": WRITE_KEY})
    assert answer.status_code == 200
    assert httpx.post(f"{door.url}/v1/track", content=b"{oops", auth=auth).status_code == 400
    door.settle()
    assert door.total("seg") == 2 and door.get("persons/seg-user")["properties"]["plan"] == "pro"


def test_queries_are_refused_by_name_and_never_abort(door):
    def ask(query):
        return door.http.post("/api/v1/projects/shop/query", json={"range": {"last": 7, "unit": "day"}, **query})

    for query, word in [
        ({"type": "teapot"}, "teapot"),
        ({"type": "segmentation", "series": [{"event": "x", "measure": "vibes"}]}, "vibes"),
        ({"type": "segmentation", "series": [{"event": "x"}], "colour": 1}, "colour"),
        ({"type": "funnel", "steps": [{"event": "a"}] * 50}, "steps"),
        ({"type": "segmentation", "series": [{"event": "x", "where": [{"property": "p", "op": "regex", "value": "("}]}]}, "regular expression"),
    ]:
        answer = ask(query)
        assert answer.status_code == 400 and word in answer.text, (query, answer.text)
    where = {"property": "p", "op": "is", "value": 1}
    for _ in range(200):
        where = {"all": [where]}
    assert ask({"type": "segmentation", "series": [{"event": "x", "where": [where]}]}).status_code == 400
    wide = [{"any": [{"property": "p", "op": "is", "value": i} for i in range(20_000)]}]
    assert ask({"type": "segmentation", "series": [{"event": "x", "where": wide}]}).status_code == 400
    assert ask({"type": "segmentation", "series": [{"event": "good"}]}).status_code == 200


def test_live_tail(door):
    with httpx.stream("GET", f"{door.url}/api/v1/projects/shop/events", headers={"authorization": f"Bearer {SECRET_KEY}", "accept": "text/event-stream"}, timeout=30) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        door.send([{"event": "seen live", "user_id": "u"}])
        end = time.monotonic() + 20
        for line in stream.iter_lines():
            if line.startswith("data:") and json.loads(line[5:]).get("event") == "seen live":
                return
            assert time.monotonic() < end, "not seen within 20 s"


def test_health_metrics_and_the_contract(door):
    assert httpx.get(f"{door.url}/health/live").status_code == 200
    assert httpx.get(f"{door.url}/health/ready").json()["ready"] is True
    assert "tallymark_" in httpx.get(f"{door.url}/metrics").text
    document = httpx.get(f"{door.url}/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.") and any(p.endswith("/query") for p in document["paths"])
    assert httpx.get(f"{door.url}/api/docs").status_code == 200
    page = httpx.get(f"{door.url}/")
    assert page.status_code == 200 and "Tallymark" in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]


def test_the_books_close(door):
    door.settle()
    books = door.ledger()
    identity = books["instance"]
    assert identity["acknowledged"] == sum(identity[k] for k in ("visible", "duplicate", "filtered", "dead", "pending"))
    assert books["gaps"] == []
    told = door.cli("ledger", "--project", "shop")
    assert "balanced" in told.stdout
    proven = json.loads(door.cli("verify", "--json").stdout)
    assert proven["violations"] == [] and proven["visible"] == identity["visible"] and proven["dead"] == identity["dead"]
