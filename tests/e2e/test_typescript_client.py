"""The TypeScript client: its types against the API description, its own tests, Node and a browser against the binary."""

import functools
import os
import re
import shutil
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import ADMIN_KEY, ROOT, SECRET_KEY, WRITE_KEY, node
from door import Door

FOLDER = ROOT / "clients/typescript"


def run(*command, **env):
    done = subprocess.run(command, cwd=FOLDER, env={**os.environ, **env}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built():
    shutil.rmtree(FOLDER / "dist", ignore_errors=True)
    run("npm", "run", "build")


def environment(server, door):
    return {
        "TALLYMARK_URL": server.url, "TALLYMARK_DOOR": door.url, "TALLYMARK_WRITE_KEY": WRITE_KEY,
        "TALLYMARK_SECRET_KEY": SECRET_KEY, "TALLYMARK_ADMIN_KEY": ADMIN_KEY,
    }


def test_node(server):
    door = Door(server)
    door.fail(503, "cut", "lose the answer", "lose the answer", 429, 503, "lose the answer")
    output = run("npm", "test", **environment(server, door))
    assert not door.steps
    door.shut()
    assert "# fail 0" in output and "# skipped 0" in output, output
    identity = server.settle()
    # 500 plays and searches, 80 steps, the last one; three answers were lost, and their events sent twice.
    assert identity["visible"] == 581 and identity["duplicate"] == 30 and identity["balanced"], identity


PAGE = """<!doctype html><title>waiting</title>
<script type="importmap">{"imports": {"openapi-fetch": "/node_modules/openapi-fetch/dist/index.mjs"}}</script>
<script type="module">
import { createTallymark } from '/dist/index.js';
const [url, key] = JSON.parse(decodeURIComponent(location.hash.slice(1)));
try {
  const sent = await createTallymark({ url, key }).send([{ event: 'browsed', user_id: 'u' }, { event: 'browsed', device_id: 'd' }]);
  document.body.textContent = `accepted ${sent.accepted}`;
} catch (error) {
  document.body.textContent = `${error.code}: ${error.message}`;
}
</script>
"""


def test_a_browser_sends_from_another_origin(server, built, tmp_path):
    class Files(SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.path != "/page":
                return super().do_GET()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, *_):
            pass

    files = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=FOLDER))
    threading.Thread(target=files.serve_forever, daemon=True).start()
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: run `make setup`"
    page = f'http://127.0.0.1:{files.server_port}/page#["{server.url}","{WRITE_KEY}"]'
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile", "--virtual-time-budget=20000"]
    done = subprocess.run([chromium, *flags, "--dump-dom", page], capture_output=True, text=True, timeout=120)
    files.shutdown()
    files.server_close()
    assert "accepted 2" in done.stdout, done.stdout + done.stderr[-2000:]
    server.settle()
    assert server.total("browsed") == 2


@pytest.mark.parametrize("page", ["docs/clients.md", "clients/typescript/README.md"])
def test_the_programs_of_a_page_run(server, built, page):
    blocks = re.findall(r"```ts\n(.*?)```", (ROOT / page).read_text(), re.S)
    assert blocks, f"{page} shows no program"
    keys = f"const URL = {server.url!r}, WRITE_KEY = {WRITE_KEY!r}, SECRET_KEY = {SECRET_KEY!r}, ADMIN_KEY = {ADMIN_KEY!r};\n"
    # Inside of the package, so that its own name means it.
    program = FOLDER / "dist" / f"page-{server.port}.mts"
    program.write_text(keys + "\n".join(blocks))
    try:
        run("npx", "tsc", "--noEmit", "--target", "ES2022", "--module", "NodeNext", "--strict", "--skipLibCheck", "--types", "node", str(program))
        plain = run(node(), "--input-type=module", "-e", "import ts from 'typescript'; import { readFileSync } from 'node:fs';"
                    f"process.stdout.write(ts.transpile(readFileSync({str(program)!r}, 'utf8'), {{ target: 'ES2022', module: 'ESNext' }}))")
        script = program.with_suffix(".mjs")
        script.write_text(plain)
        run(node(), str(script))
    finally:
        for file in FOLDER.glob(f"dist/page-{server.port}.*"):
            file.unlink()
    identity = server.settle()
    assert identity["visible"] > 0 and identity["balanced"] and identity["dead"] == 0, identity
