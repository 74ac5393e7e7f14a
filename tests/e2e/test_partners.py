"""Partners: mParticle's SDK and forwarded batches, Braze Currents, webhooks of Segment and RudderStack, RudderStack's
Python SDK, and Amplitude's user mapping."""

import hashlib
import hmac
import json

import httpx
from conftest import WRITE_KEY
from journey import ORDERS, VISITS, check_visits_and_orders, ms


def post(server, path, body, **more):
    answer = httpx.post(server.url + path, content=body if isinstance(body, bytes) else json.dumps(body).encode(), timeout=30, **more)
    assert answer.status_code in (200, 201, 202), f"{path}: {answer.status_code} {answer.text}"
    return answer


def balanced(server):
    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0, identity
    return identity


def test_mparticle_python(server):
    import mparticle
    from mparticle import models

    configuration = mparticle.Configuration()
    configuration.api_key, configuration.api_secret = WRITE_KEY, "secret"
    configuration.host = f"{server.url}/v2"
    api = mparticle.EventsApi(configuration)

    def event(name, i):
        made = models.AppEvent(name, "other")
        made.custom_attributes, made.source_message_id = {"i": i}, f"m-{i}"
        return made

    def batch(events, user):
        made = models.Batch()
        made.environment = "production"
        made.user_identities = models.UserIdentities(customerid=user)
        made.events = events
        return made

    for i in range(50):
        api.upload_events(batch([event("play" if i % 2 else "search", i)], f"user-{i % 5}"))
    many = [batch([event("play" if i % 2 else "search", i) for i in range(n, n + 10)], f"user-{n // 10 % 5}") for n in range(100, 1050, 10)]
    api.bulk_upload_events(many)
    # mParticle's clients repeat whole batches.
    api.bulk_upload_events(many)

    def purchase(price, quantity):
        product = models.Product()
        product.id, product.name, product.price, product.quantity = "sku", "Shoe", price, quantity
        action = models.ProductAction("purchase")
        action.products, action.total_amount = [product], price * quantity
        return models.CommerceEvent(action)

    def visit(time, session):
        made = event("visit", ms(time))
        made.timestamp_unixtime_ms, made.session_uuid = ms(time), str(ms(session))
        return made

    bought = batch([purchase(*order) for order in ORDERS] + [visit(*visited) for visited in VISITS], "user-1")
    bought.events += [models.ScreenViewEvent(screen_name="Home"), models.SessionStartEvent()]
    bought.user_attributes, bought.deleted_user_attributes = {"plan": "pro", "age": 41}, ["gone"]
    api.upload_events(bought)

    identity = balanced(server)
    assert identity["visible"] == 50 + 950 + 6 + 2 + 1 and identity["duplicate"] == 950, identity
    assert server.total("play") == 500 and server.total("search") == 500
    assert server.total("*", "uniques") == 5
    check_visits_and_orders(server)
    assert server.total("Home") == 1
    person = server.get("persons/user-1")
    assert person["properties"]["plan"] == "pro" and person["properties"]["age"] == 41, person


def test_mparticle_forwards(server):
    batch = {
        "events": [{"event_type": "custom_event", "data": {"event_name": "played"}}], "message_id": "b-1", "mpid": "77",
        "user_identities": [{"identity_type": "customer_id", "identity": "user-1"}], "user_attributes": {"plan": "pro"},
    }
    for _ in range(2):
        post(server, f"/webhooks/mparticle?key={WRITE_KEY}", batch)
    identity = balanced(server)
    assert identity["visible"] == 2 and identity["duplicate"] == 2, identity
    assert server.get("persons/user-1")["device_ids"] == ["77"]


def test_braze(server):
    key = {"authorization": f"Bearer {WRITE_KEY}"}
    user = {"external_user_id": "user-1", "device_id": "device-1"}

    def event(n, kind, **properties):
        return {"event_type": kind, "id": f"id-{n}", "time": 1795220531 + n, "user": user, "properties": properties}

    events = [event(n, "users.behaviors.CustomEvent", name="listened", custom_properties={"n": n}) for n in range(20)]
    events.append(event(90, "users.behaviors.Purchase", product_id="sku", price=9.5, currency="USD"))
    events.append(event(91, "users.messages.email.Open", campaign_name="Spring"))
    for _ in range(2):
        post(server, "/webhooks/braze", {"events": events}, headers=key)
    post(server, "/users/track", {"attributes": [{"external_id": "user-1", "plan": "pro"}]}, headers=key)
    identity = balanced(server)
    assert identity["visible"] == 23 and identity["duplicate"] == 22, identity
    assert server.total("listened") == 20 and server.total("users.messages.email.Open") == 1
    assert server.total("users.behaviors.Purchase", "sum", property="revenue") == 9.5
    person = server.get("persons/user-1")
    assert person["properties"]["plan"] == "pro" and person["device_ids"] == ["device-1"]


def test_webhooks(make_server):
    server = make_server(TALLYMARK_SEGMENT_WEBHOOK_SECRETS="secret").start()
    message = json.dumps({"type": "track", "event": "Order", "userId": "user-1", "messageId": "m-1", "properties": {"revenue": 5}, "timestamp": "2026-11-20T10:00:00Z", "writeKey": "theirs"}).encode()
    path = f"/webhooks/segment?key={WRITE_KEY}"
    assert httpx.post(server.url + path, content=message).status_code == 400
    signature = hmac.new(b"secret", message, hashlib.sha1).hexdigest()
    for _ in range(2):
        post(server, path, message, headers={"x-signature": signature})
    rudder = {"type": "identify", "userId": "user-1", "anonymousId": "anon-1", "messageId": "m-2", "context": {"traits": {"plan": "pro"}}}
    post(server, "/webhooks/rudderstack", rudder, headers={"authorization": f"Bearer {WRITE_KEY}"})
    identity = balanced(server)
    assert identity["visible"] == 2 and identity["duplicate"] == 1, identity
    assert server.total("Order", "sum", property="revenue") == 5
    assert server.get("persons/user-1")["device_ids"] == ["anon-1"]


def test_rudder_python(server):
    import rudderstack.analytics as rudder

    rudder.write_key, rudder.dataPlaneUrl = WRITE_KEY, server.url
    failures = []
    rudder.on_error = lambda error, items: failures.append(error)
    for i in range(1000):
        rudder.track(f"user-{i % 50}", "play" if i % 2 else "search", {"i": i})
    rudder.identify("user-3", {"plan": "pro"}, anonymous_id="anon-3")
    rudder.group("user-3", "acme", {"seats": 3})
    for time, session in VISITS:
        rudder.track("user-3", "visit", timestamp=time, context={"sessionId": ms(session)})
    for price, quantity in ORDERS:
        rudder.track("user-3", "order", {"revenue": price * quantity})
    rudder.flush()
    rudder.shutdown()
    assert not failures
    identity = balanced(server)
    assert identity["visible"] == 1002 + 6 and identity["duplicate"] == 0, identity
    check_visits_and_orders(server)
    assert server.total("play") == 500 and server.total("*", "uniques") == 50
    person = server.get("persons/user-3")
    assert person["properties"]["plan"] == "pro" and "anon-3" in person["device_ids"]


def test_user_mapping(server):
    server.send([{"event": "a", "user_id": "user-at-shop"}, {"event": "a", "user_id": "user-at-app"}])
    server.settle()
    mapping = json.dumps([{"user_id": "user-at-app", "global_user_id": "user-at-shop"}])
    got = httpx.post(f"{server.url}/usermap", params={"api_key": WRITE_KEY, "mapping": mapping})
    assert (got.status_code, got.text) == (200, "success")
    unmap = httpx.post(f"{server.url}/usermap", data={"api_key": WRITE_KEY, "mapping": '{"user_id":"user-at-app","unmap":true}'})
    assert unmap.status_code == 400 and unmap.json()["events_with_invalid_fields"] == {"unmap": [0]}
    balanced(server)
    assert server.total("a") == 2 and server.total("a", "uniques") == 1
