"""The verbs of the books on the real binary: skip and replay, rules and reprocess, redrive, erasure, guards."""

import json
import time
import uuid

import httpx
import pytest
from conftest import ADMIN_KEY, SECRET_KEY

OPERATIONS = "/api/v1/operations"
SHOP = "/api/v1/projects/shop"


def admin(server, method, path, body=None, status=None, **params):
    answer = server.http.request(
        method, path, json=body, params=params or None, headers={"authorization": f"Bearer {ADMIN_KEY}"}
    )
    if status is None:
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
    else:
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.text else None


def until(what, check, seconds=60):
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = check()
        except (httpx.HTTPError, AssertionError) as error:
            last = error
        else:
            if last:
                return last
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} s; last: {last}")


def run_job(server, kind, spec=None, status="done", **more):
    body = {"kind": kind, "spec": spec or {}, "reason": "test", **more}
    job = admin(server, "POST", f"{OPERATIONS}/jobs", body)

    def over():
        now = admin(server, "GET", f"{OPERATIONS}/jobs/{job['id']}")
        return now if now["state"] in ("done", "failed", "cancelled") else None

    done = until(f"{kind} to end", over, 90)
    assert done["state"] == status, f"{done}\n{server.tail()}"
    return done


def events(n, name="Buy", user=lambda i: f"u{i % 7}", **properties):
    return [
        {"event": name, "user_id": user(i), "insert_id": f"{name}-{i}", "time": "2026-01-05T10:00:00Z",
         "properties": {"n": i, **properties}}
        for i in range(n)
    ]


def freeze(server, role="process"):
    import os
    import signal

    os.kill(server.pids()[role], signal.SIGSTOP)


def thaw(server, role="process"):
    import os
    import signal

    os.kill(server.pids()[role], signal.SIGCONT)


def pending_ranges(server):
    lanes = server.ledger()["lanes"]
    return [
        {"lane": lane["lane"], "partition": lane["partition"], "from": lane["cursor"], "to": lane["end"]}
        for lane in lanes
        if lane["pending"]
    ]


def test_skipped_records_stay_in_the_books_until_a_replay_heals_them(server):
    server.send(events(300), wait="visible")
    server.settle()
    freeze(server)
    server.send(events(200, "Lost"))
    ranges = pending_ranges(server)
    assert sum(r["to"] - r["from"] for r in ranges) == 200
    scope = admin(server, "POST", f"{OPERATIONS}/jobs/scope", {"kind": "skip", "spec": {"ranges": ranges}})
    assert scope["events"] == 200 and scope["destructive"] and scope["projects"] == ["shop"]
    job = admin(server, "POST", f"{OPERATIONS}/jobs", {"kind": "skip", "spec": {"ranges": ranges}, "reason": "poison"})
    thaw(server)
    until("the skip", lambda: admin(server, "GET", f"{OPERATIONS}/jobs/{job['id']}")["state"] == "done")

    ledger = until("the books to show it", lambda: server.ledger() if server.ledger()["skipped"] else None)
    assert sum(s["to"] - s["from"] for s in ledger["skipped"]) == 200
    assert {s["reason"] for s in ledger["skipped"]} == {"poison"}
    assert ledger["identity"]["pending"] == 200 and ledger["identity"]["balanced"]
    assert server.total("Lost") == 0 and server.total("Buy") == 300
    first = ledger["skipped"][0]
    report = admin(server, "GET", f"{OPERATIONS}/loss-report", lane=first["lane"], partition=first["partition"],
                   **{"from": first["from"], "to": first["to"]})
    assert report["equation"]["skipped"] == first["to"] - first["from"] and report["equation"]["balanced"]
    assert sum(s["events"] for s in report["senders"]) == first["to"] - first["from"]
    assert {s["project_name"] for s in report["senders"]} == {"shop"}
    # Asked about one of them, the answer is not silence.
    at = f"{first['lane']}/{first['partition']}@{first['from']}"
    assert server.get("outcomes", position=at)["outcomes"][0]["outcome"] == "skipped"

    done = server.cli("replay", "--all-skipped", "--json")
    job = json.loads(done.stdout)
    assert job["state"] == "done" and job["report"]["replayed"] == 200, job
    assert until("the rows", lambda: server.total("Lost") == 200)
    ledger = server.ledger()
    assert ledger["skipped"] == [] and ledger["identity"]["pending"] == 0 and ledger["identity"]["balanced"]
    assert sum(r["records"] for r in ledger["restatements"] if r["origin"] == "replay") == 200
    found = server.get("outcomes", position=at)["outcomes"][0]
    assert (found["outcome"], found["origin"]) == ("visible", "replay")
    # Nothing is left to heal, and saying so changes nothing.
    assert server.cli("replay", "--all-skipped", check=False).returncode != 0
    assert server.total("Lost") == 200
    server.cli("verify")


def test_a_rule_filters_from_its_position_on_and_reprocess_brings_everything_back(server):
    server.send(events(100, "Play") + events(50, "Stay"), wait="visible")
    server.settle()
    action = {"type": "drop", "events": ["Play"], "conditions": []}
    tried = admin(server, "POST", f"{SHOP}/rules/preview", {"action": action, "wait_ms": 20000})
    assert tried["ready"] and tried["job"]["report"]["filtered"] == 100, tried
    assert server.get("rules")["rules"] == []

    rule = server.http.post(f"{SHOP}/rules", json={"name": "no plays", "reason": "ticket 7", "action": action}).json()
    shards = len(server.ledger()["lanes"])

    def in_force(version):
        rules = server.get("rules")["rules"]
        held = next(r for r in rules if r["id"] == rule["id"])
        return held if held["version"] == version and len(held["in_force"]) == shards else None

    held = until("the rule to be in force", lambda: in_force(1))
    assert held["state"] == "in_force"
    server.send([{**e, "insert_id": f"late-{e['insert_id']}"} for e in events(40, "Play")])
    server.settle()
    assert server.total("Play") == 100, "what was stored before stays, what comes after does not"
    identity = server.ledger()["identity"]
    assert identity["filtered"] == 40 and identity["balanced"]
    found = server.get("outcomes", insert_id="late-Play-3")["outcomes"][0]
    assert found["outcome"] == "filtered"
    assert (found["rule"]["name"], found["rule"]["version"], found["rule"]["reason"]) == ("no plays", 1, "ticket 7")
    assert found["rule"]["since"] in {f["position"] for f in held["in_force"]}

    server.cli("rules", "disable", rule["id"], "--project", "shop", "--reason", "taken back")
    until("the second version", lambda: in_force(2))
    tried = server.cli("reprocess", "--all", "--project", "shop", "--dry-run", "--json")
    assert json.loads(tried.stdout)["report"]["changed"] == 40
    assert server.total("Play") == 100, "a try changes nothing"
    refused = server.cli("reprocess", "--all", "--project", "shop", check=False)
    assert refused.returncode != 0 and "--environment" in refused.stderr
    done = server.cli("reprocess", "--all", "--project", "shop", "--environment", "development", "--json")
    assert json.loads(done.stdout)["state"] == "done"
    until("they are back", lambda: server.total("Play") == 140)
    identity = server.ledger()["identity"]
    assert identity["filtered"] == 0 and identity["visible"] == 190 and identity["balanced"]
    versions = server.get(f"rules/{rule['id']}/versions")["rules"]
    assert [v["enabled"] for v in versions] == [True, False]
    server.cli("verify")


def test_dead_letters_are_mended_and_counts_move(server):
    server.send(events(20), wait="visible")
    # Somebody sends with a key that no project has: acknowledged, so never dropped.
    server.send(events(30, "Stray"), key="wk_mistyped_0123456789")
    server.settle()
    until("the letters", lambda: server.ledger()["instance"]["dead"] == 30)
    letters = admin(server, "GET", f"{OPERATIONS}/dead-letters", limit=100)["dead"]
    assert len(letters) == 30 and {letter["reason"]["code"] for letter in letters} == {"unknown_project"}
    before = server.ledger()
    letter = letters[0]
    mended = {**json.loads(letter["body"]), "event": "Mended"}
    one = {"items": [{"position": letter["position"], "body": mended}], "project": "shop"}
    tried = admin(server, "POST", f"{OPERATIONS}/dead-letters/redrive", {**one, "dry_run": True})
    assert tried["redriven"] == 1 and server.ledger()["instance"] == before["instance"]
    broken = {"items": [{"position": letter["position"], "body": "{"}], "project": "shop"}
    assert admin(server, "POST", f"{OPERATIONS}/dead-letters/redrive", broken)["refused"] == 1
    assert admin(server, "POST", f"{OPERATIONS}/dead-letters/redrive", one)["redriven"] == 1
    until("it is visible", lambda: server.total("Mended") == 1)
    rest = ["redrive", "--reason", "unknown_project", "--unowned", "--project", "shop", "--map", "event=row.event + ' found'"]
    server.cli("dead-letters", *rest)
    until("all are visible", lambda: server.total("Stray found") == 29)
    after = server.ledger()
    assert after["instance"]["dead"] == 0 and after["instance"]["balanced"], after["instance"]
    assert after["identity"]["visible"] == 50 and after["identity"]["balanced"]
    assert admin(server, "GET", f"{OPERATIONS}/dead-letters")["dead"] == []
    # A second redrive finds nothing that is dead.
    assert admin(server, "POST", f"{OPERATIONS}/dead-letters/redrive", one)["redriven"] == 0
    server.cli("verify")


def test_a_person_is_forgotten_at_once_and_comes_back_when_that_is_undone(server):
    server.send(events(70), wait="visible")
    server.settle()
    assert server.total("Buy") == 70
    export = server.http.get(f"{SHOP}/persons/u3/export")
    lines = [json.loads(line) for line in export.text.splitlines()]
    assert lines[0]["type"] == "person" and lines[-1] == {"type": "end", "events": 10}
    assert {line["event"]["user_id"] for line in lines[1:-1]} == {"u3"}

    wish = server.http.post(f"{SHOP}/persons/u3/erase", json={"reason": "art. 17"}).json()
    until("the person to be hidden", lambda: server.total("Buy") == 60)
    server.send([{**e, "insert_id": f"again-{e['insert_id']}"} for e in events(1, user=lambda i: "u1")], wait="visible")
    assert server.total("Buy") == 61
    assert server.ledger()["identity"]["balanced"]
    undone = server.http.post(f"{SHOP}/erasures/{wish['id']}/undo", json={})
    assert undone.status_code == 200, undone.text
    until("the person to be back", lambda: server.total("Buy") == 71)
    assert server.get("erasures")["erasures"][0]["state"] == "undone"


@pytest.mark.parametrize("given", [[], ["--yes"], ["--environment", "development"], ["--environment", ""], ["--yes", "--environment", "Production"]])
def test_a_careless_command_does_nothing_in_production(server, given):
    admin(server, "PUT", f"{OPERATIONS}/settings", {"environment": "production"})
    server.send(events(5), wait="visible")
    freeze(server)
    server.send(events(5, "More"))
    target = pending_ranges(server)[0]
    line = ["skip", "--lane", target["lane"], "--partition", target["partition"], "--from", target["from"],
            "--to", target["to"], "--reason", "clean up"]
    done = server.cli(*line, *given, check=False)
    assert done.returncode != 0 and done.stdout == ""
    for word in ("production", "shop", "events:"):
        assert word in done.stderr, done.stderr
    assert admin(server, "GET", f"{OPERATIONS}/jobs")["jobs"] == []
    thaw(server)
    server.settle()
    assert server.total("More") == 5


def test_destructive_requests_are_guarded_and_audited(server):
    admin(server, "PUT", f"{OPERATIONS}/settings", {"environment": "production"})
    admin(server, "DELETE", SHOP, status=428)
    admin(server, "DELETE", SHOP, status=409, confirm="staging")
    own = server.http.delete(SHOP, params={"confirm": "production"})
    assert own.status_code == 403, "a project's own key cannot delete it"
    admin(server, "PUT", f"{OPERATIONS}/settings", {"protected": False}, status=428)
    admin(server, "PUT", f"{OPERATIONS}/settings", {"retention": {"days": 0.0007}}, status=400)

    server.send(events(10), wait="visible")
    admin(server, "DELETE", SHOP, confirm="production", reason="closed")
    assert server.http.get(SHOP).status_code in (401, 404)
    assert httpx.get(f"{server.url}{SHOP}", headers={"authorization": f"Bearer {SECRET_KEY}"}).status_code in (401, 404)
    server.cli("project", "restore", "shop")
    until("its charts", lambda: server.total("Buy") == 10)
    actions = [e["action"] for e in admin(server, "GET", "/api/v1/audit")["entries"]]
    for action in ("project.delete", "project.restore", "setting.change"):
        assert action in actions, actions


def test_the_status_page_is_public_and_names_nobody(server):
    server.send(events(5), wait="visible")
    names = ["summary", "status", "components", "incidents", "incidents/unresolved", "scheduled-maintenances",
             "scheduled-maintenances/upcoming", "scheduled-maintenances/active"]
    for name in names:
        answer = httpx.get(f"{server.url}/status/api/v2/{name}.json")
        assert answer.status_code == 200, f"{name}: {answer.text}"
        assert "shop" not in answer.text and "page" in answer.json()
    for feed in ("rss", "atom"):
        assert httpx.get(f"{server.url}/status/history.{feed}").status_code == 200
    window = {"name": "new disks", "starts_at": "2036-01-01T00:00:00Z", "ends_at": "2036-01-01T01:00:00Z"}
    made = admin(server, "POST", f"{OPERATIONS}/maintenances", window)
    upcoming = httpx.get(f"{server.url}/status/api/v2/scheduled-maintenances/upcoming.json").json()
    assert [m["name"] for m in upcoming["scheduled_maintenances"]] == ["new disks"]
    admin(server, "DELETE", f"{OPERATIONS}/maintenances/{made['id']}", status=204)
    assert httpx.get(f"{server.url}{OPERATIONS}/summary").status_code == 401


def test_a_backup_restores_into_an_empty_place(server, tmp_path):
    server.send(events(40), wait="visible")
    server.settle()
    to = tmp_path / f"backups-{uuid.uuid4().hex[:6]}"
    done = json.loads(server.cli("backup", "--to", to, "--json").stdout)
    assert done["state"] == "done", done
    results = until("the result to be noted", lambda: admin(server, "GET", f"{OPERATIONS}/backups")["results"])
    assert results[0]["kind"] == "backup" and results[0]["ok"]
    server.stop()
    again = json.loads(server.cli("backup", "--to", to, "--json").stdout)
    assert again["reused_files"] > 0, "a stopped server's folder is backed up too, incrementally"
    restored = tmp_path / "restored"
    server.cli("restore", "--from", to, "--data", restored, "--json")
    occupied = server.cli("restore", "--from", to, "--data", restored, check=False)
    assert occupied.returncode != 0, "never into a place that holds something"
    server.data = restored
    server.start()
    assert server.total("Buy") == 40
    assert server.ledger()["identity"]["balanced"]


def test_what_is_lost_is_derived_again_by_command(server):
    server.send(events(120) + events(40, "Play"), wait="visible")
    server.settle()
    before = (server.total("Buy"), server.total("Play"), server.ledger()["identity"]["visible"])
    for what in ("state", "identity"):
        job = json.loads(server.cli("rebuild", what, "--json").stdout)
        assert job["state"] == "done" and job["report"]["equal"], job

    segments = sorted(server.data.glob("objects/**/*.parquet"))
    assert segments, "no segment files found"
    segments[0].unlink()
    checked = json.loads(server.cli("rebuild", "segments", "--dry-run", "--json").stdout)
    assert len(checked["report"]["damaged"]) == 1, checked
    job = json.loads(server.cli("rebuild", "segments", "--json").stdout)
    assert job["state"] == "done" and len(job["report"]["rebuilt"]) == 1, job
    until("the charts", lambda: (server.total("Buy"), server.total("Play")) == before[:2])
    server.cli("verify")

    # Copies of commits and settings are made in the background, a moment later.
    time.sleep(4)
    server.stop()
    for name in ("catalog.db", "catalog.db-wal", "catalog.db-shm"):
        (server.data / name).unlink(missing_ok=True)
    careless = server.cli("rebuild", "catalog", "--data", server.data, check=False)
    assert careless.returncode != 0 and not (server.data / "catalog.db").exists()
    server.cli("rebuild", "catalog", "--data", server.data, "--environment", "development", "--json")
    server.start()
    server.settle()
    assert (server.total("Buy"), server.total("Play"), server.ledger()["identity"]["visible"]) == before
    assert server.ledger()["identity"]["balanced"]


def test_a_letter_that_was_given_to_a_project_answers_there(server):
    server.send([{"event": "Lost", "user_id": "u1", "insert_id": "lost-1"}], key="tmw_of_nobody_0123456789")
    admin = {"authorization": f"Bearer {server.admin_key}"}
    unowned = "/api/v1/operations/dead-letters"
    for _ in range(150):
        letters = server.http.get(unowned, headers=admin).json()["dead"]
        if letters:
            break
        time.sleep(0.2)
    at = letters[0]["position"]
    assert server.http.get("/api/v1/projects/shop/outcomes", params={"position": at}).status_code == 404
    given = {"project": "shop", "items": [{"position": at}]}
    answer = server.http.post(f"{unowned}/redrive", json=given, headers=admin)
    assert answer.json().get("redriven") == 1, answer.text
    for _ in range(150):
        found = server.http.get("/api/v1/projects/shop/outcomes", params={"position": at})
        if found.status_code == 200:
            break
        time.sleep(0.2)
    assert found.json()["outcomes"][0]["outcome"] == "visible", found.text
    again = server.get("outcomes", insert_id="lost-1")["outcomes"][0]
    assert (again["position"], again["decisions"]) == (at, 2)
