"""The vendors' Node SDKs, unmodified, given only host and key: exact counts, persons, properties, sessions and revenue."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import node
from journey import check_visits_and_orders

HERE = Path(__file__).resolve().parent / "node"
N = 1000
# What a journey adds to the 1,000 events: the first one, identify and its like, visits and orders.
MORE = {"amplitude": 3 + 6, "posthog": 5 + 6, "posthog-v1": 5 + 6, "segment": 5 + 6, "rudder": 5 + 6, "mixpanel": 15 + 120 + 6, "heap": 3 + 6}
# Mixpanel's events have no session: their pauses make them. Heap's client has no time either: all is one session, of now.
SESSIONS = {"mixpanel": 3, "heap": 1}


@pytest.mark.parametrize("vendor", MORE)
def test_node_sdk(server, vendor):
    env = {**os.environ, **({"POSTHOG_CAPTURE_MODE": "v1"} if vendor == "posthog-v1" else {})}
    script = f"{vendor.removesuffix('-v1')}.mjs"
    done = subprocess.run([node(), script, server.url, server.write_key], cwd=HERE, env=env, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0 and identity["duplicate"] == 0, identity
    assert identity["visible"] == N + MORE[vendor], identity
    assert server.total("play") == 500 and server.total("search") == 500
    assert server.total("play", "uniques") == 25
    # old-nine never sent an event of its own.
    assert server.total("*", "uniques") == 50
    assert server.total("*", "max", property="i") == 999
    check_visits_and_orders(server, SESSIONS.get(vendor, 2))
    person = server.get("persons/user-0003")
    assert person["properties"]["plan"] == "pro", person
    assert "anon-0003" in person["device_ids"], person
    seen = {e["event"] for e in server.get("persons/user-0003/timeline", limit=1000)["events"]}
    assert "landing" in seen, seen
    if vendor == "mixpanel":
        assert server.total("imported") == 121
        expected = {"name": "naïve ☃ +/=", "plays": 3, "tags": [["a", "b"]], "genres": ["jazz"]}
        assert expected.items() <= person["properties"].items() and "stops" not in person["properties"], person
