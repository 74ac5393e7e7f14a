"""One batch on its way: packed, sent, and what its answer means for each event.

Guarantees: every event that goes in comes out exactly once: taken, refused, or to be sent again.
Deliberately not here: when to send, and how long to try (`client`, `outbox`).
"""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ._http import Answer, Http, retry_after
from .errors import ApiError, UnreachableError
from .events import Item

Wait = Literal["durable", "visible"]
Delay = Callable[[int, "float | None"], None]
"""Waits before the attempt after that number; the second is the server's `Retry-After`."""

BATCH_EVENTS_MAX = 20_000
"""Most events of one request that the server takes."""
BATCH_BYTES_MAX = 4 << 20
"""Most bytes of one request, uncompressed. The server takes 20 MB; smaller requests are sooner sent again."""
GZIP_FROM_BYTES = 1024
THROTTLED = "throttled"


@dataclass(frozen=True)
class Rejection:
    """An event that will not be stored, and why."""

    event: dict[str, Any]
    """As it was sent."""
    code: str
    """What the server calls the reason, `TMxxxx` if it refused the whole request, or `undelivered`."""
    message: str
    field: str | None = None
    """Where in the event, if it is one field."""
    index: int | None = None
    """Which event of `send_batch`, counted from 0."""
    error: Exception | None = None
    """What went wrong with the request, if it was not the event."""

    @property
    def insert_id(self) -> str:
        """The id that `capture` gave back."""
        return str(self.event["insert_id"])


@dataclass
class BatchResult:
    """What became of a batch."""

    accepted: int = 0
    """Events that are durable on the server."""
    rejected: list[Rejection] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    """One per request; `Client.receipt` says what became of its events."""
    visible: bool | None = None
    """With `wait="visible"`: whether all of them can be seen by queries already."""


@dataclass
class Outcome:
    """What one request did to the events in it."""

    accepted: int = 0
    receipt: str | None = None
    visible: bool | None = None
    rejected: list[tuple[Item, Rejection]] = field(default_factory=list)
    again: list[Item] = field(default_factory=list)
    """To be sent again: all of them after a failure, those of a throttled sender otherwise."""
    halves: bool = False
    """The request was too large: send `again` in smaller parts, at once."""
    retry_after: float | None = None
    error: ApiError | UnreachableError | None = None
    """Why `again` is not empty."""

    @property
    def is_throttled(self) -> bool:
        """`again` waits because of its senders, so others need not wait with it."""
        return bool(self.again) and (self.error is None or getattr(self.error, "status", 0) == 429)


def batches(items: Sequence[Item], events_max: int = BATCH_EVENTS_MAX) -> Iterator[list[Item]]:
    """The events in their order, in requests that the server takes."""
    batch: list[Item] = []
    size = 0
    for item in items:
        if batch and (len(batch) >= events_max or size + len(item.body) >= BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.body) + 1
    if batch:
        yield batch


def halves(items: list[Item]) -> tuple[list[Item], list[Item]]:
    """Two parts of a batch that was too large."""
    middle = len(items) // 2
    return items[:middle], items[middle:]


class Sender:
    """Sends batches with one write key."""

    def __init__(self, http: Http, *, compress: bool = True, bulk: bool = False) -> None:
        self.http = http
        self.compress = compress
        self.bulk = bulk

    def send(self, items: list[Item], wait: Wait = "durable", timeout: float | None = None) -> Outcome:
        """One request with these events; never raises for what a server or a network can do."""
        body = b'{"events":[' + b",".join(item.body for item in items) + b"]}"
        headers = {"content-type": "application/json"}
        if self.compress and len(body) >= GZIP_FROM_BYTES:
            body = gzip.compress(body, compresslevel=5, mtime=0)
            headers["content-encoding"] = "gzip"
        params = {"wait": wait if wait != "durable" else None, "lane": "bulk" if self.bulk else None}
        try:
            answer = self.http.request(
                "POST", "/api/v1/events", params=params, content=body, headers=headers, timeout=timeout
            )
            return _taken(items, answer)
        except (ApiError, UnreachableError) as error:
            return _failed(items, error)


def _taken(items: list[Item], answer: Answer) -> Outcome:
    body = answer.json
    try:
        outcome = Outcome(accepted=int(body["accepted"]), receipt=str(body["receipt"]), visible=body.get("visible"))
        refused = {int(r["index"]): r for r in body["rejected"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # A proxy's 200, say. Whether the events arrived is unknown, and sending them again is harmless.
        raise UnreachableError("the answer to the events is not Tallymark's") from error
    if outcome.accepted + len(refused) != len(items) or any(index >= len(items) for index in refused):
        raise UnreachableError(f"the answer counts {outcome.accepted} + {len(refused)} of {len(items)} events")
    for index, reason in refused.items():
        item = items[index]
        if reason.get("code") == THROTTLED:
            outcome.again.append(item)
        else:
            outcome.rejected.append((item, _rejection(item, reason)))
    outcome.retry_after = retry_after(answer.headers)
    return outcome


def _rejection(item: Item, reason: dict[str, Any]) -> Rejection:
    return Rejection(item.event, str(reason.get("code")), str(reason.get("message")), reason.get("field"))


def _failed(items: list[Item], error: ApiError | UnreachableError) -> Outcome:
    if error.retryable:
        return Outcome(again=items, retry_after=error.retry_after, error=error)
    assert isinstance(error, ApiError)
    if error.status == 413 and len(items) > 1:
        return Outcome(again=items, halves=True, error=error)
    rejected = [(item, Rejection(item.event, error.code, error.message, error=error)) for item in items]
    return Outcome(rejected=rejected, error=error)


def deliver(
    sender: Sender, items: Sequence[Item], *, wait: Wait, attempts: int, delay: Delay, timeout: float | None = None
) -> tuple[BatchResult, list[Item], Exception | None]:
    """Sends everything now. What stays undelivered after `attempts` comes back with the last error."""
    result = BatchResult(visible=None if wait == "durable" else True)
    index = {id(item): i for i, item in enumerate(items)}
    work = deque((batch, 0) for batch in batches(items))
    undelivered: list[Item] = []
    last: Exception | None = None
    while work:
        batch, attempt = work.popleft()
        outcome = sender.send(batch, wait, timeout)
        _add(result, outcome, index)
        if outcome.halves:
            work.extendleft((half, attempt) for half in reversed(halves(outcome.again)))
        elif outcome.again and attempt + 1 < attempts:
            delay(attempt, outcome.retry_after)
            work.appendleft((outcome.again, attempt + 1))
        elif outcome.again:
            last = outcome.error or ApiError(200, THROTTLED, "a sender of these events sends more than it may")
            undelivered += outcome.again
            if not outcome.is_throttled:
                # The server is away: the rest would wait as long, and in vain.
                undelivered += [item for rest, _ in work for item in rest]
                break
    return result, undelivered, last


def _add(result: BatchResult, outcome: Outcome, index: dict[int, int]) -> None:
    result.accepted += outcome.accepted
    result.rejected += [replace(rejection, index=index[id(item)]) for item, rejection in outcome.rejected]
    if outcome.receipt is not None and outcome.accepted:
        result.receipts.append(outcome.receipt)
        if result.visible is not None:
            result.visible = result.visible and bool(outcome.visible)
