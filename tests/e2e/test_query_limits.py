"""What queries may take, on the running binary: hostile filters, limits of a project, turns, kept answers, explanations."""

import json
import threading
import time

import httpx
import pytest
from conftest import ADMIN_KEY

RANGE = {"last": 3, "unit": "day"}


@pytest.fixture
def shop(server):
    events = [
        {"event": ["view", "cart", "buy"][i % 3], "user_id": f"u{i % 40}", "insert_id": f"limits{i}", "properties": {"colour": f"c{i % 7}", "amount": i}}
        for i in range(1200)
    ]
    server.send(events, wait="visible")
    return server


def post(server, path, body, **headers):
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return server.http.post(f"/api/v1/projects/shop/{path}", content=content, headers={"content-type": "application/json", **headers})


def chart(**more):
    return {"type": "segmentation", "series": [{"event": "view"}], "range": RANGE, **more}


def test_hostile_filters_are_refused_and_the_server_lives_on(shop):
    start = json.dumps(chart())[:-1] + ', "segment": '
    leaf = '{"property": "colour", "op": "is", "value": "x"}'
    deep = start + '{"not": ' * 10_000 + leaf + "}" * 10_000 + "}"
    lists = start + "[" * 5_000 + leaf + "]" * 5_000 + "}"
    wide = start + json.dumps([{"any": [json.loads(leaf)] * 12_000}]) + "}"
    values = start + json.dumps([{"property": "colour", "op": "is", "value": ["x"] * 150_000}]) + "}"
    for body in [deep, lists, wide, values]:
        answer = post(shop, "query", body)
        assert answer.status_code in (400, 413), answer.text[:300]
        error = answer.json()["error"]
        assert error["code"].startswith("TM0") and error["message"] and len(answer.text) < 3000
    # Refused while most of it is still on its way: the client hears why all the same.
    huge = start + json.dumps([{"property": "colour", "op": "is", "value": "x" * 12_000_000}]) + "}"
    for _ in range(3):
        answer = post(shop, "query", huge)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "TM0006")
    assert post(shop, "query", chart()).status_code == 200


def test_a_project_may_have_less(shop):
    patch = lambda body: shop.http.patch("/api/v1/projects/shop", json=body)  # noqa: E731
    try:
        changed = patch({"limits": {"query_rows_max": 10}})
        assert changed.status_code == 200 and changed.json()["settings"]["limits"] == {"query_rows_max": 10}
        refused = post(shop, "query", chart(limit=7))
        assert refused.status_code == 422 and refused.json()["error"]["code"] == "TM0317", refused.text
        patch({"limits": {"query_memory_mb_max": 1, "query_seconds_max": 5, "queries_max": 1}})
        assert post(shop, "query", chart(limit=8)).status_code == 200
        assert patch({"limits": {"queries_max": 0}}).status_code == 400
        assert patch({"identity": {}}).status_code == 400
    finally:
        assert "limits" not in patch({"limits": {}}).json().get("settings", {})


def test_a_session_ends_after_the_projects_pause(shop):
    ago = lambda minutes: int((time.time() - minutes * 60) * 1000)  # noqa: E731
    shop.send([{"event": "play", "user_id": "pauses", "time": ago(n)} for n in (60, 40)], wait="visible")
    query = {"type": "sessions", "interval": "none", "range": RANGE, "segment": [{"property": "colour", "op": "is_not_set"}], "contains": {"event": "play"}}
    ask = lambda: post(shop, "query", query).json()["total"]["sessions"]  # noqa: E731
    assert ask() == 1
    assert shop.http.patch("/api/v1/projects/shop", json={"session_timeout_min": 10}).status_code == 200
    assert ask() == 2
    shop.http.patch("/api/v1/projects/shop", json={"session_timeout_min": 30})
    assert ask() == 1


def test_a_closed_range_is_kept_and_says_so_beside_the_answer(shop):
    old = {"from": "2025-01-01", "to": "2025-01-07"}
    first, second = (post(shop, "query", chart(range=old)) for _ in range(2))
    assert (first.headers["tallymark-cache"], second.headers["tallymark-cache"]) == ("computed", "cached")
    shop.send([{"event": "view", "user_id": "later"}], wait="visible")
    third = post(shop, "query", chart(range=old))
    assert third.headers["tallymark-cache"] == "patched"
    asked_anew = post(shop, "query", chart(range=old), **{"cache-control": "no-cache"})
    assert asked_anew.headers["tallymark-cache"] == "computed"
    same = lambda answer: {k: v for k, v in answer.json().items() if k not in ("as_of", "identity_version", "complete_through")}  # noqa: E731
    assert same(first) == same(second) == same(third) == same(asked_anew)
    explained = post(shop, "query/explain", chart(range=old)).json()
    assert explained["cache"]["answer"] in ("cached", "patched") and "nothing is read" in explained["text"]
    for line in ("files", "row groups", "rows", "snapshot", "data"):
        assert line in explained["text"]


def test_projects_take_turns_while_events_arrive(shop):
    made = shop.http.post("/api/v1/projects", json={"name": f"turns{time.time_ns()}"}, headers={"authorization": f"Bearer {ADMIN_KEY}"}).json()
    until, counts, problems = time.monotonic() + 6, {"shop": [], "other": []}, []

    def ask(name, project, key, n):
        client = httpx.Client(base_url=shop.url, headers={"authorization": f"Bearer {key}"}, timeout=120)
        done = 0
        while time.monotonic() < until:
            answer = client.post(f"/api/v1/projects/{project}/query", json=chart(limit=100 + n + done))
            done += answer.status_code == 200
            if answer.status_code == 503 and "retry-after" in answer.headers:
                time.sleep(0.5)
            elif answer.status_code != 200:
                problems.append(answer.text[:300])
        counts[name].append(done)

    def send():
        while time.monotonic() < until:
            answer = shop.http.post("/api/v1/events", json={"events": [{"event": "noise", "device_id": f"n{i}"} for i in range(100)]})
            if answer.status_code != 200:
                problems.append(answer.text[:300])
            time.sleep(0.2)

    threads = [threading.Thread(target=ask, args=("shop", "shop", shop.secret_key, i)) for i in range(30)]
    threads += [threading.Thread(target=ask, args=("other", made["id"], made["secret_key"], i)) for i in range(3)]
    threads.append(threading.Thread(target=send))
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not problems, problems[:3]
    mean = {name: sum(done) / len(done) for name, done in counts.items()}
    assert mean["other"] >= mean["shop"], mean
    assert shop.http.get("/health/ready").status_code == 200
