"""Tallymark under measurement: the real binary in a folder of its own, fed through its front door."""

import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import events
import pyarrow.parquet as pq

SECRET = "sk_bench_0123456789abcdef"
BATCH = 2_000
SENDERS = 3
QUIET_S = 25
SETTLED_S = 5


class Server:
    """A running server; a context."""

    def __init__(self, binary, folder):
        self.binary, self.data = binary, Path(folder) / "data"
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.address = ("127.0.0.1", s.getsockname()[1])
        self.http = None

    def __enter__(self):
        env = {**os.environ, "TALLYMARK_BOOTSTRAP_PROJECT": "bench", "TALLYMARK_BOOTSTRAP_SECRET_KEY": SECRET}
        self.data.parent.mkdir(parents=True, exist_ok=True)
        listen = f"{self.address[0]}:{self.address[1]}"
        log = open(self.data.parent / "server.log", "w")  # noqa: SIM115
        command = [self.binary, "serve", "--data", str(self.data), "--listen", listen]
        self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        for _ in range(600):
            try:
                self.ledger()
                return self
            except (OSError, http.client.HTTPException, KeyError, ValueError):
                time.sleep(0.2)
        raise SystemExit("the server did not become ready")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def restart(self):
        """As after a deployment: nothing in memory."""
        self.__exit__()
        self.http = None
        self.__enter__()
        time.sleep(SETTLED_S)  # its other processes look through what they find at their start

    def call(self, method, path, body=None, connection=None):
        """One request on a kept connection; its answer."""
        self.http = self.http or http.client.HTTPConnection(*self.address, timeout=900)
        connection = connection or self.http
        headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json", "cache-control": "no-cache"}
        for last in (False, True):
            try:
                connection.request(method, f"/api/v1/{path}", body, headers)
                answer = connection.getresponse()
                text = answer.read()
                break
            except (OSError, http.client.HTTPException) as problem:
                connection.close()
                # A connection that nobody used for minutes, while the others loaded, is closed by the server.
                if last or not isinstance(problem, http.client.RemoteDisconnected):
                    raise
        if answer.status != 200:
            raise ValueError(text[:500])
        return json.loads(text)

    def ledger(self):
        return self.call("GET", "projects/bench/ledger")["identity"]

    def ask(self, query, verb="query"):
        return self.call("POST", f"projects/bench/{verb}", json.dumps(query))

    def load(self, folder):
        """Sends every event unless they are there, and waits until files stand still; seconds it took, if it did."""
        seconds = None
        if self.ledger()["visible"] == 0:
            began = time.monotonic()
            self._send(sorted(Path(folder).glob("d*.parquet")))
            while self.ledger()["pending"] > 0:
                time.sleep(0.5)
            seconds = time.monotonic() - began
        self._wait_for_compaction()
        return seconds

    def _send(self, files):
        bodies, failures = queue.Queue(SENDERS * 4), []

        def sender():
            connection = http.client.HTTPConnection(*self.address, timeout=900)
            while (body := bodies.get()) is not None:
                for attempt in range(200):
                    try:
                        answer = self.call("POST", "events", body, connection)
                        if answer["rejected"]:
                            failures.append(answer["rejected"][0])
                        break
                    except (ValueError, OSError) as problem:  # full for the moment
                        if attempt == 199:
                            failures.append(problem)
                        time.sleep(0.5)

        threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        for file in files:
            rows = events.native(pq.read_table(file)).to_pylist()
            for at in range(0, len(rows), BATCH):
                bodies.put(f'{{"events":[{",".join(rows[at : at + BATCH])}]}}'.encode())
            print(f"\rsent {file.stem}", end="", flush=True)
        for _ in threads:
            bodies.put(None)
        for thread in threads:
            thread.join()
        print("\r", end="")
        if failures:
            raise SystemExit(f"not everything was taken: {failures[0]}")

    def _wait_for_compaction(self):
        """Until the files that a full scan touches stand still."""
        query = {"type": "segmentation", "series": [{"event": "*"}], "range": span(0, events.DAYS), "interval": "none"}
        last, since = None, time.monotonic()
        while time.monotonic() - since < QUIET_S:
            now = json.dumps(self.ask(query, "query/explain")["scan"], sort_keys=True)
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(3)


def day(nth):
    """The date of a day of the data."""
    return time.strftime("%Y-%m-%d", time.gmtime((events.BASE + nth * events.DAY) / 1000))


def span(first, last):
    """The days from one up to, but not including, another."""
    return {"from": day(first), "to": day(last - 1)}
