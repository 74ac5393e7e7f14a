"""Events sent at once, with their result."""

import httpx
import pytest
from fake import Asked, Tallymark, client, refuse

from tallymark import ApiError, UndeliveredError


def events(n):
    return [{"event": f"e{i}", "user_id": "u"} for i in range(n)]


def test_the_result_names_what_was_refused():
    server = Tallymark()
    server.rejects = lambda e: {"code": "invalid_field", "message": "no"} if e["event"] in ("e1", "e3") else None
    with client(server) as c:
        result = c.send_batch(events(5))
    assert (result.accepted, result.receipts, result.visible) == (3, ["r1"], None)
    assert [(r.index, r.event["event"], r.code) for r in result.rejected] == [
        (1, "e1", "invalid_field"),
        (3, "e3", "invalid_field"),
    ]


def test_nothing_at_all():
    server = Tallymark()
    with client(server) as c:
        assert c.send_batch([]).accepted == 0
    assert server.requests == []


def test_visible_is_the_server_s_word():
    def visible(is_visible):
        return lambda _: httpx.Response(
            200, json={"accepted": 1, "rejected": [], "receipt": "r", "durable": True, "visible": is_visible}
        )

    server = Tallymark(visible(True), visible(False))
    with client(server) as c:
        assert c.send_batch(events(1), wait="visible").visible is True
        assert c.send_batch(events(1), wait="visible").visible is False
    assert [request.url.params["wait"] for request, _ in server.requests] == ["visible"] * 2


def test_lost_answers_do_not_double():
    server = Tallymark("lose the answer", refuse(503, "TM0111", retry_after="4"), "lose the answer")
    waits = Asked()
    with client(server, backoff=waits) as c:
        result = c.send_batch(events(10))
    assert result.accepted == 10
    assert server.names == [f"e{i}" for i in range(10)]
    assert waits.asked == [(0, None), (1, 4.0), (2, None)]


def test_more_than_one_request():
    server = Tallymark()
    server.events_max = 15_000
    with client(server) as c:
        result = c.send_batch(events(25_000))
    assert result.accepted == 25_000 == len(server.stored)
    assert server.names == [f"e{i}" for i in range(25_000)]
    assert [len(sent) for _, sent in server.requests] == [20_000, 10_000, 10_000, 5_000]
    assert result.receipts == ["r2", "r3", "r4"]


def test_many_bytes_are_more_than_one_request():
    server = Tallymark()
    with client(server) as c:
        c.send_batch([{"event": "e", "properties": {"x": "y" * 1_000_000}} for _ in range(9)])
    assert [len(sent) for _, sent in server.requests] == [4, 4, 1]


def test_giving_up_says_what_is_undecided_and_sending_it_again_is_safe():
    server = Tallymark("take", "lose the answer", "cut")
    with client(server) as c:
        big = [{"event": f"e{i}", "properties": {"x": "y" * 900_000}} for i in range(12)]
        with pytest.raises(UndeliveredError, match="8 of 12") as caught:
            c.send_batch(big, attempts=2)
        assert caught.value.result.accepted == 4
        assert [e["event"] for e in caught.value.undelivered] == [f"e{i}" for i in range(4, 12)]
        assert c.send_batch(caught.value.undelivered).accepted == 8
    assert server.names == [f"e{i}" for i in range(12)]
    assert server.duplicates == 4


def test_throttled_events_are_tried_again_alone():
    server = Tallymark()
    tries = []

    def too_loud(event):
        tries.append(event["event"])
        return {"code": "throttled", "message": "too much"} if event["event"] == "e1" and len(tries) <= 4 else None

    server.rejects = too_loud
    waits = Asked()
    with client(server, backoff=waits) as c:
        assert c.send_batch(events(3)).accepted == 3
    assert tries == ["e0", "e1", "e2", "e1", "e1"]
    assert waits.asked == [(0, 9.0), (1, 9.0)]


def test_a_refusal_of_the_whole_is_an_error():
    server = Tallymark(refuse(401, "TM0102"))
    with client(server) as c, pytest.raises(ApiError) as caught:
        c.send_batch(events(3))
    assert (caught.value.status, caught.value.code, caught.value.hint) == (401, "TM0102", "try")
    assert str(caught.value) == "TM0102: no (try)"


def test_the_last_error_is_the_cause():
    server = Tallymark(*[refuse(503, "TM0112")] * 3)
    with client(server) as c, pytest.raises(UndeliveredError) as caught:
        c.send_batch(events(1), attempts=3)
    assert isinstance(caught.value.__cause__, ApiError)
    assert caught.value.__cause__.code == "TM0112"
