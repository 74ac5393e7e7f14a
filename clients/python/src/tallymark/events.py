"""Events as the server takes them (`POST /api/v1/events`): checked, given an id and a time, written as JSON.

Guarantees: what is captured is what is sent, whatever becomes of the objects afterwards; an event has its insert id
and its time before it is queued, so that sending it again changes nothing.
Deliberately not here: sending (`delivery`).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time as clock
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict

from ._version import NAME, __version__
from .errors import InvalidEventError

EVENT_BYTES_MAX = 1 << 20
"""Largest event that the server takes."""
ID_BYTES_MAX = 1024
"""Longest id that the server takes."""
NAME_CHARS_MAX = 1024
"""Longest event name that the server takes."""

Properties = Mapping[str, Any]
Groups = Mapping[str, "str | Sequence[str]"]
Time = dt.datetime | int | str


class Event(TypedDict, total=False):
    """One event; only `event` is needed. `user_properties` is plain (= set) or made by `changes`."""

    event: str
    user_id: str | None
    device_id: str | None
    time: Time | None
    insert_id: str | None
    session_id: str | None
    properties: Properties | None
    user_properties: Properties | None
    groups: Groups | None
    group_properties: Properties | None


KNOWN = frozenset(Event.__annotations__)
LIBRARY = {"$lib": NAME, "$lib_version": __version__}
"""Who sent an event, in the properties that the list of a project's sources reads."""


@dataclass(frozen=True)
class Item:
    """An event that is ready to be sent."""

    insert_id: str
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """As it was written."""
        return dict(json.loads(self.body))


def changes(
    set: Properties | None = None,
    *,
    set_once: Properties | None = None,
    add: Mapping[str, float] | None = None,
    append: Properties | None = None,
    prepend: Properties | None = None,
    remove: Properties | None = None,
    post_insert: Properties | None = None,
    pre_insert: Properties | None = None,
    unset: Sequence[str] = (),
    clear_all: bool = False,
) -> dict[str, Any]:
    """Operations on properties of a person or a group, in the order in which the server applies them.

    `post_insert` and `pre_insert` add to a list what it does not have yet; `clear_all` comes before everything else.
    """
    if isinstance(unset, str):
        raise InvalidEventError("`unset` takes a list of names, not one text")
    given: dict[str, Any] = {
        "$clear_all": "-" if clear_all else None,
        "$set": set,
        "$set_once": set_once,
        "$add": add,
        "$append": append,
        "$prepend": prepend,
        "$remove": remove,
        "$post_insert": post_insert,
        "$pre_insert": pre_insert,
        "$unset": list(unset),
    }
    return {name: operand for name, operand in given.items() if operand}


def prepare(event: Mapping[str, Any]) -> Item:
    """Checks and writes one event. Raises `InvalidEventError` for what no server would take."""
    if unknown := event.keys() - KNOWN:
        raise InvalidEventError(f"an event has no {', '.join(sorted(unknown))}; own values go into `properties`")
    given = {key: value for key, value in event.items() if value is not None}
    name = given.get("event")
    if not isinstance(name, str) or not name.strip():
        raise InvalidEventError(f"`event` must be a name, not {name!r}")
    if len(name) > NAME_CHARS_MAX:
        raise InvalidEventError(f"`event` has more than {NAME_CHARS_MAX} characters")
    for field in ("user_id", "device_id", "insert_id", "session_id"):
        if field in given:
            given[field] = _id(field, given[field])
    for field in ("properties", "user_properties", "groups", "group_properties"):
        if not isinstance(given.get(field, {}), Mapping):
            raise InvalidEventError(f"`{field}` must be a mapping, not {given[field]!r}")
    given["properties"] = {**LIBRARY, **given.get("properties", {})}
    given["time"] = _time(given.get("time"))
    insert_id = given.setdefault("insert_id", new_id())
    body = _json(given)
    if len(body) > EVENT_BYTES_MAX:
        raise InvalidEventError(f"the event has {len(body)} bytes, more than {EVENT_BYTES_MAX}")
    return Item(str(insert_id), body)


def new_id() -> str:
    """An id that nothing else has."""
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


def _id(field: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, uuid.UUID)):
        raise InvalidEventError(f"`{field}` must be a text, not {value!r}")
    text = str(value)
    if len(text.encode(errors="surrogatepass")) > ID_BYTES_MAX:
        raise InvalidEventError(f"`{field}` is longer than {ID_BYTES_MAX} bytes")
    return text


def _time(value: Time | None) -> str | int:
    if value is None:
        value = dt.datetime.fromtimestamp(clock.time(), dt.timezone.utc)
    if isinstance(value, dt.datetime):
        return _instant(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise InvalidEventError(f"`time` must be a datetime, milliseconds or an ISO 8601 text, not {value!r}")
    return value


def _instant(value: dt.datetime) -> str:
    if value.tzinfo is None:
        raise InvalidEventError(f"`{value!r}` has no time zone: say which one, for example datetime.now(timezone.utc)")
    return value.astimezone(dt.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: object) -> bytes:
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidEventError):
            raise
        raise InvalidEventError(f"the event cannot be written as JSON: {error}") from error


def _plain(value: object) -> object:
    if isinstance(value, dt.datetime):
        return _instant(value)
    if isinstance(value, (dt.date, uuid.UUID)):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    # Numbers of numpy and pandas.
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
