"""The only place that talks HTTP.

Guarantees: an answer is JSON of the server or an error of this package; a connection is never shared with a forked
process.
Deliberately not here: which requests may be sent again (that is up to the caller).
"""

from __future__ import annotations

import email.utils
import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from ._version import NAME, __version__
from .errors import ApiError, TallymarkError, UnreachableError

Params = Mapping[str, "str | int | bool | None"]


@dataclass(frozen=True)
class Answer:
    """A success: its JSON (None without a body) and its headers."""

    status: int
    json: Any
    headers: Mapping[str, str]


class Http:
    """Requests to one server with one key."""

    def __init__(self, url: str, key: str, *, timeout: float, transport: httpx.BaseTransport | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"url: {url!r} does not start with http:// or https://")
        if not key.strip():
            raise ValueError("the key is empty")
        self.url = url.rstrip("/")
        self._key = key.strip()
        self._timeout = timeout
        self._transport = transport
        self._open()

    def _open(self) -> None:
        self._owner = os.getpid()
        self._client = httpx.Client(
            headers={
                "authorization": f"Bearer {self._key}",
                "accept": "application/json",
                "user-agent": f"{NAME}/{__version__}",
            },
            timeout=self._timeout,
            transport=self._transport,
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """One request; its answer, or `ApiError` or `UnreachableError`."""
        if self._owner != os.getpid():
            # The parent's connections are the parent's: two processes on one socket read each other's answers.
            self._open()
        given = {k: _parameter(v) for k, v in (params or {}).items() if v is not None}
        try:
            response = self._client.request(
                method,
                self.url + path,
                params=given or None,
                json=body,
                content=content,
                headers=dict(headers or {}),
                timeout=self._timeout if timeout is None else timeout,
            )
        except httpx.HTTPError as error:
            timed_out = isinstance(error, httpx.ReadTimeout)
            what = "does not answer in time" if timed_out else "cannot be reached"
            raise UnreachableError(
                f"{self.url} {what}: {error or type(error).__name__}", timed_out=timed_out
            ) from error
        return _read(response)

    def close(self) -> None:
        """Closes the connections."""
        if self._owner == os.getpid():
            self._client.close()


class Api:
    """An `Http` for questions and changes: questions are asked again while the server is away for a moment."""

    def __init__(self, http: Http, *, retries: int = 4, backoff: Backoff | None = None) -> None:
        self.http = http
        self.retries = retries
        self.backoff = backoff or Backoff()

    def get(self, path: str, params: Params | None = None) -> Any:
        """Reads; asked again if nobody answers."""
        return self.ask("GET", path, params=params).json

    def ask(self, method: str, path: str, **more: Any) -> Answer:
        """A request that changes nothing, and may therefore be sent again."""
        attempt = 0
        while True:
            try:
                return self.http.request(method, path, **more)
            except (ApiError, UnreachableError) as error:
                if isinstance(error, UnreachableError):
                    # A question that takes too long takes as long the next time.
                    again = not error.timed_out
                else:
                    # 500 is a fault: it would be the same again. A busy or starting server says 503.
                    again = error.status in (429, 502, 503, 504)
                if not again or attempt >= self.retries:
                    raise
                self.backoff.sleep(self.backoff.delay(attempt, error.retry_after))
                attempt += 1

    def change(self, method: str, path: str, body: object = None, params: Params | None = None) -> Any:
        """Changes something; sent once."""
        return self.http.request(method, path, body=body, params=params).json

    def pages(self, path: str, member: str, params: Params) -> Iterator[Any]:
        """Every item of a list that comes in pages."""
        cursor: str | None = None
        while True:
            page = self.get(path, {**params, "cursor": cursor})
            yield from page[member]
            cursor = page.get("next")
            if not cursor:
                return


class Backoff:
    """How long to wait before the next attempt. `Retry-After` is obeyed; without it, twice as long each time."""

    def __init__(self, first_s: float = 0.5, most_s: float = 30.0) -> None:
        self.first_s = first_s
        self.most_s = most_s

    def delay(self, attempt: int, retry_after: float | None = None) -> float:
        """Seconds before the attempt after number `attempt`, counted from 0; not the same for everybody."""
        longest = min(self.most_s, self.first_s * 2 ** min(attempt, 20))
        return max(retry_after or 0.0, float(longest) * random.uniform(0.5, 1.0))

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)


def segment(text: object) -> str:
    """A name or an id as one segment of a path."""
    if not str(text):
        raise TallymarkError("a name or an id is empty")
    return quote(str(text), safe="")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of `Retry-After`, in either of its two forms."""
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - time.time())


def _parameter(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(response: httpx.Response) -> Answer:
    try:
        if response.headers.get("content-type", "").startswith("application/x-ndjson"):
            body: Any = [json.loads(line) for line in response.text.splitlines() if line]
        else:
            body = response.json() if response.content else None
    except ValueError:
        body = response
    if not response.is_success:
        raise ApiError.of(response.status_code, body, retry_after(response.headers))
    if body is response:
        kind = response.headers.get("content-type", "something")
        raise UnreachableError(f"the answer of {response.url} is {kind}, not Tallymark's JSON")
    return Answer(response.status_code, body, response.headers)
