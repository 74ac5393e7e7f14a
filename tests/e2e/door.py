"""The door between an SDK and a server: passes requests on, or fails on purpose, as networks and servers do.

It speaks HTTP, or TLS as most installations have it: some SDKs speak TLS to a host name and nothing else, and send again
only over TLS.
"""

import collections
import http.client
import http.server
import json
import socket
import ssl
import struct
import subprocess
import threading
import time


def certificate(folder):
    """A certificate for localhost that signs itself: (certificate, key)."""
    cert, key = folder / "localhost.pem", folder / "localhost.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )
    return cert, key


class Door:
    """Passes requests on to `server`, but meets the next ones as `fail` says:

    - a number: the answer is that status, with `Retry-After: 1`, and the server sees nothing;
    - "cut": the connection is reset before anything is passed on;
    - "lose the answer": the server takes the request, then the connection is reset;
    - "kill while it works": the request is on its way to the server when every process of it is killed;
    - "kill, then answer": the server has answered and is killed before its answer is passed on.

    While it is shut, connections are refused.
    """

    def __init__(self, server, folder=None):
        """With a folder it speaks TLS, with a certificate (`cert`) made there."""
        self.server, self.context, self.cert = server, None, None
        self.failing, self.answers = 0, []
        self.steps, self.lock, self.open_connections = collections.deque(), threading.Lock(), set()
        if folder:
            self.cert, key = certificate(folder)
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(self.cert, key)
        self.port, self.listener = 0, None
        self.open()
        self.host = f"localhost:{self.port}"
        self.url = f"https://{self.host}" if folder else f"http://127.0.0.1:{self.port}"

    def open(self):
        door = self

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        end = time.monotonic() + 30
        while True:
            try:
                self.listener = Listener(("127.0.0.1", self.port), handler(door))
                break
            except OSError:
                # An outgoing connection of someone else may hold the port for a moment.
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self.port = self.listener.server_port
        if self.context:
            self.listener.socket = self.context.wrap_socket(self.listener.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True).start()

    def shut(self):
        if not self.listener:
            return
        self.listener.shutdown()
        self.listener.server_close()
        self.listener = None
        for connection in list(self.open_connections):
            reset(connection)

    def fail(self, *steps):
        self.steps.extend(steps)

    def wait_failed(self):
        """Until every failure that was asked for has been met with."""
        until(lambda: not self.steps and not self.failing, f"nothing was sent that could meet with {list(self.steps)}")

    def passed(self, after, seconds):
        """Whether the server takes a request within this time, not counting the first `after` answers."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(status < 300 for status in self.answers[after:]):
                return True
            time.sleep(0.02)
        return False


def until(what, otherwise, seconds=90):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)


def reset(connection):
    """Closes as a crashed machine does: the other side is told that the connection is gone."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A thread that waits for the next request holds the socket open, and would answer it: this ends its waiting.
        connection.shutdown(socket.SHUT_RD)
        connection.close()
    except OSError:
        pass


def handler(door):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Without this, head and body of an answer are two packets, and the second waits for an acknowledgement.
        wbufsize = -1

        def setup(self):
            super().setup()
            door.open_connections.add(self.connection)

        def finish(self):
            door.open_connections.discard(self.connection)
            try:
                super().finish()
            except OSError:
                pass

        def handle_one(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            with door.lock:
                step = door.steps.popleft() if door.steps else None
                door.failing += step is not None
            try:
                if isinstance(step, int):
                    words = json.dumps({"code": step, "error": "later", "message": "later", "detail": "later"}).encode()
                    self.answer(step, words, {"content-type": "application/json", "retry-after": "1"})
                elif step == "cut" or not self.passed_on(step, body):
                    self.close_connection = True
                    reset(self.connection)
            finally:
                with door.lock:
                    door.failing -= step is not None

        def passed_on(self, step, body):
            """Whether the client got an answer."""
            drop = ("host", "connection", "content-length", "accept-encoding", "keep-alive")
            headers = {k: v for k, v in self.headers.items() if k.lower() not in drop}
            connection = http.client.HTTPConnection("127.0.0.1", door.server.port, timeout=30)
            try:
                connection.request(self.command, self.path, body, headers)
                if step == "kill while it works":
                    door.server.kill_all()
                    return False
                got = connection.getresponse()
                words = got.read()
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()
            if step == "lose the answer":
                return False
            if step == "kill, then answer":
                door.server.kill_all()
            told = {name: got.getheader(name) for name in ("content-type", "retry-after") if got.getheader(name)}
            self.answer(got.status, words, told)
            return True

        def answer(self, status, words, headers):
            door.answers.append(status)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(words))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(words)
            self.wfile.flush()

        do_GET = do_POST = handle_one

        def log_message(self, *_):
            pass

    return Handler
