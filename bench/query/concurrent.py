"""Many at once: queries of two projects side by side while events keep arriving.

    python bench/query/concurrent.py target/release/tallymark [--queries 200] [--rate 2000] [--seconds 60]

Only the standard library. A server of its own in a temporary folder; `loud` asks from most of the connections, `quiet`
from a tenth of them. Printed at the end: answers and refusals of each, latencies, how the senders fared, the memory of
each process, and the books. Ends with 1 if anything was lost, aborted, slow to be collected, or unfair.
"""

import argparse
import collections
import http.client
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ADMIN = "ak_concurrent_0123456789"
SEED_EVENTS = 60_000
BATCH = 100
MEMORY_MB = 512
DAY = 86_400

NAMES = ["view", "search", "cart", "buy", "help"]


def queries(now):
    day = lambda n: time.strftime("%Y-%m-%d", time.gmtime(now - n * DAY))  # noqa: E731
    closed, open_ = {"from": day(20), "to": day(2)}, {"from": day(20), "to": day(0)}
    week = {"n": 7, "unit": "day"}
    return {
        "uniques": {"type": "segmentation", "series": [{"event": "view"}], "range": open_},
        "uniques, closed": {"type": "segmentation", "series": [{"event": "view"}], "range": closed},
        "totals by colour": {"type": "segmentation", "series": [{"event": "*", "measure": "totals"}],
                             "breakdown": [{"property": "colour"}], "limit": 10, "range": open_},
        "percentiles": {"type": "segmentation", "range": open_,
                        "series": [{"event": "buy", "measure": "p90", "property": "amount"}]},
        "funnel": {"type": "funnel", "steps": [{"event": "view"}, {"event": "cart"}, {"event": "buy"}],
                   "window": week, "range": open_},
        "funnel by colour": {"type": "funnel", "steps": [{"event": "view"}, {"event": "buy"}], "window": week,
                             "range": open_, "breakdown": {"property": "colour"}, "limit": 5},
        "retention": {"type": "retention", "start": {"event": "view"}, "return": {"event": "*"}, "periods": 7,
                      "range": open_},
        "paths": {"type": "paths", "range": open_, "step_limit": 4},
        "sessions": {"type": "sessions", "range": open_},
        "lifecycle": {"type": "lifecycle", "event": "view", "range": open_},
        "cohort": {"type": "cohort", "cohort": {"performed": {"event": "buy"}, "last": week, "count": ["gte", 2]}},
    }


def events(rng, count, users, at):
    made = []
    for _ in range(count):
        made.append({
            "event": rng.choice(NAMES), "time": at(rng), "user_id": f"u{rng.randrange(users)}",
            "properties": {"colour": rng.choice(["red", "green", "blue", "grey"]), "amount": rng.randrange(4000) / 4},
        })
    return made


class Server:
    def __init__(self, binary, folder):
        self.folder = Path(folder)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.address = ("127.0.0.1", s.getsockname()[1])
        env = {**os.environ, "TALLYMARK_BOOTSTRAP_PROJECT": "loud", "TALLYMARK_BOOTSTRAP_ADMIN_KEY": ADMIN,
               "TALLYMARK_BOOTSTRAP_SECRET_KEY": "sk_loud_0123456789abc", "TALLYMARK_QUERY_MEMORY_MB": str(MEMORY_MB)}
        listen = f"{self.address[0]}:{self.address[1]}"
        self.log = open(self.folder / "server.log", "w")  # noqa: SIM115
        command = [binary, "serve", "--data", str(self.folder / "data"), "--listen", listen]
        self.process = subprocess.Popen(command, env=env, stdout=self.log, stderr=self.log)

    def call(self, key, method, path, body=None, connection=None):
        """Status, headers, text."""
        connection = connection or http.client.HTTPConnection(*self.address, timeout=300)
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request(method, f"/api/v1/{path}", json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def ready(self):
        for _ in range(300):
            try:
                status, _, text = self.call(ADMIN, "GET", "projects")
                if status == 200 and json.loads(text)["projects"]:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise SystemExit("the server did not become ready")

    def processes(self):
        """Role and (pid, peak MiB) of every process of the server."""
        found = {}
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
                words = (status.parent / "cmdline").read_bytes().split(b"\0")
            except (OSError, ValueError):
                continue
            if int(fields.get("PPid", "0").strip()) == self.process.pid or status.parent.name == str(self.process.pid):
                role = words[2 if words[1] == b"role" else 1].decode() if len(words) > 2 else "?"
                found[role] = (int(status.parent.name), int(fields["VmHWM"].split()[0]) // 1024)
        return found

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Asker(threading.Thread):
    """One connection that asks one query after the other."""

    def __init__(self, server, project, key, asked, until, seed):
        super().__init__(daemon=True)
        self.server, self.project, self.key, self.asked, self.until = server, project, key, asked, until
        self.rng = random.Random(seed)
        self.took, self.other, self.served = [], collections.Counter(), collections.Counter()

    def run(self):
        connection = http.client.HTTPConnection(*self.server.address, timeout=300)
        names = list(self.asked)
        while time.monotonic() < self.until:
            name = self.rng.choice(names)
            began = time.monotonic()
            try:
                status, headers, text = self.server.call(
                    self.key, "POST", f"projects/{self.project}/query", self.asked[name], connection)
            except OSError as error:
                self.other[f"connection: {type(error).__name__}"] += 1
                connection.close()
                continue
            if status == 200:
                self.took.append((name, time.monotonic() - began))
                self.served[headers.get("tallymark-cache", "?")] += 1
            elif status in (429, 503) and headers.get("retry-after"):
                self.other[f"{status} to be tried again"] += 1
                time.sleep(min(float(headers["retry-after"]), max(self.until - time.monotonic(), 0)))
            else:
                self.other[f"{status} {text[:120]!r}"] += 1


class Sender(threading.Thread):
    """Sends at a steady rate and times every acknowledgement."""

    def __init__(self, server, key, per_second, until, seed):
        super().__init__(daemon=True)
        self.server, self.key, self.per_second, self.until = server, key, per_second, until
        self.rng, self.took, self.sent, self.other = random.Random(seed), [], 0, collections.Counter()

    def run(self):
        connection = http.client.HTTPConnection(*self.server.address, timeout=60)
        due = time.monotonic()
        while due < self.until:
            time.sleep(max(due - time.monotonic(), 0))
            now = int(time.time() * 1000)
            batch = events(self.rng, BATCH, 3000, lambda _: now)
            began = time.monotonic()
            try:
                status, _, text = self.server.call(self.key, "POST", "events", {"events": batch}, connection)
            except OSError as error:
                self.other[type(error).__name__] += 1
                connection.close()
                continue
            if status == 200:
                self.sent += json.loads(text)["accepted"]
                self.took.append(time.monotonic() - began)
            else:
                self.other[f"{status} {text[:80]!r}"] += 1
            due += BATCH / self.per_second


def percentile(values, p):
    values = sorted(values)
    return values[min(int(len(values) * p), len(values) - 1)] if values else float("nan")


def seed(server, key):
    rng, now = random.Random(1), time.time()
    connection = http.client.HTTPConnection(*server.address, timeout=120)
    at = lambda r: int((now - r.random() * 20 * DAY) * 1000)  # noqa: E731
    for _ in range(SEED_EVENTS // 2000):
        status, _, text = server.call(key, "POST", "events", {"events": events(rng, 2000, 3000, at)}, connection)
        assert status == 200, text


def identity(server, key, project):
    return json.loads(server.call(key, "GET", f"projects/{project}/ledger")[2])["identity"]


def wait_idle(server, keys):
    for _ in range(600):
        if all(identity(server, key, project)["pending"] == 0 for project, key in keys.items()):
            return
        time.sleep(0.2)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("binary")
    args.add_argument("--queries", type=int, default=200)
    args.add_argument("--rate", type=int, default=2000)
    args.add_argument("--seconds", type=int, default=60)
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(args.binary, folder)
        server.ready()
        quiet = json.loads(server.call(ADMIN, "POST", "projects", {"name": "quiet"})[2])
        keys = {"loud": "sk_loud_0123456789abc", "quiet": quiet["secret_key"]}
        for key in keys.values():
            seed(server, key)
        wait_idle(server, keys)
        pids = {role: pid for role, (pid, _) in server.processes().items()}
        asked, until = queries(time.time()), time.monotonic() + args.seconds
        few = max(args.queries // 10, 1)
        askers = [Asker(server, "loud", keys["loud"], asked, until, i) for i in range(args.queries - few)]
        askers += [Asker(server, "quiet", keys["quiet"], asked, until, 1000 + i) for i in range(few)]
        senders = [Sender(server, key, args.rate / 4, until, 5000 + i) for i, key in enumerate(list(keys.values()) * 2)]
        for thread in askers + senders:
            thread.start()
        for thread in askers + senders:
            thread.join(args.seconds + 400)
        after = server.processes()
        wait_idle(server, keys)
        bad = []
        print(f"{args.queries} connections, {args.seconds} s, {args.rate} events/s")
        for project in keys:
            own = [a for a in askers if a.project == project]
            took = [seconds for a in own for _, seconds in a.took]
            other, served = sum((a.other for a in own), collections.Counter()), sum((a.served for a in own), collections.Counter())
            per = len(took) / len(own)
            print(f"{project:>6}: {len(own)} connections, {len(took)} answers ({per:.1f} each), median {percentile(took, .5):.2f} s, "
                  f"p95 {percentile(took, .95):.2f} s, most {percentile(took, 1):.2f} s; {dict(served)} {dict(other)}")
            if not took or any("to be tried again" not in what for what in other):
                bad.append(f"{project}: {dict(other)}")
        names = sorted({name for a in askers for name, _ in a.took})
        for name in names:
            took = [seconds for a in askers for n, seconds in a.took if n == name]
            print(f"        {name}: {len(took)} answers, median {statistics.median(took):.2f} s")
        acknowledged = [seconds for s in senders for seconds in s.took]
        sent, lost = sum(s.sent for s in senders), sum((s.other for s in senders), collections.Counter())
        print(f"events: {sent} acknowledged ({sent / args.seconds:.0f}/s), median {percentile(acknowledged, .5) * 1000:.0f} ms, "
              f"p99 {percentile(acknowledged, .99) * 1000:.0f} ms; {dict(lost)}")
        per_connection = {p: statistics.mean([len(a.took) for a in askers if a.project == p]) for p in keys}
        if per_connection["quiet"] < per_connection["loud"]:
            bad.append(f"the quiet project got less for each connection than the loud one: {per_connection}")
        if lost or sent < 0.95 * args.rate * args.seconds:
            bad.append(f"senders: {sent} of {args.rate * args.seconds}; {dict(lost)}")
        for role, (pid, peak) in sorted(after.items()):
            print(f"memory: {role} {peak} MiB at most" + ("" if pids.get(role) == pid else ", restarted"))
            if pids.get(role) != pid:
                bad.append(f"{role} was restarted")
        for project, key in keys.items():
            books = identity(server, key, project)
            print(f" books: {project} {books}")
            terms = ["visible", "duplicate", "filtered", "dead", "pending"]
            if books["acknowledged"] != sum(books[t] for t in terms):
                bad.append(f"the books of {project} do not add up")
        server.stop()
        for problem in bad:
            print(f"NOT AS IT SHOULD BE: {problem}")
        sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
