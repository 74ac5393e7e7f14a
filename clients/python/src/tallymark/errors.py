"""What can go wrong, one class per thing that a caller can do something about.

Guarantees: every error is a `TallymarkError`; what the server said stands in it unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .delivery import BatchResult


class TallymarkError(Exception):
    """Everything that this package raises by itself."""


class ApiError(TallymarkError):
    """The server's answer is an error. `code` is documented under `docs` on the server."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str = "",
        docs: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, code, message)
        self.status = status
        """HTTP status."""
        self.code = code
        """`TMxxxx`, or `HTTP nnn` if something in between answered."""
        self.message = message
        """What is wrong."""
        self.hint = hint
        """What to do about it."""
        self.docs = docs
        """Path of the page about this code."""
        self.retry_after = retry_after
        """Seconds after which it is worth trying again, if the server said so."""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.code}: {self.message}{hint}"

    @property
    def retryable(self) -> bool:
        """Waiting may help: the server is starting, restarting, busy, or throttles."""
        return self.status in (408, 429) or self.status >= 500

    @classmethod
    def of(cls, status: int, body: object, retry_after: float | None = None) -> ApiError:
        """From an answer; a body that is not Tallymark's (a proxy's page, say) still gives a usable sentence."""
        error = body.get("error") if isinstance(body, Mapping) else None
        if not isinstance(error, Mapping):
            message = f"the answer has status {status} and is not Tallymark's"
            return cls(status, f"HTTP {status}", message, retry_after=retry_after)
        text = {key: str(error.get(key) or "") for key in ("message", "hint", "docs")}
        return cls(status, str(error.get("code") or f"HTTP {status}"), **text, retry_after=retry_after)


class UnreachableError(TallymarkError):
    """No usable answer came: the server is away, the connection broke, or something else answered."""

    retryable = True
    retry_after: float | None = None

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        """The server was reached, and did not answer in time."""


class InvalidEventError(TallymarkError, ValueError):
    """An event that no server would take; said at once, where it was made."""


class QueueFullError(TallymarkError):
    """The queue has no room: the event was *not* taken over."""


class ClosedError(TallymarkError):
    """The client is closed: the event was *not* taken over."""


class UndeliveredError(TallymarkError):
    """`send_batch` gave up. What happened until then is in `result`; what nobody confirmed is in `undelivered`.

    Sending those again is safe: they keep their insert ids, so what did arrive counts once.
    """

    def __init__(self, message: str, result: BatchResult, undelivered: Sequence[dict[str, Any]]) -> None:
        super().__init__(message, result, undelivered)
        self.message = message
        self.result = result
        self.undelivered = list(undelivered)

    def __str__(self) -> str:
        return self.message
