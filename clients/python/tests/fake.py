"""A server that is not there: takes events as Tallymark does, and fails as a plan says."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable

import httpx

from tallymark import Backoff, Client

URL = "http://tallymark.test"
KEY = "wk_0123456789abcdef"


class Tallymark(httpx.MockTransport):
    """`plan` has one step per request, then everything is taken. A step is a word or a function of the request."""

    def __init__(self, *plan):
        super().__init__(self.answer)
        self.plan = list(plan)
        self.requests = []
        self.stored = {}  # insert id -> event, in the order in which they came first
        self.duplicates = 0
        self.libraries = set()
        self.rejects: Callable[[dict], dict | None] = lambda _: None
        self.events_max = 20_000
        self.gate = threading.Event()
        self.gate.set()
        self.came = threading.Event()

    def answer(self, request):
        self.came.set()
        self.gate.wait()
        body = request.content
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        events = json.loads(body)["events"]
        for event in events:
            # Every event says who sent it, first of all; the tests are about the rest.
            name, version, *rest = event.pop("properties").items()
            self.libraries.add((name, version))
            if rest:
                event["properties"] = dict(rest)
        self.requests.append((request, events))
        step = self.plan.pop(0) if self.plan else "take"
        if callable(step):
            return step(request)
        if step == "refuse the connection":
            raise httpx.ConnectError("connection refused", request=request)
        if step == "cut":
            raise httpx.WriteError("connection reset", request=request)
        if step == "lose the answer":
            self.take(events)
            raise httpx.ReadError("connection reset", request=request)
        return self.take(events)

    def take(self, events):
        if len(events) > self.events_max:
            return error(413, "TM0107", f"{len(events)} events; at most {self.events_max} are allowed")
        rejected = []
        for index, event in enumerate(events):
            reason = self.rejects(event)
            if reason:
                rejected.append({"index": index, **reason})
            elif event["insert_id"] in self.stored:
                self.duplicates += 1
            else:
                self.stored[event["insert_id"]] = event
        headers = {"retry-after": "9"} if any(r["code"] == "throttled" for r in rejected) else {}
        body = {"accepted": len(events) - len(rejected), "rejected": rejected, "receipt": f"r{len(self.requests)}"}
        return httpx.Response(200, json=body, headers=headers)

    @property
    def names(self):
        return [event["event"] for event in self.stored.values()]


def error(status, code, message="no", **headers):
    body = {"error": {"code": code, "message": message, "hint": "try", "docs": f"/docs/errors/{code}"}}
    return httpx.Response(status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def refuse(status, code, **headers):
    return lambda _: error(status, code, **headers)


class Asked(Backoff):
    """Does not wait, and remembers for how long it should have."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def delay(self, attempt, retry_after=None):
        self.asked.append((attempt, retry_after))
        return 0.0

    def sleep(self, seconds):
        assert seconds == 0.0


def client(server, **options):
    options.setdefault("backoff", Asked())
    options.setdefault("flush_interval", 0.0)
    return Client(URL, KEY, transport=server, **options)
