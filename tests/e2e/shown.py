"""Runs the blocks of code that a page of docs/sources shows, against a server behind TLS."""

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, node

NODE = Path(__file__).resolve().parent / "node"


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs/sources" / page).read_text(), re.S)


def run_page(page, proxy, key):
    """Every python, js and sh block, in the order of the page; the host and the key are put in."""
    trust = {"REQUESTS_CA_BUNDLE": proxy.cert, "NODE_EXTRA_CA_CERTS": proxy.cert, "CURL_CA_BUNDLE": proxy.cert, "NO_PROXY": "localhost,127.0.0.1"}
    env = {**os.environ, **{name: str(value) for name, value in trust.items()}}
    ways = {"python": [sys.executable, "-c"], "js": [node(), "--input-type=module", "-e"], "sh": ["bash", "-euc"]}
    shown = 0
    for language, command in ways.items():
        for block in blocks(page, language):
            code = block.replace("analytics.example.com", proxy.host).replace("WRITE_KEY", key)
            done = subprocess.run([*command, code], cwd=NODE, env=env, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{language} of {page}\n{code}\n{done.stdout}\n{done.stderr}"
            shown += 1
    assert shown, f"{page} shows no code"
