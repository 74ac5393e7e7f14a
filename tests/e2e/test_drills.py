"""Drills run from the command line: exit code, JSON and JUnit reports, nothing left behind."""

import json
import subprocess
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

from conftest import BINARY

QUICK = ["a16-13-verify-finds-planted", "a19-8-properties-as-of", "h15-12-refused-counted"]


def drill(*args):
    return subprocess.run([str(BINARY), "drill", *map(str, args)], capture_output=True, text=True, timeout=600)


def leftovers():
    return sorted(p.name for p in Path(tempfile.gettempdir()).glob("tallymark-drill-*"))


def test_quick_drills_pass_and_leave_nothing_behind(tmp_path):
    before = leftovers()
    report, junit = tmp_path / "report.json", tmp_path / "junit.xml"
    done = drill("run", *QUICK, "--seed", 7, "--json", report, "--junit", junit)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(report.read_text())
    assert told["passed"] and told["seed"] == 7
    assert [d["name"] for d in told["drills"]] == QUICK
    for each in told["drills"]:
        figures = {f["name"]: f["value"] for f in each["figures"]}
        assert figures["acknowledged events lost"] == 0 and figures["events doubled"] == 0, each["name"]
        assert figures["events acknowledged"] > 0 and each["timeline"]
    suite = xml.parse(junit).getroot()
    assert suite.get("tests") == str(len(QUICK)) and suite.get("failures") == "0"
    assert leftovers() == before


def test_the_list_names_every_row_once_or_says_why_not():
    told = json.loads(drill("list", "--json").stdout)
    drilled = {row for d in told["drills"] for row in d["rows"]}
    elsewhere = {e["row"]: e["why"] for e in told["elsewhere"]}
    assert {"amplitude-2016", "amplitude-2019", "amplitude-2021", "heap-2015", "posthog-persons"} <= {d["name"] for d in told["drills"]}
    assert not drilled & elsewhere.keys() and all(elsewhere.values())
    rows = {f"{block}-{n + 1}" for block, count in [("A19", 14), ("A16", 22), ("A21", 16), ("P25", 16), ("H15", 13)] for n in range(count)}
    assert drilled | elsewhere.keys() == rows


def test_an_unknown_drill_is_an_error():
    done = drill("run", "no-such-drill")
    assert done.returncode == 1 and "no-such-drill" in done.stderr
