"""Sends what it is told through one vendor's Python SDK, and says what the SDK reported: `deliver.py VENDOR ADDRESS KEY`.

Each line of standard input is a list of ids to send, and is answered when the SDK's calls have returned; its end is the end
of the program. An event's id is its property `id` and its insert id.
"""

import sys
import threading
import time

lock = threading.Lock()
sent, reported = [], set()


def report(what, ids):
    ids = [i for i in ids if i not in reported]
    with lock:
        reported.update(ids)
        if ids:
            print("report", what, *ids, flush=True)


def failed(ids):
    report("failed", ids)


def delivered(ids):
    report("delivered", ids)


def silence_is_delivery():
    """These SDKs say only what failed."""
    delivered(sent)


def user(ident):
    return f"user-{ident[0]}"


def one_by_one(call):
    """The SDK sends when it is called, and raises what went wrong."""

    def send(ids):
        for ident in ids:
            try:
                call(ident)
            except Exception as error:
                print(repr(error), file=sys.stderr)
                failed([ident])
            else:
                delivered([ident])

    return send, lambda: None


def amplitude(address, key):
    from amplitude import Amplitude, BaseEvent

    client = Amplitude(key)
    client.configuration.server_url = f"{address}/2/httpapi"
    client.configuration.flush_queue_size, client.configuration.flush_interval_millis = 10, 100
    last = [time.monotonic()]

    def told(event, code, message=None):
        last[0] = time.monotonic()
        (delivered if code == 200 else failed)([event.insert_id])

    client.configuration.callback = told

    def send(ids):
        last[0] = time.monotonic()
        for ident in ids:
            client.track(BaseEvent(event_type="beat", user_id=user(ident), device_id=f"device-{ident[0]}", insert_id=ident, event_properties={"id": ident}))

    def close():
        # It says nothing at all of what it lost when a connection was reset.
        while len(reported) < len(sent) and time.monotonic() < last[0] + 8:
            time.sleep(0.1)
        client.shutdown()

    return send, close


def posthog(address, key, **more):
    from posthog import Posthog

    client = Posthog(
        key, host=address, flush_at=10, flush_interval=0.1, max_retries=10,
        on_error=lambda error, batch: failed([event["uuid"] for event in batch or []]), **more,
    )

    def send(ids):
        for ident in ids:
            client.capture("beat", distinct_id=user(ident), properties={"id": ident}, uuid=ident)

    def close():
        # Drains without a time limit; its `flush` would give up after ten seconds and say nothing.
        client.shutdown()
        silence_is_delivery()

    return send, close


def posthog_v1(address, key):
    return posthog(address, key, capture_mode="v1")


def segment(address, key):
    from segment.analytics.client import Client

    return segment_like(Client(key, host=address, on_error=messages_failed, upload_size=10, upload_interval=0.1))


def rudder(address, key):
    from rudderstack.analytics.client import Client

    return segment_like(Client(key, host=address, on_error=messages_failed, upload_size=10, upload_interval=0.1))


def messages_failed(error, items):
    failed([item["messageId"] for item in items])


def segment_like(client):
    def send(ids):
        for ident in ids:
            client.track(user(ident), "beat", {"id": ident}, message_id=ident)

    def close():
        client.flush()
        client.shutdown()
        silence_is_delivery()

    return send, close


def mixpanel(address, key):
    from mixpanel import Consumer, Mixpanel

    client = Mixpanel(key, Consumer(api_host=address, request_timeout=20))
    return one_by_one(lambda ident: client.track(user(ident), "beat", {"id": ident, "$insert_id": ident}))


def heap(address, key):
    from heapapi import HeapAPIClient

    client = HeapAPIClient(key)
    client.track_api = f"{address}/api/track"

    def call(ident):
        # Only the call for many takes a key that makes it safe to send again; it returns answers instead of raising.
        event = {"identity": user(ident), "event": "beat", "idempotency_key": ident, "properties": {"id": ident}}
        for answer in client.bulk_track([event]):
            answer.raise_for_status()

    return one_by_one(call)


def mparticle(address, key):
    import mparticle
    from mparticle import models

    configuration = mparticle.Configuration()
    configuration.api_key, configuration.api_secret, configuration.host = key, "secret", f"{address}/v2"
    api = mparticle.EventsApi(configuration)

    def call(ident):
        event = models.AppEvent("beat", "other")
        event.custom_attributes, event.source_message_id = {"id": ident}, ident
        batch = models.Batch()
        batch.environment, batch.events = "production", [event]
        batch.user_identities = models.UserIdentities(customerid=user(ident))
        api.upload_events(batch)

    return one_by_one(call)


VENDORS = {
    "amplitude": amplitude, "posthog": posthog, "posthog-v1": posthog_v1, "segment": segment, "rudder": rudder, "mixpanel": mixpanel,
    "heap": heap, "mparticle": mparticle,
}

if __name__ == "__main__":
    vendor, address, key = sys.argv[1:]
    send, close = VENDORS[vendor](address, key)
    for line in sys.stdin:
        ids = line.split()
        sent.extend(ids)
        send(ids)
        with lock:
            print("report taken", flush=True)
    close()
