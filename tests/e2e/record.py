"""Records what the vendors' SDKs send, for the golden files of `crates/core/wire/tests/golden`: `record.py FOLDER`.

Writes one file for each SDK, without `expect`: what must become of a request is for a person to say. The largest request of
a short journey is kept, as it was sent, but unpacked and without the headers that no protocol reads.
"""

import datetime
import gzip
import importlib.metadata
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from conftest import node

HERE = Path(__file__).resolve().parent
KEY = "project-write-key-0001"
KEPT = {"authorization", "content-encoding", "content-type", "user-agent", "posthog-sdk-info", "posthog-request-timestamp"}
# An answer that every SDK takes for success.
ANSWER = {"code": 200, "success": True, "status": 1, "error": None, "results": {}}
NODE = {
    "amplitude": "@amplitude/analytics-node", "posthog": "posthog-node", "segment": "@segment/analytics-node", "rudder": "@rudderstack/rudder-sdk-node",
}
SEEN = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)


def amplitude(url):
    from amplitude import Amplitude, BaseEvent, EventOptions, Identify, Revenue

    client = Amplitude(KEY)
    client.configuration.server_url = f"{url}/2/httpapi"
    who = {"user_id": "user-0003", "device_id": "device-0003"}
    client.track(BaseEvent("visit", time=int(SEEN.timestamp() * 1000), session_id=int(SEEN.timestamp() * 1000), event_properties={"i": 1}, **who))
    client.identify(Identify().set("plan", "pro").add("plays", 5), EventOptions(**who))
    client.set_group("company", "acme", EventOptions(**who))
    client.revenue(Revenue(10.5, 3, product_id="sku"), EventOptions(**who))
    client.shutdown()


def posthog(url):
    from posthog import Posthog

    client = Posthog(KEY, host=url)
    client.capture("visit", distinct_id="user-0003", timestamp=SEEN, properties={"i": 1, "$session_id": "s-1"})
    client.set(distinct_id="user-0003", properties={"plan": "pro"})
    client.capture("$identify", distinct_id="user-0003", properties={"$anon_distinct_id": "anon-0003"})
    client.group_identify("company", "acme", {"seats": 12})
    client.alias(previous_id="user-0003", distinct_id="old-three")
    client.capture("order", distinct_id="user-0003", properties={"revenue": 31.5})
    client.shutdown()


def segment(url):
    from segment.analytics.client import Client

    segment_like(Client(KEY, host=url))


def rudder(url):
    from rudderstack.analytics.client import Client

    segment_like(Client(KEY, host=url))


def segment_like(client):
    client.track(None, "landing", anonymous_id="anon-0003")
    client.identify("user-0003", {"plan": "pro"}, anonymous_id="anon-0003")
    client.track("user-0003", "visit", {"i": 1}, context={"sessionId": 77}, timestamp=SEEN)
    client.track("user-0003", "order", {"revenue": 31.5})
    client.group("user-0003", "acme", {"seats": 12})
    client.page("user-0003", "docs", "intro", {"path": "/intro"})
    client.screen("user-0003", "main", "home")
    client.alias("old-three", "user-0003")
    client.flush()
    client.shutdown()


PYTHON = {
    "amplitude": (amplitude, "amplitude-analytics"), "posthog": (posthog, "posthog"), "segment": (segment, "segment-analytics-python"),
    "rudder": (rudder, "rudder-sdk-python"),
}


class Recorder:
    """Takes everything and keeps it."""

    def __init__(self):
        self.requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.requests.append((self.path, self.headers, self.rfile.read(int(self.headers.get("content-length") or 0))))
                words = json.dumps(ANSWER).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def case(self, sdk):
        path, headers, raw = max(self.requests, key=lambda request: len(unpacked(request[2])))
        path, _, query = path.partition("?")
        case = {"sdk": sdk, "path": path, "query": query, "headers": {k.lower(): v for k, v in headers.items() if k.lower() in KEPT}}
        case["gzip"] = raw[:2] == b"\x1f\x8b"
        case = {name: value for name, value in case.items() if value}
        return {**case, "body": json.loads(unpacked(raw))}


def unpacked(raw):
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def main(folder):
    def write(name, case):
        (folder / name).write_text(json.dumps(case, indent=2, ensure_ascii=False) + "\n")
        print(name)

    for vendor, (journey, package) in PYTHON.items():
        recorder = Recorder()
        journey(recorder.url)
        write(f"{vendor}-py-journey.json", recorder.case(f"{package}{'' if 'python' in package else ' (Python)'} {importlib.metadata.version(package)}"))
    for vendor, package in NODE.items():
        recorder = Recorder()
        env = {**os.environ, "JOURNEY_EVENTS": "2"}
        subprocess.run([node(), f"{vendor}.mjs", recorder.url, KEY], cwd=HERE / "node", env=env, check=True, timeout=60)
        version = json.loads((HERE / "node/node_modules" / package / "package.json").read_text())["version"]
        write(f"{vendor}-node-journey.json", recorder.case(f"{package} {version}"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
