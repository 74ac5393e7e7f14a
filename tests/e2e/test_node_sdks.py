"""The vendors' Node SDKs, unmodified, given only host and key."""

import subprocess
from pathlib import Path

import pytest
from conftest import node

HERE = Path(__file__).resolve().parent / "node"


@pytest.mark.parametrize("vendor", ["amplitude", "posthog", "segment"])
def test_node_sdk(server, vendor):
    done = subprocess.run([node(), f"{vendor}.mjs", server.url, server.write_key], cwd=HERE, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0 and identity["duplicate"] == 0, identity
    assert server.total("play") == 500 and server.total("search") == 500
    assert server.total("play", "uniques") == 25
    assert server.total("*", "uniques") == 50
    assert server.total("*", "max", property="i") == 999
    person = server.get("persons/user-0003")
    assert person["properties"]["plan"] == "pro", person
    assert "anon-0003" in person["device_ids"], person
    seen = {e["event"] for e in server.get("persons/user-0003/timeline", limit=1000)["events"]}
    assert "landing" in seen, seen
