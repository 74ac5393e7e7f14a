"""PostHog's v1 capture, by the unmodified Python SDK; Node's is among `test_node_sdks.py`."""

from conftest import WRITE_KEY
from journey import ORDERS, VISITS, check_visits_and_orders, ms
from posthog import Posthog


def balanced(server):
    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0, identity
    return identity


def test_python(server):
    failures = []
    client = Posthog(WRITE_KEY, host=server.url, capture_mode="v1", on_error=lambda error, batch: failures.append(error))
    for i in range(1000):
        client.capture("play" if i % 2 else "search", distinct_id=f"user-{i % 50}", properties={"i": i, "$session_id": f"s-{i % 50}"})
    client.capture("seen", distinct_id="anon-77", properties={"$process_person_profile": False})
    client.capture("$identify", distinct_id="user-7", properties={"$anon_distinct_id": "anon-77", "$set": {"name": "Seven"}})
    client.group_identify("company", "acme", {"seats": 12})
    try:
        raise ValueError("boom")
    except ValueError as error:
        client.capture_exception(error, distinct_id="user-1")
    for time, session in VISITS:
        client.capture("visit", distinct_id="user-1", timestamp=time, properties={"$session_id": str(ms(session))})
    for price, quantity in ORDERS:
        client.capture("order", distinct_id="user-1", properties={"revenue": price * quantity})
    client.flush()
    client.shutdown()
    assert not failures

    identity = balanced(server)
    assert identity["visible"] == 1004 + 6 and identity["duplicate"] == 0, identity
    check_visits_and_orders(server)
    assert server.total("play") == 500 and server.total("search", "uniques") == 25
    assert server.total("*", "uniques") == 50
    assert server.total("$exception") == 1
    seven = server.get("persons/user-7")
    assert seven["properties"]["name"] == "Seven" and "anon-77" in seven["device_ids"]
    play = next(e for e in server.get("persons/user-1/timeline", limit=1000)["events"] if e["event"] == "play")
    assert play["properties"]["$lib"] == "posthog-python" and play["session_id"] == "s-1", play


def test_history_takes_the_bulk_lane(server):
    client = Posthog(WRITE_KEY, host=server.url, capture_mode="v1", historical_migration=True)
    client.capture("old", distinct_id="user-1")
    client.flush()
    client.shutdown()
    balanced(server)
    assert server.total("old") == 1
