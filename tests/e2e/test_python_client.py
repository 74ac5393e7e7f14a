"""The Python client against the real binary: a journey with exact counts, every kind of failure, answers, the books."""

import datetime as dt
import json
import re
import subprocess
import sys
import time

import pytest
from conftest import ADMIN_KEY, ROOT, SECRET_KEY, WRITE_KEY
from door import Door, until
from test_books import freeze, pending_ranges, thaw

sys.path.insert(0, str(ROOT / "clients/python/src"))

from tallymark import Admin, ApiError, Backoff, Client, InvalidEventError, Project, UndeliveredError, __version__  # noqa: E402

N = 1000


@pytest.fixture
def shop(server):
    with Project(server.url, SECRET_KEY, "shop") as project:
        yield project


@pytest.fixture
def admin(server):
    with Admin(server.url, ADMIN_KEY) as admin:
        yield admin


def balanced(server, visible):
    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0, identity
    assert identity["visible"] == visible, identity
    return identity


def test_a_journey(server, shop):
    reported = []
    with Client(server.url, WRITE_KEY, on_error=reported.append, batch_events=100) as client:
        # Before sign-up the 50 devices are anonymous; their users appear later on the same device.
        for i in range(N):
            person = i % 50
            client.capture(
                "play" if i % 2 else "search", device_id=f"device-{person}", user_id=None if i < 200 else f"user-{person}",
                properties={"i": i, "even": i % 2 == 0}, session_id=f"s-{person}", groups={"company": ["acme", "umbrella"][i % 2]},
            )
        client.identify("user-1", device_id="phone-1", properties={"plan": "free", "seen": 1}, set_once={"first": "a"})
        client.change_user("user-1", {"plan": "pro"}, set_once={"first": "b"}, add={"seen": 2}, append={"tags": "x"})
        client.change_user("user-1", append={"tags": "y"}, prepend={"tags": "w"}, unset=["nothing"])
        client.change_user("user-1", remove={"tags": "x"})
        client.change_user("user-2", {"a": 1, "l": [1]})
        client.change_user("user-2", {"b": 2}, clear_all=True, post_insert={"l": 1}, pre_insert={"l": 0})
        client.change_user("user-2", post_insert={"l": 1})
        client.alias("user-9", "old-nine")
        client.capture("legacy", user_id="old-nine")
        client.merge("user-10", "user-11")
        client.group("company", "acme", {"seats": 12})
        assert client.flush(60) and client.pending == 0
    assert reported == []

    balanced(server, visible=N + 11)
    assert server.total("play") == 500 and server.total("search") == 500
    assert server.total("*", "max", property="i") == 999
    # 50 users; old-nine is user-9, and user-11 is user-10.
    assert server.total("*", "uniques") == 49
    one = shop.person("phone-1")
    assert set(one.device_ids) == {"device-1", "phone-1"} and one.user_ids == ["user-1"]
    assert one.properties == {"plan": "pro", "first": "a", "seen": 3, "tags": ["w", "y"]}
    assert shop.person("user-2").properties == {"b": 2, "l": [0, 1]}
    assert "legacy" in {e.event for e in shop.timeline("user-9")}
    assert set(shop.person("user-10").user_ids) == {"user-10", "user-11"}
    assert {e.session_id for e in shop.timeline("user-1") if e.event == "play"} == {"s-1"}
    seats = shop.sql("SELECT event, count(*) AS n FROM events WHERE latest_group_properties.company.seats = 12 GROUP BY event")
    assert seats.set_index("event")["n"].to_dict()["search"] == 500 and "play" not in seats["event"].tolist()


def test_times_and_ids_are_those_of_the_capture(server, shop):
    when = dt.datetime(2026, 1, 5, 12, 30, 0, 123_000, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    with Client(server.url, WRITE_KEY) as client:
        assert client.capture("a", user_id="u", time=when, insert_id="mine") == "mine"
        client.capture("b", user_id="u", time=1_767_609_000_123)
        client.capture("a", user_id="u", time=when, insert_id="mine")
    identity = balanced(server, visible=2)
    assert identity["duplicate"] == 1
    events = {e.event: e for e in shop.events()}
    assert events["a"].time == events["b"].time == when
    assert events["a"].insert_id == "mine" and events["a"].received_at > when


def test_a_batch_with_its_result(server):
    with Client(server.url, WRITE_KEY) as client:
        result = client.send_batch([{"event": "a", "user_id": f"u{i}"} for i in range(50)] + [{"event": "$alias", "user_id": "x"}], wait="visible")
        assert result.accepted == 50 and result.visible is True
        (rejection,) = result.rejected
        assert (rejection.index, rejection.code, rejection.field) == (50, "missing_field", "properties.alias")
        assert server.total("a") == 50
        # Larger than one request may be, by events: one after the other.
        large = client.send_batch({"event": "b", "user_id": "u", "insert_id": f"i{i}"} for i in range(20_001))
        assert large.accepted == 20_001 and len(large.receipts) == 2
        server.settle()
    with Client(server.url, SECRET_KEY) as reader:
        receipt = reader.receipt(large.receipts[1])
    assert (receipt.positions, receipt.durable, receipt.visible, receipt.outcomes.visible) == (1, True, True, 1)


def test_every_event_is_there_once_whatever_happens_on_the_way(server, shop):
    door = Door(server)
    reported = []
    client = Client(door.url, WRITE_KEY, on_error=reported.append, batch_events=20, flush_interval=0.01, backoff=Backoff(0.05, 0.5))
    ids = []

    def capture(count):
        ids.extend(client.capture("step", user_id=f"user-{len(ids) % 10}", properties={"i": len(ids) + i}) for i in range(count))

    for steps in ([503, 503], [429], ["cut"], ["lose the answer", "lose the answer"], ["kill while it works"], ["kill, then answer"]):
        door.fail(*steps)
        capture(50)
        door.wait_failed()
        if "kill" in str(steps[0]):
            server.process.wait(30)
            server.start()
        assert client.flush(90), f"after {steps}"
    client.close()
    door.shut()
    assert reported == []

    identity = balanced(server, visible=len(ids))
    assert identity["duplicate"] >= 20, "lost answers were sent again, and counted once"
    stored = [e.insert_id for e in shop.events(event="step")]
    assert sorted(stored) == sorted(ids)


def test_kill_9_in_the_middle_of_many(server, shop):
    """The server dies under load and comes back; nothing that was captured is lost, and nothing is there twice."""
    reported = []
    client = Client(server.url, WRITE_KEY, on_error=reported.append, batch_events=50, flush_interval=0.01, backoff=Backoff(0.05, 0.5))
    ids = [client.capture("step", user_id=f"user-{i % 10}", properties={"i": i}) for i in range(2000)]
    while client.pending > 1500:
        time.sleep(0.001)
    server.kill_all()
    ids += [client.capture("step", user_id=f"user-{i % 10}", properties={"i": i}) for i in range(2000, 3000)]
    assert client.pending > 0
    server.start()
    assert client.flush(120)
    client.close()
    assert reported == []
    balanced(server, visible=3000)
    assert sorted(e.insert_id for e in shop.events()) == sorted(ids)
    assert server.total("step") == 3000 and server.total("step", "uniques") == 10


def test_giving_up_and_sending_again(server):
    door = Door(server)
    with Client(door.url, WRITE_KEY, backoff=Backoff(0.01, 0.02)) as client:
        door.fail("lose the answer", "cut")
        with pytest.raises(UndeliveredError, match="10 of 10") as caught:
            client.send_batch([{"event": "a", "user_id": f"u{i}"} for i in range(10)], attempts=2)
        assert client.send_batch(caught.value.undelivered).accepted == 10
    door.shut()
    assert balanced(server, visible=10)["duplicate"] == 10
    with pytest.raises(InvalidEventError):
        client.send_batch([{"event": ""}])


def test_who_sends_too_much_is_heard_later_and_the_others_at_once(make_server):
    server = make_server()
    rule = {"name": "user", "per": "user", "events_per_second": 20, "burst": 10, "action": "refuse"}
    server.data.mkdir()
    (server.data / "throttle.json").write_text(json.dumps({"version": 1, "rules": [rule]}))
    server.start()
    reported = []
    with Client(server.url, WRITE_KEY, on_error=reported.append, flush_interval=3600) as client:
        for i in range(30):
            client.capture("loud", user_id="loud", properties={"i": i})
            client.capture("calm", user_id=f"calm-{i}")
        assert client.flush(90)
    assert reported == []
    balanced(server, visible=60)
    assert server.total("loud") == 30 and server.total("calm") == 30
    assert server.ledger()["held_back"]["throttled"] > 0, "it was throttled, or this shows nothing"


# -- answers ------------------------------------------------------------------------------------------------


def some_events(client):
    names = ["view", "cart", "view", "buy"]
    day = dt.timedelta(days=1)
    now = dt.datetime.now(dt.timezone.utc)
    client.send_batch(
        [
            {"event": names[i % 4], "user_id": f"u{i // 4}", "insert_id": f"i{i}", "time": now - day * (i % 5),
             "properties": {"country": ["DE", "FR"][i // 4 % 2], "amount": i}}
            for i in range(40)
        ],
        wait="visible",
    )


def numbers(answer):
    """An answer without what tells when it was given."""
    when = ("as_of", "complete_through", "identity_version", "definition_hash")
    return {key: value for key, value in answer.items() if key not in when}


def test_answers_are_those_of_the_api_and_each_has_a_table(server, shop):
    with Client(server.url, WRITE_KEY) as client:
        some_events(client)
    server.settle()
    queries = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", (ROOT / "docs/analyses.md").read_text(), re.S)]
    by_country = {"scope": "event", "property": "country"}
    funnel = next(q for q in queries if q["type"] == "funnel")
    queries += [
        {**funnel, "breakdown": by_country},
        {**funnel, "over_time": {"interval": "day"}},
        {**funnel, "histogram": {"width_s": 3600}, "percentiles": [90]},
        {"type": "retention", "range": {"last": 7, "unit": "day"}, "interval": "day", "start": {"event": "view"},
         "return": {"event": "*"}, "periods": 3, "breakdown": by_country},
        {"type": "segmentation", "range": {"last": 7, "unit": "day"}, "interval": "hour", "series": [{"event": "view", "measure": "frequency"}],
         "compare": {"n": 7, "unit": "day"}},
        {"type": "segmentation", "range": {"last": 7, "unit": "day"}, "interval": "none", "series": [{"event": "view", "measure": "totals"}],
         "breakdown": [by_country, {"scope": "event", "property": "amount"}], "limit": 3},
        {"type": "stickiness", "event": "view", "range": {"last": 14, "unit": "day"}, "interval": "day", "period": "week"},
        {"type": "sessions", "range": {"last": 7, "unit": "day"}, "interval": "day", "breakdown": by_country},
        {"type": "sql", "sql": "SELECT event, count(*) AS n FROM events GROUP BY event ORDER BY event"},
    ]
    assert len({q["type"] for q in queries}) == 14
    # One instant for all, and everything before it decided: then they are the same question.
    as_of = dt.datetime.now(dt.timezone.utc)
    until(lambda: shop.query(type="realtime").complete_through > as_of, "the books do not get on")
    for query in queries:
        asked = query if query["type"] == "realtime" else {**query, "as_of": as_of.isoformat()}
        result = shop.query(asked)
        raw = server.query(**asked)
        if query["type"] != "realtime":
            assert numbers(result.raw) == numbers(raw), query
        assert result.complete_through is not None
        for name, table in result.tables.items():
            df = result.to_dataframe(name)
            assert df.shape == (len(table.rows), len(table.columns)), (query, name)
            assert tuple(df.columns) == table.columns
        assert result.explain().text, query
    assert len(result.to_dataframe()) == 3, "the last one was SQL"


def test_frames_of_the_usual_questions(server, shop):
    with Client(server.url, WRITE_KEY) as client:
        some_events(client)
    server.settle()
    last = {"last": 7, "unit": "day"}
    result = shop.query(
        type="segmentation", range=last, interval="day", series=[{"event": "view", "measure": "totals"}, {"event": "buy", "measure": "totals"}],
        breakdown=[{"scope": "event", "property": "country"}],
    )
    df = result.to_dataframe()
    assert list(df.columns) == ["series", "breakdown", "time", "value", "incomplete"]
    assert len(df) == 7 * 2 * 2
    assert df.groupby("series")["value"].sum().to_dict() == {"A": 20, "B": 10}
    assert df.groupby("breakdown")["value"].sum().to_dict() == {"DE": 15, "FR": 15}
    assert df["time"].nunique() == 7 and df["time"].dt.tz is None
    assert result.incomplete == (False,) * 6 + (True,) and not result.complete and result.gaps == []
    assert result.served == "computed"

    steps = shop.query(type="funnel", range=last, window={"n": 7, "unit": "day"}, steps=[{"event": "view"}, {"event": "buy"}])
    assert steps.to_dataframe()["reached"].tolist() == steps["counts"]
    cells = shop.query(type="retention", range=last, interval="day", start={"event": "view"}, return_={"event": "buy"}, periods=3)
    df = cells.to_dataframe()
    assert len(df) == 7 * 4 and set(df["offset"]) == {0, 1, 2, 3}
    assert df[df["offset"] == 0]["size"].tolist() == [c["size"] for c in cells["cohorts"]]
    actors = shop.query(type="segmentation", range=last, interval="none", series=[{"event": "buy", "measure": "uniques"}], microscope={"series": "A"})
    assert set(actors.to_dataframe()["name"]) == {f"u{i}" for i in range(10)}

    df = shop.sql("SELECT event, count(*) AS n, max(time) AS last FROM events WHERE event <> $1 GROUP BY event ORDER BY event", ["cart"])
    assert df["event"].tolist() == ["buy", "view"] and df["n"].tolist() == [10, 20]
    assert str(df["last"].dt.tz) == "UTC"
    assert len(shop.sql("SELECT event FROM events", limit=7)) == 7


def test_errors_say_what_to_do(server, shop):
    with pytest.raises(ApiError) as caught:
        shop.query(type="segmentation")
    assert (caught.value.status, caught.value.code) == (400, "TM0301")
    assert "range" in caught.value.message and caught.value.hint
    assert server.http.get(caught.value.docs).status_code == 200
    for wrong, code in [
        (lambda: shop.sql("SELEC"), "TM0321"),
        (lambda: shop.person("nobody"), "TM0304"),
        (lambda: Project(server.url, SECRET_KEY, "nowhere").schema(), "TM0204"),
        (lambda: Project(server.url, "sk_wrong_0123456789", "shop").schema(), "TM0202"),
        (lambda: Admin(server.url, SECRET_KEY).jobs(), "TM0203"),
    ]:
        with pytest.raises(ApiError) as caught:
            wrong()
        assert caught.value.code == code and not caught.value.retryable


# -- administration -----------------------------------------------------------------------------------------


def test_projects_and_keys(server, admin):
    made = admin.create_project("second", timezone="Europe/Berlin", week_start="sunday", shared_device="first_user")
    assert {p.name for p in admin.projects()} == {"shop", "second"}
    second = Project(server.url, made.secret_key)
    assert second.info().timezone == "Europe/Berlin" and second.name == made.id
    assert second.change(session_timeout_min=45).settings["session_timeout_min"] == 45
    key = second.create_key("write", "phone")
    assert (key.kind, key.name) == ("write", "phone") and key.value.startswith(key.prefix)
    with Client(server.url, key.value) as client:
        assert client.send_batch([{"event": "a", "user_id": "u"}], wait="visible").visible
    assert [e.event for e in second.events()] == ["a"] and [p.user_ids for p in second.persons()] == [["u"]]
    schema = second.schema()
    assert [(e.name, e.count, e.operation) for e in schema.events] == [("a", 1, False)]
    second.revoke_key(key.id)
    assert next(k for k in second.keys() if k.id == key.id).revoked_at is not None
    admin.delete_project("second", reason="a test")
    assert {p.name for p in admin.projects()} == {"shop"}
    assert admin.restore_project(made.id).name == "second"
    other = admin.create_key("robot")
    assert Admin(server.url, other.value).status().version
    admin.revoke_key(other.id)
    assert "project.delete" in {entry["action"] for entry in admin.audit()}
    with pytest.raises(ApiError, match="TM0401"):
        admin.create_project("shop")


def test_lists_in_pages_are_read_to_their_end(server, shop):
    with Client(server.url, WRITE_KEY) as client:
        client.send_batch([{"event": "a", "user_id": f"u{i}", "properties": {"i": i}} for i in range(2500)], wait="visible")
    server.settle()
    assert {e.properties["i"] for e in shop.events(event=["a", "b"])} == set(range(2500))
    assert len({p.person for p in shop.persons()}) == 2500
    assert [p.user_ids for p in shop.persons("u2499")] == [["u2499"]]
    assert list(shop.events(event="b")) == []


def test_cohorts_definitions_and_rules(server, shop):
    with Client(server.url, WRITE_KEY) as client:
        some_events(client)
        server.settle()
        buyers = shop.create_cohort("buyers", {"performed": "buy", "last": {"n": 30, "unit": "day"}})
        assert buyers.kind == "dynamic" and shop.cohort(buyers.id).name == "buyers"
        point = {"type": "segmentation", "range": {"last": 7, "unit": "day"}, "interval": "none",
                 "series": [{"event": "buy", "measure": "uniques"}], "microscope": {"series": "A"}}
        kept = shop.create_cohort("kept", query=point)
        assert (kept.kind, kept.definition) == ("static", None)
        assert shop.change_cohort(buyers.id, name="customers").name == "customers"
        assert {c.name for c in shop.cohorts()} == {"customers", "kept"}
        total = shop.query(type="segmentation", range={"last": 7, "unit": "day"}, interval="none", segment=[{"cohort": buyers.id}],
                           series=[{"event": "view", "measure": "uniques"}])
        assert total.table("totals").rows == [("A", 10)]
        shop.delete_cohort(kept.id)
        assert [c.name for c in shop.cohorts()] == ["customers"]

        defined = shop.define("virtual_event", "engaged", {"any": [{"event": "cart"}, {"event": "buy"}]})
        assert (defined.version, defined.kind) == (1, "virtual_event")
        assert server.total("engaged") == 20
        shop.define("virtual_event", "engaged", {"any": [{"event": "cart"}]})
        assert [d.version for d in shop.definition_versions("virtual_event", "engaged")] == [2, 1]
        assert [d.name for d in shop.definitions()] == ["engaged"]
        shop.undefine("virtual_event", "engaged")
        assert shop.definitions() == []

        action = {"type": "drop", "events": ["view"], "conditions": []}
        tried = shop.preview_rule(action, wait_ms=20_000)
        assert tried.ready and tried.job.report["filtered"] == 20
        rule = shop.create_rule("no views", action, reason="a test")
        assert shop.change_rule(rule.id, "no views", action, reason="again", enabled=False).version == 2
        assert [r.version for r in shop.rule_versions(rule.id)] == [1, 2]
        assert [(r.name, r.enabled) for r in shop.rules()] == [("no views", False)]

        erasure = shop.erase_person("u1", "asked for it")
        assert erasure.reason == "asked for it" and [e.id for e in shop.erasures()] == [erasure.id]
        assert shop.undo_erasure(erasure.id).undone
        exported = shop.export_person("u2")
        assert exported and "u2" in json.dumps(exported)


def test_the_books_and_jobs(server, shop, admin):
    with Client(server.url, WRITE_KEY) as client:
        client.send_batch([{"event": "a", "user_id": f"u{i}", "insert_id": f"a{i}"} for i in range(100)], wait="visible")
        server.settle()
        freeze(server)
        client.send_batch([{"event": "b", "user_id": f"u{i}", "insert_id": f"b{i}"} for i in range(50)])
        ranges = pending_ranges(server)
        scope = admin.job_scope("skip", {"ranges": ranges})
        assert scope.events == 50 and scope.destructive and scope.projects == ["shop"]
        job = admin.skip(ranges, reason="poison")
        thaw(server)
        assert admin.wait_job(job, timeout=90).state == "done"
        until(lambda: shop.ledger().skipped, "the books do not show what was skipped")
        ledger = shop.ledger()
        assert sum(s.to - s.from_ for s in ledger.skipped) == 50
        assert (ledger.identity.visible, ledger.identity.pending, ledger.identity.balanced) == (100, 50, True)
        gaps = shop.query(type="segmentation", range={"last": 2, "unit": "day"}, interval="none", series=[{"event": "*", "measure": "totals"}])
        assert not gaps.complete and sum(g.count for g in gaps.gaps) == 50 and {g.state for g in gaps.gaps} == {"skipped"}
        first = ledger.skipped[0]
        report = admin.loss_report(first.lane, first.partition, first.from_, first.to)
        assert report["equation"]["balanced"]

        healed = admin.wait_job(admin.replay(reason="mended"), timeout=90)
        assert healed.report["replayed"] == 50 and healed.progress.done == healed.progress.total
        assert {j.kind for j in admin.jobs()} == {"skip", "replay"}
        balanced(server, visible=150)
        assert [o.outcome for o in shop.outcomes(insert_id="b7")] == ["visible"]
        with pytest.raises(ApiError, match="nothing to replay"):
            admin.replay()

    # What nobody owns can be given to a project.
    with Client(server.url, "wk_nobody_0123456789") as stranger:
        stranger.send_batch([{"event": "found", "user_id": f"u{i}"} for i in range(3)])
    until(lambda: len(list(admin.unowned_letters())) == 3, "the letters do not come")
    letters = list(admin.unowned_letters())
    assert all("found" in letter.body for letter in letters)
    adopted = admin.adopt_letters("shop", [{"position": letter.position} for letter in letters])
    assert (adopted.redriven, adopted.refused, adopted.dry_run) == (3, 0, False)
    until(lambda: server.total("found") == 3, "what was adopted does not come")
    assert list(shop.dead_letters()) == []

    assert {c.name for c in admin.status().components} >= {"collect", "process", "web"}
    assert admin.summary()["environment"] == admin.settings()["environment"]
    assert admin.change_settings(environment="lab")["environment"] == "lab"
    assert isinstance(admin.findings(), list) and isinstance(admin.alerts(), list)


def test_the_client_is_a_source_by_its_name(make_server):
    server = make_server()
    server.data.mkdir()
    (server.data / "watch.toml").write_text("every_seconds = 1\n")
    server.start()
    with Client(server.url, WRITE_KEY) as client, Project(server.url, SECRET_KEY, "shop") as shop:
        client.send_batch([{"event": "a", "user_id": "u"}])
        until(shop.sources, "the client does not become a source")
        (source,) = shop.sources()
        assert (source.library, source.library_version, source.protocol) == ("tallymark-python", __version__, "Tallymark")
        shop.watch_source(source.id, False)
        until(lambda: shop.sources()[0].state == "not_watched", "the watch does not take note")


# -- the documentation --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["docs/clients.md", "clients/python/README.md"])
def test_the_programs_of_a_page_run(server, tmp_path, page):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)
    assert blocks, f"{page} shows no program"
    head = f"import sys\nsys.path.insert(0, {str(ROOT / 'clients/python/src')!r})\nURL, WRITE_KEY, SECRET_KEY, ADMIN_KEY = {server.url!r}, {WRITE_KEY!r}, {SECRET_KEY!r}, {ADMIN_KEY!r}\n"
    program = tmp_path / "page.py"
    program.write_text(head + "\n".join(blocks))
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    identity = server.settle()
    assert identity["visible"] > 0 and identity["balanced"] and identity["dead"] == 0, identity
