"""Heap's Python client, unmodified but for the host: exact counts, persons and properties; and the calls without a client. Node's
is in `test_node_sdks.py`."""

import httpx
import pytest
from journey import ORDERS, VISITS, check_visits_and_orders, ms

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
    visits = [{"identity": "user-3", "event": "visit", "timestamp": ms(time), "session_id": str(ms(session))} for time, session in VISITS]
    orders = [{"identity": "user-3", "event": "order", "properties": {"revenue": price * quantity}} for price, quantity in ORDERS]
    assert [answer.status_code for answer in client.bulk_track(visits + orders)] == [200]
    client.add_user_properties("user-3", {"plan": "pro", "tags": [1, 2]})
    client.bulk_add_user_properties([{"identity": f"user-{i}", "properties": {"tier": i % 3}} for i in range(50)])
    books(server, dead=0, duplicate=N, visible=100 + 2 * N + 6 + 1 + 50)
    check_visits_and_orders(server)
    assert server.total("play") == N and server.total("search") == N
    assert server.total("single", where=[{"property": "tags", "op": "is", "value": "a||b"}]) == 100
    assert server.total("*", "uniques") == 50
    three = server.get("persons/user-3")["properties"]
    assert (three["plan"], three["tags"], three["tier"]) == ("pro", "1||2", 0)


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
