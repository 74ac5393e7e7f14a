"""Questions and changes: what is repeated, what an error says, how lists are read."""

import datetime as dt
import json

import httpx
import pytest
from fake import Asked, error

from tallymark import Admin, ApiError, JobFailedError, Project, TallymarkError, UnreachableError
from tallymark._http import Backoff, retry_after
from tallymark.books import Range

URL = "http://tallymark.test/base/"
ENVELOPE = {"as_of": "2026-11-21T18:57:59.093Z", "complete_through": None, "complete": True, "gaps": []}


class Answers(httpx.MockTransport):
    """Gives these answers one after the other; an exception is raised."""

    def __init__(self, *answers):
        super().__init__(self.answer)
        self.answers = list(answers)
        self.requests = []

    def answer(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    @property
    def last(self):
        return self.requests[-1]


def project(server, **options):
    options.setdefault("backoff", Asked())
    return Project(URL, "sk_0123456789abcdef", "my shop/1", transport=server, **options)


def admin(server):
    return Admin(URL, "ak_0123456789abcdef", transport=server, backoff=Asked())


def test_an_error_carries_what_the_server_said():
    server = Answers(error(400, "TM0301", "range: is missing"))
    with pytest.raises(ApiError) as caught:
        project(server).query(type="segmentation")
    e = caught.value
    assert (e.status, e.code, e.message, e.hint, e.docs) == (
        400,
        "TM0301",
        "range: is missing",
        "try",
        "/docs/errors/TM0301",
    )
    assert not e.retryable
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", ["<html>", "[]", '{"error":"no"}', ""])
def test_an_error_that_is_not_ours_has_a_sentence_too(body):
    server = Answers(httpx.Response(404, text=body))
    with pytest.raises(ApiError, match="HTTP 404: the answer has status 404"):
        project(server).schema()


def test_questions_are_asked_again_while_the_server_is_away():
    waits = Asked()
    server = Answers(
        error(503, "TM0007", retry_after="2"),
        httpx.ConnectError("refused"),
        error(429, "TM0315", retry_after="3"),
        {"size": 0, "members": [], **ENVELOPE},
    )
    asked = {"type": "cohort", "cohort": {"performed": "buy"}}
    answer = project(server, backoff=waits).query(asked)
    assert answer["size"] == 0
    assert waits.asked == [(0, 2.0), (1, None), (2, 3.0)]
    assert [json.loads(r.content) for r in server.requests] == [asked] * 4
    assert server.last.url.raw_path == b"/base/api/v1/projects/my%20shop%2F1/query"


def test_not_for_ever():
    server = Answers(*[error(503, "TM0007")] * 3)
    with pytest.raises(ApiError, match="TM0007"):
        project(server, retries=2).schema()
    server = Answers(*[httpx.ConnectError("refused")] * 2)
    with pytest.raises(UnreachableError, match="cannot be reached: refused"):
        project(server, retries=1).schema()
    server = Answers(httpx.ReadTimeout("slow"))
    with pytest.raises(UnreachableError, match="does not answer in time: slow") as caught:
        project(server).schema()
    assert caught.value.timed_out


def test_changes_are_sent_once():
    for failure in (error(503, "TM0007"), httpx.ReadError("reset")):
        server = Answers(failure)
        with pytest.raises(TallymarkError):
            admin(server).start_job("replay")
        assert len(server.requests) == 1


def test_an_answer_that_is_not_json():
    with pytest.raises(UnreachableError, match=r"text.html.*, not Tallymark's JSON"):
        project(Answers(httpx.Response(200, html="<p>welcome</p>")), retries=0).schema()


def test_lists_are_read_to_their_end():
    event = {
        "event": "a",
        "time": "2026-01-01T00:00:00.000Z",
        "received_at": "2026-01-01T00:00:00.000Z",
        "seq": "live/0@",
    }
    pages = [{"events": [{**event, "seq": f"live/0@{i}"}], "next": f"c{i}" if i < 3 else None} for i in range(4)]
    server = Answers(*pages)
    zone = dt.timezone(dt.timedelta(hours=2))
    found = project(server).events(
        event=["a", "b"], from_=dt.datetime(2026, 1, 1, 2, tzinfo=zone), to=dt.date(2026, 2, 1)
    )
    assert [e.seq for e in found] == ["live/0@0", "live/0@1", "live/0@2", "live/0@3"]
    assert [r.url.params.get("cursor") for r in server.requests] == [None, "c0", "c1", "c2"]
    first = dict(server.requests[0].url.params)
    assert first == {"event": '["a", "b"]', "from": "2026-01-01T00:00:00.000Z", "to": "2026-02-01", "limit": "1000"}


def test_the_key_s_own_project():
    shop = {"id": "7", "name": "shop"}
    server = Answers({"projects": [shop]}, {"events": [], "properties": []}, {"events": [], "properties": []})
    own = Project(URL, "sk_0123456789abcdef", transport=server)
    own.schema()
    own.schema()
    assert [r.url.path for r in server.requests] == [
        "/base/api/v1/projects",
        "/base/api/v1/projects/7/schema",
        "/base/api/v1/projects/7/schema",
    ]
    with pytest.raises(TallymarkError, match="say which one"):
        Project(URL, "ak", transport=Answers({"projects": [shop, {"id": "8", "name": "b"}]})).schema()


def test_keys_of_a_query_and_how_it_was_served():
    answer = httpx.Response(200, json={"overall": [], "cohorts": [], **ENVELOPE}, headers={"tallymark-cache": "cached"})
    server = Answers(answer)
    result = project(server).query(type="retention", start={"event": "a"}, return_={"event": "b"}, fresh=True)
    assert json.loads(server.last.content) == {"type": "retention", "start": {"event": "a"}, "return": {"event": "b"}}
    assert server.last.headers["cache-control"] == "no-cache"
    assert result.served == "cached"


def job(state):
    progress = {"done": 0, "total": 1, "unit": "records", "note": "n", "eta": None}
    now = "2026-01-01T00:00:00.000Z"
    return {
        "id": "5",
        "kind": "replay",
        "state": state,
        "wish": "run",
        "by": "me",
        "reason": "",
        "dry_run": False,
        "progress": progress,
        "created_at": now,
        "updated_at": now,
        "error": "broke" if state == "failed" else None,
    }


def test_jobs():
    server = Answers(job("waiting"), job("running"), job("done"), job("failed"), job("running"))
    a = admin(server)
    started = a.skip([Range("live", partition=1, from_=5, to=9), {"lane": "bulk", "from": 0, "to": 1}], reason="poison")
    assert json.loads(server.last.content) == {
        "kind": "skip",
        "reason": "poison",
        "dry_run": False,
        "spec": {
            "ranges": [{"lane": "live", "partition": 1, "from": 5, "to": 9}, {"lane": "bulk", "from": 0, "to": 1}]
        },
    }
    assert not started.is_over
    assert a.wait_job(started, poll=0.0).state == "done"
    with pytest.raises(JobFailedError, match=r"job 5 \(replay\) is failed: broke"):
        a.wait_job("5", poll=0.0)
    with pytest.raises(TimeoutError, match="still running"):
        a.wait_job("5", timeout=0.0)


def test_waiting_times():
    waits = Backoff(first_s=1.0, most_s=8.0)
    for attempt, longest in enumerate([1, 2, 4, 8, 8, 8]):
        assert longest / 2 <= waits.delay(attempt) <= longest
    assert waits.delay(0, 60.0) == 60.0
    assert waits.delay(10_000, None) <= 8.0
    assert retry_after({"retry-after": "12"}) == 12.0
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_files_of_buckets_and_folders():
    counts = {"objects": 3, "done": 2, "rows": 10, "rejected": 1}
    failed = [{"object": "b.csv", "reason": "cut off"}]
    source = {"name": "exports", "from": "s3://b/p", "format": "mapped", "state": "working", "failed": failed, **counts}
    at = "2026-01-01T00:00:00.000Z"
    server = Answers(
        {"files": [{**source, "changed": [], "unknown": [], "last_object": "a.csv", "last_object_at": at}]}
    )
    (files,) = project(server).files()
    assert server.last.url.raw_path == b"/base/api/v1/projects/my%20shop%2F1/files"
    assert (files.from_, files.done, files.failed[0].reason) == ("s3://b/p", 2, "cut off")
    assert files.last_object_at == dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
