"""A reverse proxy with TLS in front of a server, as most installations have one; it can also fail on purpose.

Some SDKs speak TLS to a host name and nothing else, and send again only over TLS.
"""

import http.client
import http.server
import socket
import ssl
import subprocess
import threading


def certificate(folder):
    """A certificate for localhost that signs itself: (certificate, key)."""
    cert, key = folder / "localhost.pem", folder / "localhost.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )
    return cert, key


class Proxy:
    """Passes requests on. `mode` is pass, 503, or reset (closes without an answer)."""

    def __init__(self, folder, port):
        self.mode, self.port, self.answers = "pass", port, []
        self.cert, key = certificate(folder)
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Without this, head and body of an answer are two packets, and the second waits for an acknowledgement.
            wbufsize = -1

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if proxy.mode == "reset":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                status, kind, text = (503, "text/plain", b"down on purpose") if proxy.mode == "503" else self.passed(body)
                proxy.answers.append(status)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
                self.wfile.flush()

            def passed(self, body):
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "content-length")}
                connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
                try:
                    connection.request(self.command, self.path, body, headers)
                    answer = connection.getresponse()
                    return answer.status, answer.getheader("content-type") or "text/plain", answer.read()
                except (OSError, http.client.HTTPException) as e:
                    return 502, "text/plain", str(e).encode()
                finally:
                    connection.close()

            do_GET = do_POST = handle_one

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
