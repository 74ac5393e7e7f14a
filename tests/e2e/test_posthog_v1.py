"""PostHog's v1 capture, by the unmodified SDKs: a journey, and deliveries through every kind of failure."""

import os
import subprocess
import threading
import time
import uuid

import httpx
from conftest import WRITE_KEY, node
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from posthog import Posthog

HERE = Path(__file__).resolve().parent / "node"


class Trouble:
    """Stands between SDK and server: refuses with the given statuses, cuts connections, or forwards."""

    def __init__(self, server):
        self.server, self.plan, self.asked = server, [], 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.asked += 1
                what = outer.plan.pop(0) if outer.plan else "forward"
                if what == "cut":
                    self.close_connection = True
                    self.connection.close()
                    return
                if isinstance(what, int):
                    return self.answer(what, b'{"error":"later"}', {"retry-after": "1"})
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length", "connection")}
                try:
                    got = httpx.post(outer.server.url + self.path, content=body, headers=headers, timeout=30)
                except httpx.HTTPError:
                    self.close_connection = True
                    self.connection.close()
                    return
                if what == "lose the answer":
                    self.close_connection = True
                    self.connection.close()
                    return
                self.answer(got.status_code, got.content, {})

            def answer(self, status, body, more):
                self.send_response(status)
                for name, value in {"content-type": "application/json", "content-length": str(len(body)), **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


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
    client.flush()
    client.shutdown()
    assert not failures

    identity = balanced(server)
    assert identity["visible"] == 1004 and identity["duplicate"] == 0, identity
    assert server.total("play") == 500 and server.total("search", "uniques") == 25
    assert server.total("*", "uniques") == 50
    assert server.total("$exception") == 1
    seven = server.get("persons/user-7")
    assert seven["properties"]["name"] == "Seven" and "anon-77" in seven["device_ids"]
    play = next(e for e in server.get("persons/user-1/timeline", limit=1000)["events"] if e["event"] == "play")
    assert play["properties"]["$lib"] == "posthog-python" and play["session_id"] == "s-1", play


def test_node(server):
    env = {**os.environ, "POSTHOG_CAPTURE_MODE": "v1"}
    done = subprocess.run([node(), "posthog.mjs", server.url, WRITE_KEY], cwd=HERE, env=env, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    identity = balanced(server)
    assert identity["duplicate"] == 0, identity
    assert server.total("play") == 500 and server.total("*", "uniques") == 50
    person = server.get("persons/user-0003")
    assert person["properties"]["plan"] == "pro" and "anon-0003" in person["device_ids"], person


def test_history_takes_the_bulk_lane(server):
    client = Posthog(WRITE_KEY, host=server.url, capture_mode="v1", historical_migration=True)
    client.capture("old", distinct_id="user-1")
    client.flush()
    client.shutdown()
    balanced(server)
    assert server.total("old") == 1


def test_what_the_sdk_believed_delivered_is_there_once(server):
    """503, 429, cut connections, answers lost on the way, and the server killed in the middle."""
    trouble = Trouble(server)
    lost = []
    client = Posthog(
        WRITE_KEY, host=trouble.url, capture_mode="v1", flush_at=20, flush_interval=0.1, max_retries=10,
        on_error=lambda error, batch: lost.extend(event["uuid"] for event in batch or []),
    )
    trouble.plan = [503, 429, "cut", "lose the answer", "forward", 503, "lose the answer", "cut"]
    sent = {}
    for i in range(400):
        id = str(uuid.uuid4())
        sent[id] = i
        client.capture("step", distinct_id=f"user-{i % 10}", properties={"i": i}, uuid=id)
        if i == 200:
            time.sleep(1)
            server.kill_all()
            threading.Timer(2, server.start).start()
    client.flush()
    client.shutdown()
    server.wait_ready()
    balanced(server)
    assert trouble.asked > 20 and not trouble.plan
    believed = {i for id, i in sent.items() if id not in set(lost)}
    stored = [e["properties"]["i"] for e in server.all_events() if e["event"] == "step"]
    assert len(stored) == len(set(stored)), "nothing is there twice"
    assert believed <= set(stored), "everything the SDK believed delivered is there"
