"""Sources: one that falls silent is found with its project and since when, stays found over a restart of the watch,
and is over when it sends again; one that nobody watches, or that ended, alarms nobody."""

import json
import os
import signal
import time

import httpx
import pytest

# As in production, with seconds in place of minutes.
WATCH = """
every_seconds = 1
[thresholds]
source_observed_minutes = 0.05
source_silent_minutes = 0.1
source_missing_events = 1
"""
PATIENCE = 120


@pytest.fixture
def server(make_server):
    server = make_server()
    server.data.mkdir()
    (server.data / "watch.toml").write_text(WATCH)
    return server.start()


def until(what, ask, *, meanwhile=lambda: None):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        meanwhile()
        if found := ask():
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come")


class Sources:
    def __init__(self, server):
        self.server = server
        self.sent = 0

    def send(self, library):
        self.sent += 1
        self.server.send([{"event": "order", "user_id": "u", "insert_id": f"i{self.sent}", "properties": {"$lib": library}}])

    def all(self):
        return {s["library"]: s for s in self.server.get("sources")["sources"]}

    def source(self, library):
        return self.all().get(library, {})

    def findings(self, monitor="source-silent"):
        answer = httpx.get(
            f"{self.server.url}/api/v1/operations/findings", headers={"authorization": f"Bearer {self.server.admin_key}"}, timeout=60
        )
        return [f for f in answer.json()["findings"] if f["monitor"] == monitor]

    def decide(self, method, library, **more):
        path = f"/api/v1/projects/shop/sources/{self.source(library)['id']}"
        answer = self.server.http.request(method, path, **more)
        assert answer.status_code == 204, answer.text


def test_a_source_falls_silent_and_comes_back(server):
    sources = Sources(server)
    both = lambda: (sources.send("backend"), sources.send("app"))
    until("both sources", lambda: {s["state"] for s in sources.all().values()} == {"as_usual"} and len(sources.all()) == 2, meanwhile=both)
    backend = sources.source("backend")
    assert backend["protocol"] == "Tallymark" and backend["lane"] == "live" and backend["usual_rate"] > 0, backend
    assert len(backend["minutes"]) == 60 and sum(backend["minutes"]) >= 2, backend

    # Nobody wants to hear of the app; then both fall silent.
    sources.decide("PATCH", "app", json={"watched": False})
    found, = until("a finding", sources.findings)
    backend = sources.source("backend")
    assert backend["state"] == "silent" and sources.source("app")["state"] == "not_watched"
    assert "backend" in found["detail"] and "project shop" in found["detail"], found
    assert found["since"] == backend["last_event"] and found["severity"] == "warning", (found, backend)
    assert found["projects"] == [server.http.get("/api/v1/projects/shop").json()["id"]], found
    alerts = httpx.get(f"{server.url}/api/v1/operations/alerts", headers={"authorization": f"Bearer {server.admin_key}"}).json()["alerts"]
    assert any(a["title"] == "A source of events fell silent" for a in alerts), alerts

    # A watch that is started again has forgotten nothing.
    before = server.pids()["watch"]
    os.kill(before, signal.SIGKILL)
    until("another watch", lambda: server.pids().get("watch") not in (None, before))
    looked = server.get("sources")["watched_at"]
    until("a round of it", lambda: server.get("sources")["watched_at"] > looked)
    again = sources.source("backend")
    assert {k: again[k] for k in ("state", "first_event", "last_event")} == {k: backend[k] for k in ("state", "first_event", "last_event")}
    assert [f["since"] for f in sources.findings()] == [found["since"]]

    until("the end of it", lambda: not sources.findings(), meanwhile=lambda: sources.send("backend"))
    assert sources.source("backend")["first_event"] == backend["first_event"]

    # It ends for good.
    until("silence again", sources.findings)
    sources.decide("DELETE", "backend")
    until("the end of the finding", lambda: not sources.findings())
    assert list(sources.all()) == ["app"]
    # If it sends after all, it is a new one.
    sources.send("backend")
    new = until("a new source", lambda: sources.source("backend"))
    assert new["first_event"] > backend["first_event"] and new["state"] == "learning", new


def test_every_protocol_names_its_library(server):
    key = {"authorization": f"Bearer {server.write_key}"}

    def post(path, body):
        answer = httpx.post(server.url + path, json=body, headers=key, timeout=30)
        assert answer.status_code in (200, 202), f"{path}: {answer.status_code} {answer.text}"

    post("/2/httpapi", {"api_key": server.write_key, "events": [{"user_id": "user-1", "event_type": "e", "library": "amplitude-ts/2.1.0"}]})
    post("/capture/", {"api_key": server.write_key, "event": "e", "distinct_id": "d", "properties": {"$lib": "web", "$lib_version": "1.4"}})
    post("/v1/track", {"writeKey": server.write_key, "event": "e", "userId": "u", "context": {"library": {"name": "analytics-go", "version": "3"}}})
    # A key that nobody has is nobody's source.
    httpx.post(f"{server.url}/capture/", json={"api_key": "wk_of_a_stranger_1234", "event": "e", "distinct_id": "d"})
    expected = {("Amplitude", "amplitude-ts", "2.1.0"), ("PostHog", "web", "1.4"), ("Segment", "analytics-go", "3")}
    listed = lambda: {(s["protocol"], s["library"], s["library_version"]) for s in server.get("sources")["sources"]}
    until("three sources", lambda: listed() == expected)


def test_files_that_change_are_found_and_shown(server, tmp_path):
    sources = Sources(server)
    folder = tmp_path / "in"
    folder.mkdir()
    row = lambda n: json.dumps({"event": "order", "user_id": "u", "time": "2026-01-02T03:04:05Z", "properties": {"n": n}}) + "\n"
    (folder / "a.ndjson").write_text("".join(map(row, range(10))) + "no JSON\n")
    source = ["orders", "--from", f"file:{folder}", "--project", "shop", "--every", "1", "--settle", "0"]
    server.cli("vacuum", "add", *source)
    files = lambda: server.get("files")["files"]
    shown, = until("the file", lambda: [f for f in files() if f["state"] == "idle" and f["done"] == 1])
    expected = {"name": "orders", "objects": 1, "rows": 10, "rejected": 1, "format": "events", "failed": [], "changed": []}
    assert {k: shown[k] for k in expected} == expected, shown
    assert shown["last_object"].endswith("/a.ndjson") and shown["last_object_at"], shown
    assert sources.findings("vacuum") == []

    (folder / "a.ndjson").write_text(row(77))
    found, = until("a finding", lambda: sources.findings("vacuum"))
    assert "a.ndjson" in found["detail"] and "project shop" in found["detail"], found
    assert files()[0]["changed"] == ["a.ndjson"], files()
    server.cli("vacuum", "accept", "orders", "a.ndjson")
    until("the end of it", lambda: not sources.findings("vacuum"))
