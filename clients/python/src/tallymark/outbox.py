"""The bounded queue between `capture` and the thread that sends.

Guarantees: an event is in here until it is settled, so it counts against the bound while it is on its way; a full
queue refuses or waits, and never drops; `settle` of an event counts once.
Deliberately not here: sending (`delivery`), what becomes of refused events (`client`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from .events import Item


@dataclass(frozen=True)
class Bounds:
    """How much may wait, and how much goes into one request."""

    events: int
    size_bytes: int
    batch_events: int
    batch_bytes: int
    interval_s: float


class Outbox:
    """Events that are not settled yet, in the order of capture."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Item]] = deque()
        self._later: list[tuple[float, int, Item]] = []
        self._unsettled: dict[int, Item] = {}
        self._size_bytes = 0
        self._next = 0
        self._oldest_at = 0.0
        self._hurry = 0
        self._closed = False

    # -- for those who capture ----------------------------------------------------------------------------

    def put(self, item: Item, wait_s: float | None = 0.0) -> bool | None:
        """Takes an event. False if there is no room within `wait_s` (None: however long); None if closed."""
        with self._changed:
            if not self._closed and not self._has_room(item):
                self._changed.wait_for(lambda: self._closed or self._has_room(item), wait_s)
            if self._closed:
                return None
            if not self._has_room(item):
                return False
            is_first = not self._waiting
            if is_first:
                self._oldest_at = time.monotonic()
            self._waiting.append((self._next, item))
            self._unsettled[self._next] = item
            self._size_bytes += len(item.body)
            self._next += 1
            if is_first or self._is_due():
                self._changed.notify_all()
            return True

    def flush(self, timeout_s: float | None) -> bool:
        """Waits until everything captured so far is settled."""
        with self._changed:
            target = self._next
            self._hurry += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._unsettled or self._first() >= target, timeout_s)
            finally:
                self._hurry -= 1

    def close(self) -> None:
        """Takes nothing more, and lets the sender finish what is there."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> list[Item]:
        """Everything unsettled, which is settled by this."""
        with self._changed:
            left = list(self._unsettled.values())
            self._unsettled.clear()
            self._waiting.clear()
            self._later.clear()
            self._size_bytes = 0
            self._changed.notify_all()
            return left

    def __len__(self) -> int:
        with self._changed:
            return len(self._unsettled)

    @property
    def is_closed(self) -> bool:
        """Nothing more is taken."""
        return self._closed

    # -- for the thread that sends ------------------------------------------------------------------------

    def take(self) -> list[tuple[int, Item]]:
        """The next batch, as soon as one is due; nothing if the box is closed and empty."""
        with self._changed:
            while True:
                self._bring_back()
                if self._waiting and self._is_due():
                    return self._batch()
                if self._closed and not self._unsettled:
                    return []
                self._changed.wait(self._until_due())

    def settle(self, numbers: Iterable[int]) -> list[int]:
        """These events are decided. Gives back those that were not settled before."""
        with self._changed:
            fresh = []
            for number in numbers:
                item = self._unsettled.pop(number, None)
                if item is not None:
                    self._size_bytes -= len(item.body)
                    fresh.append(number)
            self._changed.notify_all()
            return fresh

    def put_back(self, batch: list[tuple[int, Item]]) -> None:
        """To the front, in their order: they are sent first."""
        with self._changed:
            self._waiting.extendleft(pair for pair in reversed(batch) if pair[0] in self._unsettled)
            self._oldest_at = float("-inf")

    def put_off(self, batch: list[tuple[int, Item]], seconds: float) -> None:
        """For later: others need not wait for them."""
        with self._changed:
            due = time.monotonic() + seconds
            self._later += [(due, number, item) for number, item in batch if number in self._unsettled]

    def pause(self, seconds: float) -> None:
        """Waits; less if there is nothing left to wait for."""
        with self._changed:
            self._changed.wait_for(lambda: not self._unsettled, seconds)

    # -- with the lock held -------------------------------------------------------------------------------

    def _has_room(self, item: Item) -> bool:
        fits = self._size_bytes + len(item.body) <= self.bounds.size_bytes
        # One event always fits into an empty box.
        return not self._unsettled or (fits and len(self._unsettled) < self.bounds.events)

    def _first(self) -> int:
        return min(self._unsettled)

    def _is_due(self) -> bool:
        if self._hurry or self._closed or len(self._waiting) >= self.bounds.batch_events:
            return True
        return time.monotonic() >= self._oldest_at + self.bounds.interval_s

    def _until_due(self) -> float | None:
        times = [due for due, _, _ in self._later]
        if self._waiting:
            times.append(self._oldest_at + self.bounds.interval_s)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _bring_back(self) -> None:
        now = time.monotonic()
        back = sorted((number, item) for due, number, item in self._later if due <= now)
        if back:
            self._later = [entry for entry in self._later if entry[0] > now]
            self._waiting.extendleft(reversed(back))
            self._oldest_at = float("-inf")

    def _batch(self) -> list[tuple[int, Item]]:
        batch: list[tuple[int, Item]] = []
        size = 0
        while self._waiting and len(batch) < self.bounds.batch_events:
            size += len(self._waiting[0][1].body) + 1
            if batch and size > self.bounds.batch_bytes:
                break
            batch.append(self._waiting.popleft())
        self._oldest_at = time.monotonic()
        return batch
