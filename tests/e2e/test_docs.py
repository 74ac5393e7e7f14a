"""The commands that the documentation shows, run as they stand."""

import gzip
import json
import os
import re
import shlex
import subprocess

import pytest
from conftest import BINARY, ROOT, WRITE_KEY
from door import Door
from shown import SOURCES, run_page

PAGES = ["docs/analyses.md", "docs/import.md", "docs/operating.md"]

# What the code of a page sends, by event; the pages about files have tests of their own.
SENT = {
    "amplitude.md": {"signed up": 3, "imported": 1},
    "braze.md": {"listened": 1, "users.messages.email.Open": 1, "rented": 1},
    "browser.md": {},
    "heap.md": {"Signed Up": 2, "Renewed": 1},
    "mixpanel.md": {"Signed Up": 5},
    "mparticle.md": {"played": 2, "purchase": 1, "Home": 1},
    "posthog.md": {"signed up": 3, "played": 1},
    "rudderstack.md": {"played": 4},
    "segment.md": {"Order Completed": 4},
}
FILES = {"folders.md", "s3.md"}


def commands(page):
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.S):
        for line in block.splitlines():
            line = line.split(" #")[0].strip()
            if line.startswith("tallymark "):
                yield line


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page(server, tmp_path, page):
    shown = list(commands(page))
    assert shown, f"{page} shows no command"
    (tmp_path / "question.json").write_text('{"type": "realtime"}')
    (tmp_path / "events.ndjson").write_text('{"event":"a","user_id":"u1"}\n{"event":"b","user_id":"u2"}\n')
    with gzip.open(tmp_path / "orders.csv.gz", "wt") as file:
        file.write("id,customer,total\n1,c1,9.5\n2,c2,12\n")
    (tmp_path / "mapping.toml").write_text("event = \"'order'\"\nuser_id = \"row.customer\"\n[properties]\ntotal = \"num.total\"\n")
    server.settle()
    for line in shown:
        words = [str(server.data) if w == "DIR" else w for w in shlex.split(line)]
        done = subprocess.run([str(BINARY), *words[1:]], cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "TALLYMARK_DATA": str(server.data)})
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        server.settle()


def test_every_query_of_the_page_about_analyses_is_answered(server):
    queries = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", (ROOT / "docs/analyses.md").read_text(), re.S)]
    names = ["view", "cart", "view", "buy"]
    server.send([{"event": names[i % 4], "user_id": f"u{i // 4}", "insert_id": f"i{i}", "properties": {"country": "DE", "amount": i}} for i in range(40)], wait="visible")
    types = set()
    for query in queries:
        answer = server.query(**query)
        assert answer["complete_through"], query
        types.add(query["type"])
    assert len(types) == 13, "the page shows every type"


def test_the_readme_names_only_what_exists():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), f"README links to {target}, which does not exist"
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", text, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), f"README shows `make {target}`"


@pytest.mark.parametrize("page", sorted({page.name for page in SOURCES.glob("*.md")} - FILES))
def test_the_code_of_a_source_runs_as_it_stands(server, tmp_path, page):
    door = Door(server, tmp_path)
    try:
        run_page(page, door, WRITE_KEY)
    finally:
        door.shut()
    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0, identity
    assert {event: server.total(event) for event in SENT[page]} == SENT[page]
    if page == "mixpanel.md":
        assert server.get("persons/user-1")["properties"]["logins"] == 1
    if page == "heap.md":
        alice = server.get("persons/alice@example.com")
        assert alice["properties"]["plan"] == "pro" and "2736466277391" in alice["device_ids"]
