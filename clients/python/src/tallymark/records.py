"""The shapes of the API that this package reads, as frozen dataclasses.

Guarantees: names are those of the API description (a test compares them); instants are aware datetimes; what a newer
server adds is left out, not an error.
Deliberately not here: answers to queries (`result`).
"""

from __future__ import annotations

import datetime as dt
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Instant = dt.datetime
Json = Any


def read(shape: type[T], value: Mapping[str, Any]) -> T:
    """A JSON object as this dataclass."""
    known = ((attribute, name, hint) for attribute, (name, hint) in members(shape).items())
    return shape(**{a: _convert(hint, value[name]) for a, name, hint in known if value.get(name) is not None})


def instant(text: str | None) -> dt.datetime | None:
    """An instant as the API writes it."""
    return None if text is None else dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def members(shape: type[Any]) -> dict[str, tuple[str, Any]]:
    """Attribute -> its name in JSON and its type. Words that Python keeps for itself end with `_` here."""
    found = _members.get(shape)
    if found is None:
        hints = typing.get_type_hints(shape)
        found = {f.name: (f.name.rstrip("_"), hints[f.name]) for f in fields(shape)}
        _members[shape] = found
    return found


_members: dict[type[Any], dict[str, tuple[str, Any]]] = {}


def _convert(hint: Any, value: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin is types.UnionType or origin is typing.Union:
        (hint,) = (a for a in typing.get_args(hint) if a is not type(None))
        return _convert(hint, value)
    if origin is list:
        (inner,) = typing.get_args(hint)
        return [_convert(inner, v) for v in value]
    if hint is dt.datetime:
        return instant(value)
    return read(hint, value) if is_dataclass(hint) and isinstance(hint, type) else value


# -- events and people ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReceiptOutcomes:
    """How many events of a request are what by now."""

    visible: int
    duplicate: int
    filtered: int
    dead: int
    pending: int


@dataclass(frozen=True)
class Receipt:
    """What became of the events of one request."""

    positions: int
    durable: bool
    visible: bool
    outcomes: ReceiptOutcomes


@dataclass(frozen=True)
class StoredEvent:
    """One stored event; `person` is None if no usable id came with it."""

    event: str
    time: Instant
    seq: str
    received_at: Instant
    person: str | None = None
    user_id: str | None = None
    device_id: str | None = None
    session_id: str | None = None
    insert_id: str | None = None
    properties: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    annotations: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Merge:
    """An operation that made ids one person."""

    kind: str
    at: Instant
    detail: Json = None


@dataclass(frozen=True)
class Person:
    """Somebody, with every id and the properties of now."""

    person: str
    events: int
    user_ids: list[str] = field(default_factory=list)
    device_ids: list[str] = field(default_factory=list)
    properties: dict[str, Json] = field(default_factory=dict)
    first_seen: Instant | None = None
    last_seen: Instant | None = None
    merges: list[Merge] = field(default_factory=list)


@dataclass(frozen=True)
class SchemaEvent:
    """An event name. An `operation` changes identity or properties and is never counted."""

    name: str
    count: int
    operation: bool
    first_seen: Instant | None = None
    last_seen: Instant | None = None


@dataclass(frozen=True)
class SchemaProperty:
    """A property, with its types and some of its values."""

    name: str
    scope: str
    count: int
    types: list[str] = field(default_factory=list)
    examples: list[Json] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Schema:
    """What a project has seen."""

    events: list[SchemaEvent] = field(default_factory=list)
    properties: list[SchemaProperty] = field(default_factory=list)


# -- a project's settings ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProjectInfo:
    """A project. `secret_key` is there once: when it was created."""

    id: str
    name: str
    timezone: str
    week_start: str
    write_key: str
    created_at: Instant
    secret_key: str | None = None
    settings: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Key:
    """A key. `value` is there once: when it was created."""

    id: str
    kind: str
    name: str
    prefix: str
    created_at: Instant
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None
    value: str | None = None


@dataclass(frozen=True)
class Source:
    """What one library sends under one key; `state` is `as_usual`, `silent`, `less`, `more` or what else it may be."""

    id: str
    key: str
    protocol: str
    lane: str
    state: str
    watched: bool
    first_event: Instant
    last_event: Instant
    rate: float
    usual_rate: float
    minutes: list[int] = field(default_factory=list)
    library: str | None = None
    library_version: str | None = None
    other_days: list[float] | None = None


@dataclass(frozen=True)
class FailedObject:
    """An object that cannot be read to its end."""

    object: str
    reason: str


@dataclass(frozen=True)
class FileSource:
    """A bucket or folder whose files become events; `state` is `new`, `working`, `waiting`, `failing` or `idle`."""

    done: int
    format: str
    from_: str
    name: str
    objects: int
    rejected: int
    rows: int
    state: str
    last_object: str | None = None
    last_object_at: Instant | None = None
    looked_at: Instant | None = None
    reason: str | None = None
    rows_per_second: float | None = None
    seconds_left: float | None = None
    changed: list[str] = field(default_factory=list)
    failed: list[FailedObject] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Membership:
    """Who was in a cohort when it was last looked at."""

    size: int
    seq: int
    computed_at: Instant
    current: bool
    problem: str | None = None


@dataclass(frozen=True)
class Cohort:
    """A kept cohort; conditions name it by `id`."""

    id: str
    name: str
    kind: str
    version: int
    by: str
    made_at: Instant
    changed_at: Instant
    definition: Json = None
    membership: Membership | None = None


@dataclass(frozen=True)
class Definition:
    """One version of what a project calls something."""

    kind: str
    name: str
    version: int
    by: str
    made_at: Instant
    body: Json = None


@dataclass(frozen=True)
class Rule:
    """A rule as of a version; `state` is `unpublished`, `published` or `in_force`."""

    id: int
    version: int
    name: str
    enabled: bool
    by: str
    reason: str
    made_at: Instant
    state: str
    action: dict[str, Json] = field(default_factory=dict)
    in_force: list[dict[str, Json]] = field(default_factory=list)
    published_at: Instant | None = None
    problem: str | None = None
