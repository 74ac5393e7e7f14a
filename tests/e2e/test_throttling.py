"""Throttling on the real binary: on while the processor is stopped, not forgiven by kill -9, counted in the log.

The abuser keeps its own record of what was answered; the judge compares it with what is stored.
"""

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time

import httpx
import pytest
from conftest import ROOT, WRITE_KEY

BURST = 200
RATE = 0.05
RULES = {
    "version": 1,
    "rules": [
        {"name": "device", "per": "device", "events_per_second": RATE, "burst": BURST},
        {"name": "user", "per": "user", "events_per_second": RATE, "burst": BURST},
    ],
}


class Control(http.client.HTTPConnection):
    """The control socket, as another process of this machine uses it."""

    def __init__(self, server):
        super().__init__("collector", timeout=10)
        self.path = str(server.data / "run" / "control.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def control(server, method, path, body=None, seconds=30):
    end = time.monotonic() + seconds
    while True:
        try:
            connection = Control(server)
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


class Sender:
    """Sends events of one device, one batch at a time, and keeps what was answered."""

    def __init__(self, server, device):
        self.server, self.device = server, device
        self.sent = self.accepted = self.refused = 0

    def send(self, n, path="/api/v1/events"):
        ids = range(self.sent, self.sent + n)
        if path == "/api/v1/events":
            body = {"api_key": WRITE_KEY, "events": [{"event": "beat", "device_id": self.device, "insert_id": f"{self.device}-{i}"} for i in ids]}
        else:
            body = {"api_key": WRITE_KEY, "events": [{"event_type": "beat", "device_id": self.device, "insert_id": f"{self.device}-{i}"} for i in ids]}
        while True:
            try:
                # Without the fixture's headers: a key is counted by itself, also among keys of one project.
                answer = httpx.post(self.server.url + path, json=body, timeout=60)
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        assert answer.status_code in (200, 429), answer.text
        self.sent += n
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) <= 30
            throttled = answer.json().get("throttled_events")
            refused = n if throttled is None else len(throttled)
            accepted = 0
        else:
            accepted = answer.json().get("accepted", answer.json().get("events_ingested"))
            refused = n - accepted
        self.accepted += accepted
        self.refused += refused
        return answer


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def test_abuse_is_kept_out_while_processing_is_stopped_and_over_kill_9(make_server):
    server = make_server()
    server.data.mkdir(parents=True)
    (server.data / "throttle.json").write_text(json.dumps(RULES))
    server.start()
    # Processing stands still; collection and throttling do not notice.
    processor = server.pids()["process"]
    os.kill(processor, signal.SIGSTOP)
    try:
        abusers = [Sender(server, f"abuser-{n}") for n in range(3)]
        normal = [Sender(server, f"normal-{n}") for n in range(40)]
        for turn in range(12):
            for abuser in abusers:
                abuser.send(50)
            for device in normal:
                device.send(1)
            if turn == 6:
                # The state is saved every two seconds; then the collector is killed in the middle.
                saved = server.data / "throttle.state"
                wait_for(lambda: saved.exists() and all(a.device in saved.read_text() for a in abusers))
                wait_for(lambda: control(server, "GET", "/throttle")[1]["state"]["age_ms"] < 1000)
                before = server.pids()["collect"]
                os.kill(before, signal.SIGKILL)
                wait_for(lambda: server.pids().get("collect") not in (None, before))
        amplitude = abusers[0].send(5, "/2/httpapi")
        assert amplitude.status_code == 429
        assert amplitude.json()["throttled_events"] == [0, 1, 2, 3, 4]
        assert list(amplitude.json()["throttled_devices"]) == ["abuser-0"]

        assert all(device.refused == 0 for device in normal), "false positives"
        for abuser in abusers:
            # 600 sent: a burst, and what leaks meanwhile.
            assert BURST <= abuser.accepted <= BURST * 1.25 + 20, (abuser.device, abuser.accepted)
            assert abuser.refused >= 300
        told = {row["id"]: row["refused"] for row in control(server, "GET", "/throttle")[1]["throttled"]}
        assert set(told) == {a.device for a in abusers}
        for abuser in abusers:
            assert told[abuser.device] <= abuser.refused
    finally:
        os.kill(processor, signal.SIGCONT)
    identity = server.settle()
    assert identity["balanced"], identity
    assert server.total("beat") == sum(s.accepted for s in abusers + normal)
    # The counts go to the log within a second, and from there into the books. The collector was killed when it had
    # nothing left to tell, so not one refusal is missing or told twice.
    refused = sum(a.refused for a in abusers)
    wait_for(lambda: server.ledger()["held_back"]["throttled"] >= refused)
    held_back = server.ledger()["held_back"]
    assert held_back["throttled"] == refused, held_back
    assert {row["reason"] for row in held_back["rows"]} == {"device"}


def test_rules_over_the_control_socket_and_a_broken_file(server):
    status, seen = control(server, "GET", "/throttle")
    assert status == 200 and seen["source"] == "built_in" and seen["problem"] is None
    assert oct((server.data / "run" / "control.sock").stat().st_mode & 0o777) == "0o600"
    status, replaced = control(server, "POST", "/throttle", RULES)
    assert status == 200 and replaced["source"] == "file"
    abuser = Sender(server, "abuser")
    abuser.send(300)
    assert abuser.accepted == BURST
    assert abuser.send(1).status_code == 429
    # A broken file does not loosen anything.
    (server.data / "throttle.json").write_text("{")
    wait_for(lambda: control(server, "GET", "/throttle")[1]["source"] == "last_good")
    assert "throttle.json" in control(server, "GET", "/pressure")[1]["throttle_problem"]
    assert abuser.send(1).status_code == 429
    server.stop()
    server.start()
    assert control(server, "GET", "/throttle")[1]["source"] == "last_good"
    assert abuser.send(1).status_code == 429
    status, refused = control(server, "POST", "/throttle", {"version": 1, "rules": [{"name": "x"}]})
    assert status == 400 and "missing field" in refused["error"]["message"]
    # Nobody but the owner's processes reaches these paths.
    assert server.http.get("/throttle").status_code != 200 or "in_force_since" not in server.http.get("/throttle").text


def test_control_records_reach_every_shard(server):
    note = {"kind": "refused", "token": "0" * 32, "minute": 0, "count": 1, "reason": "test"}
    shards = 2 * control(server, "GET", "/pressure")[1]["partitions"]
    status, answer = control(server, "POST", "/control", {"everywhere": [note], "at": [{"shard": {"lane": "bulk", "partition": 0}, "control": note}]})
    assert status == 200 and len(answer["positions"]) == shards + 1
    assert len({p.split("@")[0] for p in answer["positions"]}) == shards
    wait_for(lambda: all(lane["cursor"] == lane["end"] for lane in server.ledger()["lanes"]))
    assert server.settle()["balanced"]
    server.stop()
    assert json.loads(server.cli("verify", "--data", server.data, "--json").stdout)["control"] >= shards + 1


def test_the_commands_of_the_page(server, tmp_path):
    page = (ROOT / "docs/throttling.md").read_text()
    example = re.search(r"```json\n(.*?)```", page, re.S).group(1)
    (tmp_path / "rules.json").write_text(example)
    shown = [line.split("   #")[0] for block in re.findall(r"```sh\n(.*?)```", page, re.S) for line in block.splitlines()]
    assert len(shown) == 4
    for line in shown:
        env = {**os.environ, "WRITE_KEY": WRITE_KEY}
        line = line.replace("DIR/", shlex.quote(str(server.data)) + "/")
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, env=env)
        assert done.returncode == 0 and '"error"' not in done.stdout, f"{line}\n{done.stdout}\n{done.stderr}"
    assert control(server, "GET", "/throttle")[1]["rules"]["rules"][2]["name"] == "partner"
    assert json.loads((server.data / "throttle.json").read_text())["rules"][0]["daily"] == 500_000


def throttled_server(make_server):
    """100 events of one sender at once, then 20 a second."""
    server = make_server()
    server.data.mkdir(parents=True)
    rule = {"events_per_second": 20, "burst": 100}
    rules = [{"name": "device", "per": "device", **rule}, {"name": "user", "per": "user", **rule}]
    (server.data / "throttle.json").write_text(json.dumps({"version": 1, "rules": rules}))
    return server.start()


def throttled_requests(server):
    return control(server, "GET", "/pressure")[1]["requests"]["throttled"]


def test_the_amplitude_sdk_delivers_neighbours_at_once_and_the_rest_later(make_server):
    from amplitude import Amplitude, BaseEvent

    server = throttled_server(make_server)
    client = Amplitude(server.write_key)
    client.configuration.server_url = f"{server.url}/2/httpapi"
    client.configuration.flush_queue_size = 200
    client.configuration.flush_interval_millis = 500
    answered = {}
    client.configuration.callback = lambda event, code, message=None: answered.update({event["insert_id"]: code})
    for i in range(200):
        device = f"normal-{i % 5}" if i % 4 == 0 else "abuser"
        client.track(BaseEvent(event_type="beat", device_id=device, insert_id=f"{device}-{i}"))
    normal = {f"normal-{i % 5}-{i}" for i in range(0, 200, 4)}
    wait_for(lambda: normal <= answered.keys(), seconds=15)
    assert throttled_requests(server) >= 1
    # The 50 events over the limit wait their 30 seconds and are taken then: nothing is lost.
    wait_for(lambda: len(answered) == 200, seconds=90)
    assert set(answered.values()) == {200}
    server.settle()
    assert server.total("beat") == 200
    client.shutdown()


def test_the_posthog_sdk_waits_as_it_is_told(make_server):
    from posthog import Posthog

    server = throttled_server(make_server)
    client = Posthog(server.write_key, host=server.url, sync_mode=False, flush_at=50)
    for i in range(150):
        client.capture("beat", distinct_id="abuser", properties={"i": i})
    client.flush()
    client.shutdown()
    assert throttled_requests(server) >= 1
    server.settle()
    assert server.total("beat") == 150


def test_the_segment_sdk_waits_as_it_is_told(make_server):
    import segment.analytics as analytics

    server = throttled_server(make_server)
    analytics.default_client = None
    analytics.write_key = server.write_key
    analytics.host = server.url
    failures = []
    analytics.on_error = lambda error, items: failures.append(error)
    for i in range(150):
        analytics.track("abuser", "beat", {"i": i})
        if i % 50 == 49:
            analytics.flush()
    analytics.shutdown()
    analytics.default_client = None
    assert throttled_requests(server) >= 1 and not failures
    server.settle()
    assert server.total("beat") == 150
