"""The vendors' Python SDKs, unmodified, given only host and key: exact counts, persons and properties."""

import datetime
import uuid

from journey import ORDERS, VISITS, check_visits_and_orders, ms

N = 1000


def check_books(server, visible):
    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0 and identity["duplicate"] == 0, identity
    assert identity["visible"] == visible, identity


def test_amplitude(server):
    from amplitude import Amplitude, BaseEvent, EventOptions, Identify, Revenue

    client = Amplitude(server.write_key)
    client.configuration.server_url = f"{server.url}/2/httpapi"
    client.configuration.flush_queue_size = 100
    statuses = []
    client.configuration.callback = lambda event, code, message=None: statuses.append(code)
    # Before sign-up the 100 devices are anonymous; their users appear later on the same device.
    for i in range(N):
        person = i % 100
        anonymous = i < 200
        client.track(BaseEvent(
            event_type="play" if i % 2 else "search", device_id=f"device-{person:04}",
            user_id=None if anonymous else f"listener-{person:04}", event_properties={"i": i, "even": i % 2 == 0},
        ))
        if i == 199:
            client.flush()
    identify = Identify()
    identify.set("plan", "premium").add("plays", 5)
    client.identify(identify, EventOptions(user_id="listener-0001", device_id="device-0001"))
    client.set_group("company", "acme", EventOptions(user_id="listener-0001", device_id="device-0001"))
    for time, session in VISITS:
        client.track(BaseEvent(event_type="visit", user_id="listener-0001", device_id="device-0001", time=ms(time), session_id=ms(session)))
    for price, quantity in ORDERS:
        client.revenue(Revenue(price, quantity), EventOptions(user_id="listener-0001", device_id="device-0001"))
    client.flush()
    client.shutdown()
    assert statuses and set(statuses) == {200}

    check_books(server, visible=N + 2 + 6)
    check_visits_and_orders(server)
    assert server.total("play") == 500 and server.total("search") == 500
    assert server.total("*", "uniques") == 100
    assert server.total("play", where=[{"property": "even", "op": "is", "value": True}]) == 0
    assert server.total("*", "max", property="i") == 999
    person = server.get("persons/listener-0001")
    assert person["user_ids"] == ["listener-0001"] and person["device_ids"] == ["device-0001"]
    assert person["properties"]["plan"] == "premium" and person["properties"]["plays"] == 5
    assert person["properties"]["company"] == "acme"


def test_posthog(server):
    from posthog import Posthog

    client = Posthog(server.write_key, host=server.url, sync_mode=False)
    for i in range(N):
        client.capture("play" if i % 2 else "search", distinct_id=f"user-{i % 50}", properties={"i": i}, uuid=str(uuid.uuid4()))
    client.set(distinct_id="user-1", properties={"email": "one@example.com"})
    client.capture("landing", distinct_id="anon-77", properties={"$is_identified": False, "$device_id": "anon-77"})
    client.capture("$identify", distinct_id="user-7", properties={"$anon_distinct_id": "anon-77", "$set": {"name": "Seven"}})
    client.alias(previous_id="user-9", distinct_id="old-nine")
    client.capture("legacy", distinct_id="old-nine")
    client.group_identify("company", "acme", {"seats": 12})
    for time, session in VISITS:
        client.capture("visit", distinct_id="user-1", timestamp=time, properties={"$session_id": str(ms(session))})
    for price, quantity in ORDERS:
        client.capture("order", distinct_id="user-1", properties={"revenue": price * quantity})
    client.flush()
    client.shutdown()

    check_books(server, visible=N + 6 + 6)
    check_visits_and_orders(server)
    assert server.total("play") == 500
    assert server.total("search", "uniques") == 25
    # 50 users; anon-77 became user-7, old-nine is user-9, the group call makes nobody.
    assert server.total("*", "uniques") == 50
    assert server.get("persons/user-1")["properties"]["email"] == "one@example.com"
    seven = server.get("persons/user-7")
    assert seven["properties"]["name"] == "Seven" and "anon-77" in seven["device_ids"]
    nine = {e["event"] for e in server.get("persons/user-9/timeline", limit=1000)["events"]}
    assert "legacy" in nine


def test_segment(server):
    import segment.analytics as analytics

    analytics.write_key = server.write_key
    analytics.host = server.url
    failures = []
    analytics.on_error = lambda error, items: failures.append(error)
    now = datetime.datetime.now(datetime.timezone.utc)
    for i in range(N):
        analytics.track(f"user-{i % 50}", "play" if i % 2 else "search", {"i": i}, timestamp=now)
    for i in range(10):
        analytics.track(None, "landing", {"i": i}, anonymous_id="anon-3")
    analytics.identify("user-3", {"plan": "pro", "age": 41}, anonymous_id="anon-3")
    analytics.group("user-3", "acme", {"seats": 3})
    analytics.page("user-3", "docs", "intro", {"path": "/intro"})
    analytics.screen("user-3", "main", "home")
    analytics.alias("user-3-old", "user-3")
    for time, session in VISITS:
        analytics.track("user-3", "visit", timestamp=time, context={"sessionId": ms(session)})
    for price, quantity in ORDERS:
        analytics.track("user-3", "order", {"revenue": price * quantity})
    analytics.flush()
    analytics.shutdown()
    assert not failures

    check_books(server, visible=N + 15 + 6)
    check_visits_and_orders(server)
    assert server.total("play") == 500 and server.total("landing") == 10
    assert server.total("landing", "uniques") == 1
    # 50 users; anon-3 and user-3-old are user-3.
    assert server.total("*", "uniques") == 50
    three = server.get("persons/user-3")
    assert three["properties"]["plan"] == "pro" and three["properties"]["age"] == 41
    assert "anon-3" in three["device_ids"]
    names = {e["event"] for e in server.get("persons/user-3/timeline", limit=1000)["events"]}
    assert {"landing", "play"} & names and "Page Viewed" in names
