"""What the app's page "Sources" tells people to paste, run as it stands: every SDK's first event arrives."""

import json
import subprocess

from conftest import node
from shown import JS, NODE, PYTHON, SH

WAYS = {"Python": PYTHON, "Node.js": JS, "curl": SH}
# Code for a bundler (tests/browser drives these SDKs), and addresses to be entered elsewhere (test_partners.py posts to them).
NOT_RUN = {"Browser", "Forwarding", "Currents"}


def test_every_snippet_delivers(server):
    shown = subprocess.run([node(), "snippets.mjs", server.write_key, server.url], cwd=NODE, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    snippets = json.loads(shown.stdout)
    assert {s["name"] for s in snippets} == set(WAYS) | NOT_RUN
    for nth, snippet in enumerate((s for s in snippets if s["name"] in WAYS), 1):
        done = subprocess.run([*WAYS[snippet["name"]], snippet["code"]], cwd=NODE, capture_output=True, text=True, timeout=60)
        said = f"{snippet['id']}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, said
        identity = server.settle()
        assert (identity["visible"], identity["dead"]) == (nth, 0), f"{said}\n{identity}"
    assert server.total("Sign Up") == nth
    assert server.total("Sign Up", "uniques") == 1
