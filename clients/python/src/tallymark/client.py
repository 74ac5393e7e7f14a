"""`Client`: events from a program to Tallymark.

Guarantees: `capture` never waits for the network (unless told to wait for room) and never loses an event silently:
each one is delivered, or reported with a reason. Delivered means durable on the server. An event has its insert id
from the start, so however often it is sent it counts once. Events arrive in the order of capture, except those whose
sender is throttled.
Deliberately not here: questions and administration (`project`, `admin`).
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

import httpx

from ._http import Api, Backoff, Http, segment
from .delivery import BATCH_BYTES_MAX, BATCH_EVENTS_MAX, BatchResult, Rejection, Sender, Wait, deliver, halves
from .errors import ClosedError, QueueFullError, UndeliveredError
from .events import Event, Groups, Item, Properties, Time, changes, prepare
from .outbox import Bounds, Outbox
from .records import Receipt, read

log = logging.getLogger("tallymark")

OnError = Callable[[Rejection], None]
VISIBLE_TIMEOUT_S = 60.0


class Client:
    """Sends events with a project's write key.

    `on_error` is called for each event that will not be stored (in the thread that sends); without it they are logged.
    `when_full` says what `capture` does while the queue has no room: raise `QueueFullError`, wait for room, or report
    the event to `on_error`.
    """

    def __init__(
        self,
        url: str,
        write_key: str,
        *,
        on_error: OnError | None = None,
        when_full: Literal["raise", "wait", "report"] = "raise",
        queue_events: int = 100_000,
        queue_bytes: int = 64 << 20,
        batch_events: int = 500,
        flush_interval: float = 1.0,
        timeout: float = 15.0,
        compress: bool = True,
        bulk: bool = False,
        backoff: Backoff | None = None,
        exit_timeout: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not 1 <= batch_events <= BATCH_EVENTS_MAX:
            raise ValueError(f"batch_events: 1 to {BATCH_EVENTS_MAX}, not {batch_events}")
        if queue_events < 1:
            raise ValueError(f"queue_events: at least 1, not {queue_events}")
        self._http = Http(url, write_key, timeout=timeout, transport=transport)
        self._sender = Sender(self._http, compress=compress, bulk=bulk)
        self._on_error = on_error
        self._when_full = when_full
        self._backoff = backoff or Backoff()
        self._exit_timeout = exit_timeout
        self._bounds = Bounds(queue_events, queue_bytes, batch_events, BATCH_BYTES_MAX, flush_interval)
        self._begin()
        _clients.add(self)

    def _begin(self) -> None:
        self._outbox = Outbox(self._bounds)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    # -- one event at a time --------------------------------------------------------------------------------

    def capture(
        self,
        event: str,
        *,
        user_id: str | None = None,
        device_id: str | None = None,
        properties: Properties | None = None,
        time: Time | None = None,
        insert_id: str | None = None,
        session_id: str | None = None,
        groups: Groups | None = None,
        user_properties: Properties | None = None,
        group_properties: Properties | None = None,
    ) -> str:
        """Queues an event and gives back its insert id. `time` is now unless given; it needs a time zone."""
        given = {
            "event": event,
            "user_id": user_id,
            "device_id": device_id,
            "time": time,
            "insert_id": insert_id,
            "session_id": session_id,
            "properties": properties,
            "user_properties": user_properties,
            "groups": groups,
            "group_properties": group_properties,
        }
        return self._queue(prepare(given))

    def identify(
        self, user_id: str, *, device_id: str | None = None, properties: Properties | None = None, **more: Any
    ) -> str:
        """This user is who uses this device; `properties` are set. `more`: the other operations of `changes`."""
        ops = changes(properties, **more)
        return self.capture("$identify", user_id=user_id, device_id=device_id, user_properties=ops)

    def change_user(self, user_id: str, set: Properties | None = None, **more: Any) -> str:
        """Changes a person's properties: `set`, `set_once`, `add`, `append`, `unset` and the others of `changes`."""
        return self.capture("$set", user_id=user_id, user_properties=changes(set, **more))

    def alias(self, user_id: str, other: str) -> str:
        """`other` is another id of the same person, and belonged to nobody before."""
        return self.capture("$alias", user_id=user_id, properties={"alias": other})

    def merge(self, user_id: str, other: str) -> str:
        """Two persons turned out to be one."""
        return self.capture("$merge", user_id=user_id, properties={"alias": other})

    def reset(self, device_id: str) -> str:
        """The next user of this device is somebody else."""
        return self.capture("$reset", device_id=device_id)

    def group(self, kind: str, name: str, set: Properties | None = None, **more: Any) -> str:
        """Changes a group's properties, with the operations of `change_user`."""
        return self.capture("$groupidentify", groups={kind: name}, group_properties=changes(set, **more))

    def _queue(self, item: Item) -> str:
        taken = self._outbox.put(item, None if self._when_full == "wait" else 0.0)
        if taken is None:
            raise ClosedError("the client is closed; the event was not taken")
        if not taken:
            message = f"the queue has no room ({len(self._outbox)} events wait); the event was not taken"
            if self._when_full == "raise":
                raise QueueFullError(message)
            self._report([Rejection(item.event, "queue_full", message)])
            return item.insert_id
        self._start()
        return item.insert_id

    # -- many at once ---------------------------------------------------------------------------------------

    def send_batch(
        self, events: Iterable[Event | Mapping[str, Any]], *, wait: Wait = "durable", attempts: int = 6
    ) -> BatchResult:
        """Sends events now, past the queue, and returns when the server has decided all of them.

        Raises `InvalidEventError` before anything is sent, `ApiError` if the server refuses the whole of it, and
        `UndeliveredError` if some are still undecided after `attempts`.
        """
        items = [prepare(event) for event in events]
        timeout = VISIBLE_TIMEOUT_S if wait == "visible" else None
        result, left, error = deliver(
            self._sender, items, wait=wait, attempts=attempts, delay=self._delay, timeout=timeout
        )
        if left:
            message = f"{len(left)} of {len(items)} events are not delivered: {error}"
            raise UndeliveredError(message, result, [item.event for item in left]) from error
        whole = [rejection.error for rejection in result.rejected if rejection.error is not None]
        if whole and len(whole) == len(items):
            raise whole[0]
        return result

    def receipt(self, receipt: str) -> Receipt:
        """What became of the events of a request so far."""
        return read(Receipt, Api(self._http).get(f"/api/v1/receipts/{segment(receipt)}"))

    def _delay(self, attempt: int, retry_after: float | None) -> None:
        self._backoff.sleep(self._backoff.delay(attempt, retry_after))

    # -- the end --------------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Events that are neither delivered nor reported yet."""
        return len(self._outbox)

    def flush(self, timeout: float | None = None) -> bool:
        """Sends everything captured so far. False if some of it is still pending after `timeout` seconds."""
        return self._outbox.flush(timeout)

    def close(self, timeout: float = 30.0) -> None:
        """Sends what is pending, for at most `timeout` seconds; what is left then is reported."""
        self._outbox.close()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        left = self._outbox.abandon()
        message = "the client was closed before the event was delivered"
        self._report([Rejection(item.event, "undelivered", message) for item in left])
        if thread is None or not thread.is_alive():
            self._http.close()
        _clients.discard(self)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the thread that sends ------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="tallymark", daemon=True)
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        outbox, attempt = self._outbox, 0
        while batch := outbox.take():
            try:
                attempt = self._send(outbox, batch, attempt)
            except Exception as error:  # a fault of ours must not end the thread, nor lose the batch
                log.exception("a batch failed in an unexpected way")
                fresh = set(outbox.settle(number for number, _ in batch))
                self._report(
                    [Rejection(i.event, "undelivered", str(error), error=error) for n, i in batch if n in fresh]
                )

    def _send(self, outbox: Outbox, batch: list[tuple[int, Item]], attempt: int) -> int:
        """Sends one batch; gives back how many times in a row it failed."""
        numbers = {id(item): number for number, item in batch}
        outcome = self._sender.send([item for _, item in batch])
        again = [(numbers[id(item)], item) for item in outcome.again]
        kept = {number for number, _ in again}
        fresh = set(outbox.settle(number for number, _ in batch if number not in kept))
        self._report([rejection for item, rejection in outcome.rejected if numbers[id(item)] in fresh])
        if not again:
            return 0
        if outcome.halves:
            first, rest = halves([item for _, item in again])
            outbox.put_back([(numbers[id(item)], item) for item in rest])
            self._send(outbox, [(numbers[id(item)], item) for item in first], 0)
            return 0
        delay = self._backoff.delay(attempt, outcome.retry_after)
        if outcome.is_throttled:
            outbox.put_off(again, delay)
            return 0 if outcome.accepted else attempt + 1
        log.warning("%d events wait: %s; the next attempt is in %.1f s", len(again), outcome.error, delay)
        outbox.put_back(again)
        outbox.pause(delay)
        return attempt + 1

    def _report(self, rejections: Sequence[Rejection]) -> None:
        for rejection in rejections:
            if self._on_error is None:
                log.error("event %s is not stored: %s", rejection.event.get("event"), rejection.message)
                continue
            try:
                self._on_error(rejection)
            except Exception:  # what the caller's function does wrong must not stop the others
                log.exception("on_error failed for the event with insert id %s", rejection.insert_id)


_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _at_exit() -> None:
    end = time.monotonic() + max((client._exit_timeout for client in _clients), default=0.0)
    for client in list(_clients):
        client.close(max(0.0, end - time.monotonic()))


def _after_fork() -> None:
    # What was queued is the parent's to send; its locks and its thread are not here.
    for client in list(_clients):
        client._begin()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
