"""What each vendor's server SDK says that it delivered is stored once: 503, 429, reset and refused connections, answers lost
on the way, and the server killed with -9 while it works and right after it answered."""

import os

import pytest
from delivery import survive

SDKS = [
    *(f"python-{vendor}" for vendor in ("amplitude", "posthog", "posthog-v1", "segment", "rudder", "mixpanel", "heap", "mparticle")),
    *(f"node-{vendor}" for vendor in ("amplitude", "posthog", "posthog-v1", "segment", "rudder", "mixpanel", "heap")),
]
# Mixpanel's Python SDK speaks TLS to a host name and nothing else.
TLS = {"python-mixpanel"}
# These never send again by themselves: what meets with a failure is reported as failed.
ONE_TRY = {"python-heap", "node-heap", "node-mixpanel", "python-mparticle"}
# Heap's Node SDK has no argument for a key: what it reports as failed cannot be sent again safely.
WITHOUT_KEY = {"node-heap"}


@pytest.mark.parametrize("sdk", SDKS)
def test_what_was_reported_as_delivered_is_there_once(server, tmp_path, sdk):
    env = {**os.environ, "NO_PROXY": "localhost,127.0.0.1"}
    program = survive(server, tmp_path, sdk, env, tls=sdk in TLS, keyed=sdk not in WITHOUT_KEY)
    if sdk in ONE_TRY:
        assert program.failed
