"""Heap's clients, unmodified but for the host: exact counts, persons and properties."""

import subprocess
from pathlib import Path

import httpx
import pytest
from conftest import node
from shown import run_page
from tls_proxy import Proxy

HERE = Path(__file__).resolve().parent / "node"
N = 1000


@pytest.fixture
def client(server):
    from heapapi import HeapAPIClient

    client = HeapAPIClient(server.write_key)
    client.track_api, client.props_api = f"{server.url}/api/track", f"{server.url}/api/add_user_properties"
    return client


def books(server, **expected):
    identity = server.settle()
    assert identity["balanced"], identity
    assert {name: identity[name] for name in expected} == expected, identity


def test_python(server, client):
    for i in range(100):
        client.track(f"user-{i % 50}", "single", {"i": i, "tags": ["a", "b"]})
    bulk = [{"identity": f"user-{i % 50}", "event": "play" if i % 2 else "search", "idempotency_key": f"k{i}", "properties": {"i": i}} for i in range(2 * N)]
    assert [answer.status_code for answer in client.bulk_track(bulk)] == [200, 200]
    # No client of Heap's sends again; a program that does, with the same key, adds nothing.
    assert [answer.status_code for answer in client.bulk_track(bulk[:N])] == [200]
    client.add_user_properties("user-3", {"plan": "pro", "tags": [1, 2]})
    client.bulk_add_user_properties([{"identity": f"user-{i}", "properties": {"tier": i % 3}} for i in range(50)])
    books(server, dead=0, duplicate=N, visible=100 + 2 * N + 1 + 50)
    assert server.total("play") == N and server.total("search") == N
    assert server.total("single", where=[{"property": "tags", "op": "is", "value": "a||b"}]) == 100
    assert server.total("*", "uniques") == 50
    three = server.get("persons/user-3")["properties"]
    assert (three["plan"], three["tags"], three["tier"]) == ("pro", "1||2", 0)


def test_node(server):
    done = subprocess.run([node(), "heap.mjs", server.url, server.write_key], cwd=HERE, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    books(server, dead=0, duplicate=0, visible=1 + N + 2)
    assert server.total("play") == 500 and server.total("search") == 500
    assert server.total("play", "uniques") == 25 and server.total("*", "uniques") == 50
    person = server.get("persons/user-0003")
    assert person["properties"]["plan"] == "pro" and "anon-0003" in person["device_ids"], person
    assert "landing" in {e["event"] for e in server.get("persons/user-0003/timeline", limit=1000)["events"]}


def test_faulty_calls_and_items(server, client):
    with pytest.raises(Exception, match="400"):
        client.track("user-1", "")
    assert [answer.status_code for answer in client.bulk_track([{"identity": "u", "event": "fine"}, {"event": "nobody"}])] == [200]
    assert httpx.post(f"{server.url}/api/track", json={"identity": "u", "event": "a"}).status_code == 401
    # Only Heap's own paths are the collector's: others below /api stay with the web process.
    assert httpx.post(f"{server.url}/api/v1/identity", json={}).status_code in (401, 404, 405)
    books(server, visible=1, dead=1)


def test_the_pixel(server):
    shared = {"a": server.write_key, "u": "31904980", "s": "5318606", "d": "shop.example.com", "h": "/shop"}
    answer = httpx.get(f"{server.url}/h", params={**shared, "z": "1"})
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/gif" and answer.content[:6] == b"GIF89a"
    events = [*shared.items(), ("n", "a"), ("e", "Cart"), ("h", "/cart"), ("n", "button"), ("e", "Buy")]
    assert httpx.get(f"{server.url}/h", params=events).status_code == 200
    books(server, visible=3, dead=0)
    assert server.total("Pageview") == 1 and server.total("$autocapture") == 2
    assert server.total("*", "uniques") == 1
    assert server.total("$autocapture", where=[{"property": "target_text", "op": "is", "value": "Buy"}]) == 1


def test_the_page_runs_as_it_stands(server, tmp_path):
    proxy = Proxy(tmp_path, server.port)
    try:
        run_page("heap.md", proxy, server.write_key)
    finally:
        proxy.close()
    books(server, dead=0, visible=6)
    assert server.total("Signed Up") == 2 and server.total("Renewed") == 1
    alice = server.get("persons/alice@example.com")
    assert alice["properties"]["plan"] == "pro" and "2736466277391" in alice["device_ids"]
