"""Events through the queue: what is sent, in which order, and what becomes of it when things go wrong."""

import datetime as dt
import decimal
import threading
import uuid

import httpx
import pytest
from fake import Asked, Tallymark, client, error, refuse

from tallymark import ClosedError, InvalidEventError, QueueFullError, __version__, changes

LONG = 3600.0


def sent(server, **left_out):
    (event,) = server.stored.values()
    return {key: value for key, value in event.items() if key not in ("insert_id", "time", *left_out)}


def test_an_event_is_sent_as_it_was_captured():
    server = Tallymark()
    basket = {"amount": 9.5, "items": ["a", "b"]}
    when = dt.datetime(2026, 11, 21, 1, 22, 11, 377_000, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    with client(server) as c:
        given = c.capture(
            "order",
            user_id="u1",
            device_id="d1",
            properties=basket,
            time=when,
            session_id="s1",
            groups={"company": "acme"},
            user_properties={"plan": "pro"},
        )
        basket["items"].append("changed afterwards")
    ((request, events),) = server.requests
    assert events == [
        {
            "event": "order",
            "user_id": "u1",
            "device_id": "d1",
            "time": "2026-11-21T00:22:11.377Z",
            "session_id": "s1",
            "properties": {"amount": 9.5, "items": ["a", "b"]},
            "user_properties": {"plan": "pro"},
            "groups": {"company": "acme"},
            "insert_id": given,
        }
    ]
    assert uuid.UUID(given).version == 4
    assert request.url.path == "/api/v1/events"
    assert request.headers["authorization"] == "Bearer wk_0123456789abcdef"


def test_every_event_says_who_sent_it():
    server = Tallymark()
    with client(server) as c:
        c.capture("a", properties={"x": 1})
        c.reset("d")
        c.send_batch([{"event": "b"}])
    assert server.libraries == {(("$lib", "tallymark-python"), ("$lib_version", __version__))}
    assert {request.headers["user-agent"] for request, _ in server.requests} == {f"tallymark-python/{__version__}"}
    with client(server) as c:
        c.capture("c", properties={"$lib": "mine"})
    assert (("$lib", "mine"), ("$lib_version", __version__)) in server.libraries


def test_an_event_without_a_time_has_the_time_of_its_capture():
    server = Tallymark()
    before = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
    with client(server) as c:
        c.capture("a", user_id="u")
        after = dt.datetime.now(dt.timezone.utc)
    (event,) = server.stored.values()
    assert before <= dt.datetime.fromisoformat(event["time"].replace("Z", "+00:00")) <= after


@pytest.mark.parametrize(
    ("call", "event"),
    [
        (
            lambda c: c.identify("u", device_id="d", properties={"plan": "pro"}, set_once={"first": 1}),
            {
                "event": "$identify",
                "user_id": "u",
                "device_id": "d",
                "user_properties": {"$set": {"plan": "pro"}, "$set_once": {"first": 1}},
            },
        ),
        (
            lambda c: c.change_user("u", {"a": 1}, add={"n": 2}, append={"l": 3}, prepend={"l": 0}, remove={"l": 3}),
            {
                "event": "$set",
                "user_id": "u",
                "user_properties": {
                    "$set": {"a": 1},
                    "$add": {"n": 2},
                    "$append": {"l": 3},
                    "$prepend": {"l": 0},
                    "$remove": {"l": 3},
                },
            },
        ),
        (
            lambda c: c.change_user("u", clear_all=True, post_insert={"l": 1}, pre_insert={"l": 2}),
            {
                "event": "$set",
                "user_id": "u",
                "user_properties": {"$clear_all": "-", "$post_insert": {"l": 1}, "$pre_insert": {"l": 2}},
            },
        ),
        (
            lambda c: c.change_user("u", unset=["a", "b"]),
            {"event": "$set", "user_id": "u", "user_properties": {"$unset": ["a", "b"]}},
        ),
        (lambda c: c.alias("u", "old"), {"event": "$alias", "user_id": "u", "properties": {"alias": "old"}}),
        (lambda c: c.merge("u", "v"), {"event": "$merge", "user_id": "u", "properties": {"alias": "v"}}),
        (lambda c: c.reset("d"), {"event": "$reset", "device_id": "d"}),
        (
            lambda c: c.group("company", "acme", {"seats": 12}, unset=["trial"]),
            {
                "event": "$groupidentify",
                "groups": {"company": "acme"},
                "group_properties": {"$set": {"seats": 12}, "$unset": ["trial"]},
            },
        ),
    ],
    ids=["identify", "change", "lists", "unset", "alias", "merge", "reset", "group"],
)
def test_operations(call, event):
    server = Tallymark()
    with client(server) as c:
        call(c)
    assert sent(server) == event


def test_values_that_json_does_not_know():
    server = Tallymark()
    with client(server) as c:
        c.capture(
            "a",
            properties={
                "at": dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc),
                "day": dt.date(2026, 1, 2),
                "id": uuid.UUID(int=7),
                "price": decimal.Decimal("1.5"),
                "both": (1, 2),
                "one": {3},
                "text": "ü\u2028\n",
            },
        )
    assert sent(server)["properties"] == {
        "at": "2026-01-01T00:00:00.000Z",
        "day": "2026-01-02",
        "id": "00000000-0000-0000-0000-000000000007",
        "price": 1.5,
        "both": [1, 2],
        "one": [3],
        "text": "ü\u2028\n",
    }


@pytest.mark.parametrize(
    "event",
    [
        {"event": ""},
        {"event": " "},
        {"event": 5},
        {"event": "a" * 1025},
        {"event": "a", "user_id": ["u"]},
        {"event": "a", "user_id": True},
        {"event": "a", "insert_id": "ü" * 513},
        {"event": "a", "properties": ["x"]},
        {"event": "a", "time": dt.datetime(2026, 1, 1)},
        {"event": "a", "time": 1.5},
        {"event": "a", "properties": {"x": float("nan")}},
        {"event": "a", "properties": {"x": object()}},
        {"event": "a", "properties": {"x": "\ud800"}},
        {"event": "a", "properties": {"x": "y" * (1 << 20)}},
    ],
)
def test_what_no_server_takes_is_said_where_it_was_made(event):
    server = Tallymark()
    with client(server) as c:
        with pytest.raises(InvalidEventError):
            c.capture(**event)
        assert c.pending == 0
    assert server.requests == []
    with pytest.raises(InvalidEventError, match="surname"), client(server) as c:
        c.send_batch([{"event": "a", "surname": "x"}])
    with pytest.raises(InvalidEventError):
        changes(unset="name")


@pytest.mark.parametrize(
    "plan",
    [
        [refuse(503, "TM0111", retry_after="2")] * 3,
        [refuse(500, "TM0113")],
        [refuse(408, "TM0110")],
        ["cut", "lose the answer", "refuse the connection", "lose the answer"],
        [lambda _: httpx.Response(200, text="<html>who are you?</html>"), lambda _: httpx.Response(200, json={})],
        [lambda _: httpx.Response(200, json={"accepted": 1, "rejected": [], "receipt": "r"})],
        [lambda _: httpx.Response(502, text="bad gateway"), lambda _: httpx.Response(504)],
        [refuse(503, "TM0112"), "lose the answer", refuse(503, "TM0112"), "cut"],
    ],
    ids=["503", "500", "408", "network", "not ours", "wrong count", "proxy", "mixed"],
)
def test_through_every_kind_of_failure_each_event_arrives_once_and_in_order(plan):
    server = Tallymark(*plan)
    waits = Asked()
    reported = []
    with client(server, backoff=waits, batch_events=7, flush_interval=LONG, on_error=reported.append) as c:
        ids = [c.capture(f"e{i}", user_id="u") for i in range(50)]
        assert c.flush()
        assert c.pending == 0
    assert list(server.stored) == ids
    assert server.names == [f"e{i}" for i in range(50)]
    assert server.duplicates == 7 * plan.count("lose the answer")
    assert reported == []
    assert [attempt for attempt, _ in waits.asked] == list(range(len(plan)))


def test_retry_after_is_obeyed():
    server = Tallymark(refuse(503, "TM0111", retry_after="7"), refuse(429, "TM0114", retry_after="30"))
    waits = Asked()
    with client(server, backoff=waits) as c:
        c.capture("a", user_id="u")
        assert c.flush()
    assert waits.asked == [(0, 7.0), (1, 30.0)]
    assert server.names == ["a"]


def test_a_throttled_sender_waits_and_nobody_waits_with_it():
    server = Tallymark()
    loud_tries = []

    def too_loud(event):
        if event.get("user_id") == "loud":
            loud_tries.append(event["insert_id"])
            if len(loud_tries) <= 4:
                return {"code": "throttled", "message": "too much"}
        return None

    server.rejects = too_loud
    waits = Asked()
    reported = []
    with client(server, backoff=waits, batch_events=6, flush_interval=LONG, on_error=reported.append) as c:
        for i in range(6):
            c.capture(f"e{i}", user_id="loud" if i in (1, 3) else "calm")
        assert c.flush()
    assert server.names == ["e0", "e2", "e4", "e5", "e1", "e3"]
    assert waits.asked == [(0, 9.0), (0, 9.0)]
    assert reported == []


def test_a_request_that_is_too_large_is_halved_until_it_fits():
    server = Tallymark()
    server.events_max = 2
    reported = []
    with client(server, batch_events=11, flush_interval=LONG, on_error=reported.append) as c:
        for i in range(11):
            c.capture(f"e{i}")
        assert c.flush()
    assert server.names == [f"e{i}" for i in range(11)]
    assert reported == []


def test_a_single_event_that_is_too_large_is_reported_and_the_others_arrive():
    server = Tallymark()
    take = server.take

    def fussy(events):
        return error(413, "TM0106") if any(e["event"] == "big" for e in events) else take(events)

    server.take = fussy
    reported = []
    with client(server, batch_events=5, flush_interval=LONG, on_error=reported.append) as c:
        for name in ("a", "b", "big", "c", "d"):
            c.capture(name)
        assert c.flush()
    assert server.names == ["a", "b", "c", "d"]
    assert [(r.event["event"], r.code) for r in reported] == [("big", "TM0106")]


def test_what_the_server_refuses_is_reported_per_event():
    server = Tallymark()
    server.rejects = lambda e: (
        {"code": "missing_field", "message": "no alias", "field": "properties.alias"} if e["event"] == "bad" else None
    )
    reported = []
    with client(server, batch_events=3, flush_interval=LONG, on_error=reported.append) as c:
        c.capture("a")
        bad = c.capture("bad", properties={"x": 1})
        c.capture("b")
        assert c.flush()
    assert server.names == ["a", "b"]
    (rejection,) = reported
    assert (rejection.insert_id, rejection.code, rejection.message) == (bad, "missing_field", "no alias")
    assert rejection.field == "properties.alias"
    assert rejection.event["properties"]["x"] == 1


def test_a_refused_request_is_reported_for_each_of_its_events():
    server = Tallymark(refuse(401, "TM0102"))
    reported = []

    def fails(rejection):
        reported.append(rejection)
        raise RuntimeError("a fault of the caller")

    with client(server, batch_events=2, flush_interval=LONG, on_error=fails) as c:
        for i in range(4):
            c.capture(f"e{i}")
        assert c.flush()
    assert [(r.event["event"], r.code, r.error.status) for r in reported] == [
        ("e0", "TM0102", 401),
        ("e1", "TM0102", 401),
    ]
    assert server.names == ["e2", "e3"]


def test_without_a_function_it_is_logged(caplog):
    server = Tallymark(refuse(400, "TM0101"))
    with client(server) as c:
        c.capture("lost")
        c.flush()
    assert "event lost is not stored" in caplog.text


def stuck():
    """A server that holds the first request until its gate opens."""
    server = Tallymark()
    server.gate.clear()
    return server


def test_a_full_queue_says_so():
    server = stuck()
    with client(server, queue_events=3, batch_events=1) as c:
        for i in range(3):
            c.capture(f"e{i}")
        with pytest.raises(QueueFullError, match="3 events wait"):
            c.capture("too many")
        assert c.pending == 3
        server.gate.set()
        assert c.flush()
        c.capture("room again")
    assert server.names == ["e0", "e1", "e2", "room again"]


def test_the_queue_is_bounded_in_bytes_too():
    server = stuck()
    with client(server, queue_bytes=2000, batch_events=1) as c:
        c.capture("a", properties={"x": "y" * 5000})
        with pytest.raises(QueueFullError):
            c.capture("b", properties={"x": "y" * 500})
        server.gate.set()
    assert server.names == ["a"]


def test_a_full_queue_can_report():
    server = stuck()
    reported = []
    with client(server, queue_events=1, when_full="report", on_error=reported.append) as c:
        c.capture("a")
        lost = c.capture("b")
        assert [(r.insert_id, r.code) for r in reported] == [(lost, "queue_full")]
        server.gate.set()
    assert server.names == ["a"]


def test_a_full_queue_can_wait():
    server = stuck()
    with client(server, queue_events=1, when_full="wait") as c:
        c.capture("a")
        assert server.came.wait(30)
        other = threading.Thread(target=c.capture, args=("b",))
        other.start()
        server.gate.set()
        other.join(30)
        assert not other.is_alive()
        assert c.flush()
    assert server.names == ["a", "b"]


def test_flush_says_if_something_is_left():
    server = stuck()
    with client(server) as c:
        assert c.flush()
        c.capture("a")
        assert c.flush(timeout=0.0) is False
        server.gate.set()
        assert c.flush()
    assert server.names == ["a"]


def test_events_are_sent_without_being_asked():
    server = Tallymark()
    with client(server, flush_interval=0.01) as c:
        c.capture("a")
        assert c.flush()
        server.came.clear()
        # The thread waits for the first event of an empty queue, and then for the interval.
        c.capture("b")
        assert server.came.wait(30)
    assert server.names == ["a", "b"]


def test_what_is_left_at_the_end_is_reported_once():
    server = stuck()
    server.rejects = lambda _: {"code": "too_late", "message": "its answer comes after the end"}
    reported = []
    c = client(server, batch_events=1, on_error=reported.append)
    ids = [c.capture(f"e{i}") for i in range(3)]
    assert server.came.wait(30)
    c.close(timeout=0.0)
    assert [(r.insert_id, r.code) for r in reported] == [(i, "undelivered") for i in ids]
    with pytest.raises(ClosedError):
        c.capture("late")
    thread = c._thread
    server.gate.set()
    thread.join(30)
    assert not thread.is_alive()
    assert [r.code for r in reported] == ["undelivered"] * 3


def test_close_ends_while_the_server_is_away():
    class Down(Tallymark):
        def answer(self, request):
            self.came.set()
            raise httpx.ConnectError("refused", request=request)

    class Patient(Asked):
        def delay(self, attempt, retry_after=None):
            return LONG

    server, reported = Down(), []
    c = client(server, backoff=Patient(), on_error=reported.append)
    c.capture("a")
    assert server.came.wait(30)
    c.close(timeout=0.01)
    c._thread.join(30)
    assert not c._thread.is_alive()
    assert [r.code for r in reported] == ["undelivered"]


def test_many_threads():
    server = Tallymark()
    with client(server, batch_events=50, flush_interval=0.001) as c:
        ids = [[] for _ in range(8)]

        def work(n):
            for i in range(250):
                ids[n].append(c.capture("e", user_id=f"u{n}", properties={"i": i}))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert c.flush()
        assert c.pending == 0
    assert len(server.stored) == 2000
    assert server.duplicates == 0
    for n in range(8):
        mine = [e["insert_id"] for e in server.stored.values() if e["user_id"] == f"u{n}"]
        assert mine == ids[n], "the order of each thread is kept"


def test_large_requests_are_compressed():
    server = Tallymark()
    with client(server) as c:
        c.capture("small")
        c.flush()
        c.capture("large", properties={"x": "y" * 5000})
        c.flush()
    assert ["content-encoding" in request.headers for request, _ in server.requests] == [False, True]
    plain = Tallymark()
    with client(plain, compress=False, bulk=True) as c:
        c.capture("large", properties={"x": "y" * 5000})
    ((request, _),) = plain.requests
    assert "content-encoding" not in request.headers
    assert request.url.params["lane"] == "bulk"


@pytest.mark.parametrize(
    "wrong",
    [{"url": "tallymark.test"}, {"write_key": " "}, {"batch_events": 0}, {"batch_events": 20_001}, {"queue_events": 0}],
)
def test_settings_that_cannot_work(wrong):
    from tallymark import Client  # noqa: PLC0415

    with pytest.raises(ValueError):  # noqa: PT011
        Client(**{"url": "http://tallymark.test", "write_key": "wk_0123456789abcdef", **wrong})
