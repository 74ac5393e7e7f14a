"""Runs the code that a page of docs/sources shows, in the order of the page: the host and the key are put in."""

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, node

SOURCES = ROOT / "docs/sources"
NODE = Path(__file__).resolve().parent / "node"
PYTHON, JS, SH = [sys.executable, "-c"], [node(), "--input-type=module", "-e"], ["bash", "-euc"]
WAYS = {"py": PYTHON, "python": PYTHON, "js": JS, "sh": SH}
# Not code: what a page's own tests set (`text`, `toml`).
DATA = {"text", "toml"}
# Code that needs a browser: (page, what it is known by) -> what runs it instead.
ELSEWHERE = {
    ("browser.md", "amplitude.init(KEY"): "tests/browser/sdks-amplitude.test.mjs and its neighbours, in Chromium",
    ("segment.md", "AnalyticsBrowser.load"): "tests/browser/sdks-segment.test.mjs, in Chromium",
}


def blocks(page):
    return re.findall(r"^```(\w+)\n(.*?)^```", (SOURCES / page).read_text(), re.S | re.M)


def run_page(page, door, key):
    """Addresses with a scheme lead to the server, bare host names to the door, which speaks TLS as the SDKs want it."""
    trust = {"REQUESTS_CA_BUNDLE": door.cert, "NODE_EXTRA_CA_CERTS": door.cert, "CURL_CA_BUNDLE": door.cert, "NO_PROXY": "localhost,127.0.0.1"}
    env = {**os.environ, **{name: str(value) for name, value in trust.items()}}
    run, elsewhere = 0, {known for of, known in ELSEWHERE if of == page}
    for language, block in blocks(page):
        here = {known for known in elsewhere if known in block}
        if language in DATA or here:
            elsewhere -= here
            continue
        code = block.replace("https://tallymark.example.com", door.server.url).replace("tallymark.example.com", door.host).replace("YOUR_KEY", key)
        if language == "sh":
            # An answer that refuses is a failure, as it would be for a reader who looks at it.
            code = re.sub(r"^curl ", "curl --silent --show-error --fail-with-body ", code, flags=re.M)
        done = subprocess.run([*WAYS[language], code], cwd=NODE, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{language} of {page}\n{code}\n{done.stdout}\n{done.stderr}"
        run += 1
    assert not elsewhere, f"{page} does not show {elsewhere} any more"
    assert run or any(of == page for of, _ in ELSEWHERE), f"{page} shows no code"
