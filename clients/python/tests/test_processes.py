"""Clients at the end of a program, and on both sides of a fork: programs of their own against a server that listens."""

import gzip
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            events = json.loads(body)["events"]
            self.server.events += [(event["event"], event["insert_id"]) for event in events]
            self.server.ports |= {event["event"]: self.client_address[1] for event in events}
            answer = json.dumps({"accepted": len(events), "rejected": [], "receipt": "r"}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.events = []
    http.ports = {}
    http.url = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield http
    http.shutdown()
    http.server_close()


def run(program, url):
    head = f"import os, sys; sys.path.insert(0, {str(SOURCE)!r})\nfrom tallymark import Client\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", head + program, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_program_that_just_ends_loses_nothing(server):
    program = """
c = Client(sys.argv[1], "wk_0123456789abcdef", flush_interval=3600)
for i in range(1234):
    c.capture(f"e{i}", user_id="u")
"""
    assert run(program, server.url) == (0, "")
    assert [name for name, _ in server.events] == [f"e{i}" for i in range(1234)]


def test_a_program_that_ends_while_nobody_answers_says_what_it_lost():
    program = """
c = Client(sys.argv[1], "wk_0123456789abcdef", exit_timeout=0.1, on_error=lambda r: print("lost", r.event["event"]))
c.capture("a")
"""
    code, out = run(program, "http://127.0.0.1:9")
    assert code == 0
    assert "lost a" in out


def test_both_sides_of_a_fork_send_their_own_events_once(server):
    program = """
c = Client(sys.argv[1], "wk_0123456789abcdef", flush_interval=3600)
c.send_batch([{"event": "connected"}])
c.capture("before")
pid = os.fork()
if pid == 0:
    assert c.pending == 0
    c.capture("child")
    assert c.flush(30)
    c.send_batch([{"event": "child batch"}])
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
c.capture("parent")
c.close()
"""
    assert run(program, server.url) == (0, "")
    assert sorted(name for name, _ in server.events) == ["before", "child", "child batch", "connected", "parent"]
    assert len({insert_id for _, insert_id in server.events}) == 5
    connections = server.ports
    assert not {connections["child"], connections["child batch"]} & {connections["connected"], connections["parent"]}
