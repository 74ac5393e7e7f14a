"""Starts the real binary for the tests: one folder, one port, real processes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("TALLYMARK_BIN", ROOT / "target/debug/tallymark"))
WRITE_KEY = "wk_e2e_0123456789abcdef"
SECRET_KEY = "sk_e2e_0123456789abcdef"
ADMIN_KEY = "ak_e2e_0123456789abcdef"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A running Tallymark, as its operator and its clients see it."""

    write_key = WRITE_KEY
    secret_key = SECRET_KEY
    admin_key = ADMIN_KEY

    def __init__(self, data: Path, **env):
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            **os.environ,
            "TALLYMARK_BOOTSTRAP_PROJECT": "shop",
            "TALLYMARK_BOOTSTRAP_WRITE_KEY": WRITE_KEY,
            "TALLYMARK_BOOTSTRAP_SECRET_KEY": SECRET_KEY,
            "TALLYMARK_BOOTSTRAP_ADMIN_KEY": ADMIN_KEY,
            **env,
        }
        self.process = None
        self.http = httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {SECRET_KEY}"}, timeout=60)

    def start(self, wait=True):
        self.log = open(self.data.parent / "server.log", "ab")
        self.process = subprocess.Popen(
            [str(BINARY), "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.env, start_new_session=True,
        )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=60):
        """Ready = the collector can append and the web process answers."""
        end = time.monotonic() + seconds
        last = None
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"server exited with {self.process.returncode}:\n{self.tail()}")
            try:
                self.http.get("/health/ready").raise_for_status()
                self.http.get("/api/v1/projects/shop").raise_for_status()
                return
            except httpx.HTTPError as e:
                last = e
            time.sleep(0.1)
        raise AssertionError(f"server not ready: {last}\n{self.tail()}")

    def tail(self):
        path = self.data.parent / "server.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def pids(self):
        """Role name -> process id, as the supervisor tells it; the supervisor itself is `serve`."""
        found = {"serve": self.process.pid}
        path = self.data / "run" / "components.json"
        try:
            for name, state in json.loads(path.read_text()).items():
                if state.get("pid"):
                    found[name] = state["pid"]
        except (OSError, ValueError):
            pass
        return found

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def kill_all(self):
        pids = self.pids()
        for pid in pids.values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def cli(self, *args, check=True):
        done = subprocess.run(
            [str(BINARY), *map(str, args)], capture_output=True, text=True,
            env={**os.environ, "TALLYMARK_DATA": str(self.data)},
        )
        if check and done.returncode != 0:
            raise AssertionError(f"tallymark {' '.join(map(str, args))} -> {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    # -- as a client --------------------------------------------------------------------------------------

    def send(self, events, key=WRITE_KEY, wait=None):
        answer = httpx.post(
            f"{self.url}/api/v1/events", json={"events": events}, params={"wait": wait} if wait else None,
            headers={"authorization": f"Bearer {key}"}, timeout=60,
        )
        answer.raise_for_status()
        return answer.json()

    def query(self, project="shop", **query):
        answer = self.http.post(f"/api/v1/projects/{project}/query", json=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path, **params):
        answer = self.http.get(f"/api/v1/projects/shop/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ledger(self, project="shop"):
        answer = self.http.get(f"/api/v1/projects/{project}/ledger", headers={"authorization": f"Bearer {ADMIN_KEY}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def settle(self, seconds=120):
        """Waits until nothing is pending."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                identity = self.ledger()["identity"]
                if identity["pending"] == 0:
                    return identity
            except (httpx.HTTPError, AssertionError):
                pass
            time.sleep(0.2)
        raise AssertionError(f"still pending: {self.ledger()['identity']}\n{self.tail()}")

    def total(self, event, measure="totals", **more):
        series = [{"event": event, "measure": measure, **more}]
        return self.query(type="segmentation", series=series, range={"from": "2000-01-01", "to": "2035-01-01"}, interval="none")["series"][0]["total"]

    def all_events(self, **params):
        """Every stored event, by paging."""
        cursor = None
        while True:
            page = self.get("events", limit=1000, **params, **({"cursor": cursor} if cursor else {}))
            yield from page["events"]
            cursor = page.get("next")
            if not cursor:
                return


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "data").start()
    yield server
    server.stop()


@pytest.fixture
def make_server(tmp_path):
    made = []

    def make(**env):
        server = Server(tmp_path / f"data{len(made)}", **env)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


def node():
    found = shutil.which("node")
    assert found, "node is missing: run `make setup`"
    return found
