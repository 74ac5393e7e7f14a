"""`Project`: questions to one project, and what its secret key may manage.

Guarantees: reading is repeated while the server is away for a moment, changing is not; lists are read to their end.
Deliberately not here: sending events (`client`), the instance as a whole (`admin`).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from ._http import Api, Backoff, Http, segment
from .books import DeadLetter, Erasure, Ledger, Preview, RecordOutcome, Redriven
from .errors import TallymarkError
from .records import Cohort, Definition, FileSource, Key, Person, ProjectInfo, Rule, Schema, Source, StoredEvent, read
from .result import Explanation, Result

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Query = Mapping[str, Any]
When = dt.datetime | dt.date | str
PAGE = 1000


class Project:
    """One project, by its secret key (or an admin key and its name).

    Without `project`, the key's own project is meant.
    """

    def __init__(
        self,
        url: str,
        key: str,
        project: str | None = None,
        *,
        timeout: float = 120.0,
        retries: int = 4,
        backoff: Backoff | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        http = Http(url, key, timeout=timeout, transport=transport)
        self._use(Api(http, retries=retries, backoff=backoff), project)

    def _use(self, api: Api, project: str | None) -> None:
        self._api = api
        self._project = project

    @classmethod
    def _of(cls, api: Api, project: str) -> Project:
        made = cls.__new__(cls)
        made._use(api, project)
        return made

    @property
    def name(self) -> str:
        """Id or name of the project, as requests name it."""
        if self._project is None:
            own = self._api.get("/api/v1/projects")["projects"]
            if len(own) != 1:
                names = ", ".join(p["name"] for p in own)
                raise TallymarkError(f"the key reads {len(own)} projects: say which one ({names})")
            self._project = str(own[0]["id"])
        return self._project

    def _path(self, *parts: object) -> str:
        return "/".join(["/api/v1/projects", segment(self.name), *map(segment, parts)])

    def close(self) -> None:
        """Closes the connections."""
        self._api.http.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- questions ------------------------------------------------------------------------------------------

    def query(self, query: Query | None = None, *, fresh: bool = False, **keys: Any) -> Result:
        """Asks a query: one object, or its keys (`return_` for `return`). `fresh` has it computed anew."""
        asked = {**(query or {}), **{key.rstrip("_"): value for key, value in keys.items()}}
        headers = {"cache-control": "no-cache"} if fresh else None
        answer = self._api.ask("POST", self._path("query"), body=asked, headers=headers)
        return Result(asked, answer.json, self.explain, answer.headers.get("tallymark-cache"))

    def explain(self, query: Query) -> Explanation:
        """What a query would read, instead of its answer."""
        raw = self._api.ask("POST", self._path("query", "explain"), body=dict(query)).json
        return Explanation(str(raw.get("text", "")), raw)

    def sql(self, sql: str, params: Sequence[Any] = (), *, limit: int | None = None) -> pd.DataFrame:
        """One read-only statement as a DataFrame. For the envelope of the answer: `query({"type": "sql", …})`."""
        asked = {"type": "sql", "sql": sql, "params": list(params), "limit": limit}
        return self.query({key: value for key, value in asked.items() if value}).to_dataframe()

    # -- events and people ----------------------------------------------------------------------------------

    def events(
        self,
        *,
        event: str | Sequence[str] | None = None,
        person: str | None = None,
        from_: When | None = None,
        to: When | None = None,
    ) -> Iterator[StoredEvent]:
        """Stored events, newest first, to the end."""
        names = event if event is None or isinstance(event, str) else json.dumps(list(event))
        params = {"event": names, "person": person, "from": _when(from_), "to": _when(to), "limit": PAGE}
        return self._pages(StoredEvent, "events", "events", params)

    def persons(self, search: str | None = None) -> Iterator[Person]:
        """Everybody, or whose ids, email or name contain a text."""
        return self._pages(Person, "persons", "persons", {"q": search, "limit": PAGE})

    def person(self, id: str) -> Person:
        """Somebody, by a person id, a user id or a device id."""
        return read(Person, self._api.get(self._path("persons", id)))

    def timeline(self, id: str) -> Iterator[StoredEvent]:
        """What somebody did, newest first."""
        path = self._path("persons", id, "timeline")
        return (read(StoredEvent, e) for e in self._api.pages(path, "events", {"limit": PAGE}))

    def export_person(self, id: str) -> list[dict[str, Any]]:
        """Everything that belongs to one person."""
        return list(self._api.get(self._path("persons", id, "export")))

    def erase_person(self, id: str, reason: str, *, confirm: str | None = None) -> Erasure:
        """Asks that a person be forgotten; can be taken back for some days."""
        body = _given(reason=reason, confirm=confirm)
        return read(Erasure, self._api.change("POST", self._path("persons", id, "erase"), body))

    def erasures(self) -> list[Erasure]:
        """Who is being forgotten."""
        return self._list(Erasure, "erasures", "erasures")

    def undo_erasure(self, id: int) -> Erasure:
        """Takes an erasure back."""
        return read(Erasure, self._api.change("POST", self._path("erasures", id, "undo")))

    def schema(self) -> Schema:
        """Event names and properties that the project has seen."""
        return read(Schema, self._api.get(self._path("schema")))

    # -- cohorts and definitions ----------------------------------------------------------------------------

    def cohorts(self) -> list[Cohort]:
        """The kept cohorts."""
        return self._list(Cohort, "cohorts", "cohorts")

    def cohort(self, id: str) -> Cohort:
        """One of them."""
        return read(Cohort, self._api.get(self._path("cohorts", id)))

    def create_cohort(
        self, name: str, definition: Query | None = None, *, query: Query | None = None, kind: str | None = None
    ) -> Cohort:
        """Keeps a cohort: of a definition, or of the actors behind a number (a query with a `microscope`)."""
        body = _given(name=name, definition=definition, query=query, kind=kind)
        return read(Cohort, self._api.change("POST", self._path("cohorts"), body))

    def change_cohort(self, id: str, *, name: str | None = None, definition: Query | None = None) -> Cohort:
        """Renames a cohort, or defines it anew."""
        body = _given(name=name, definition=definition)
        return read(Cohort, self._api.change("PATCH", self._path("cohorts", id), body))

    def delete_cohort(self, id: str) -> None:
        """Deletes a cohort."""
        self._api.change("DELETE", self._path("cohorts", id))

    def definitions(self) -> list[Definition]:
        """The newest version of each definition."""
        return self._list(Definition, "definitions", "definitions")

    def define(self, kind: str, name: str, body: Query) -> Definition:
        """Says what a name means: a `virtual_event`, `custom_property`, `lookup` or `rename`."""
        return read(Definition, self._api.change("PUT", self._path("definitions", kind, name), dict(body)))

    def definition_versions(self, kind: str, name: str) -> list[Definition]:
        """All versions, newest first."""
        found = self._api.get(self._path("definitions", kind, name, "versions"))["definitions"]
        return [read(Definition, d) for d in found]

    def undefine(self, kind: str, name: str) -> None:
        """Takes a definition away; its versions stay readable."""
        self._api.change("DELETE", self._path("definitions", kind, name))

    # -- the books ------------------------------------------------------------------------------------------

    def ledger(self, *, from_: When | None = None, to: When | None = None) -> Ledger:
        """What was acknowledged and what became of it."""
        return read(Ledger, self._api.get(self._path("ledger"), {"from": _when(from_), "to": _when(to)}))

    def outcomes(self, *, position: str | None = None, insert_id: str | None = None) -> list[RecordOutcome]:
        """What became of one record, by its position in the log or by its insert id."""
        found = self._api.get(self._path("outcomes"), {"position": position, "insert_id": insert_id})["outcomes"]
        return [read(RecordOutcome, o) for o in found]

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Records that could not be read."""
        return self._pages(DeadLetter, "dead-letters", "dead", {"limit": PAGE})

    def redrive(
        self,
        items: Sequence[Query] = (),
        *,
        reason: str | None = None,
        mapping: Mapping[str, str] | None = None,
        limit: int | None = None,
        dry_run: bool = False,
    ) -> Redriven:
        """Mends dead letters: one by one (`items`), or all with a `reason`, by a `mapping` or as they are."""
        body = _given(items=list(items) or None, reason=reason, mapping=mapping, limit=limit, dry_run=dry_run)
        return read(Redriven, self._api.change("POST", self._path("dead-letters", "redrive"), body))

    # -- rules, keys, settings ------------------------------------------------------------------------------

    def rules(self) -> list[Rule]:
        """The newest version of each rule."""
        return self._list(Rule, "rules", "rules")

    def create_rule(self, name: str, action: Query, *, reason: str = "", enabled: bool = True) -> Rule:
        """Adds a rule about what comes in from now on."""
        body = {"name": name, "action": dict(action), "reason": reason, "enabled": enabled}
        return read(Rule, self._api.change("POST", self._path("rules"), body))

    def change_rule(self, id: int, name: str, action: Query, *, reason: str = "", enabled: bool = True) -> Rule:
        """The next version of a rule."""
        body = {"name": name, "action": dict(action), "reason": reason, "enabled": enabled}
        return read(Rule, self._api.change("PUT", self._path("rules", id), body))

    def rule_versions(self, id: int) -> list[Rule]:
        """All versions of a rule, oldest first."""
        return [read(Rule, r) for r in self._api.get(self._path("rules", id, "versions"))["rules"]]

    def preview_rule(
        self, action: Query, *, from_: When | None = None, to: When | None = None, wait_ms: int | None = None
    ) -> Preview:
        """Tries a rule over what came in before, without switching it on."""
        body = {**_given(action=dict(action), to=_when(to), wait_ms=wait_ms)}
        if from_ is not None:
            body["from"] = _when(from_)
        return read(Preview, self._api.change("POST", self._path("rules", "preview"), body))

    def sources(self) -> list[Source]:
        """Who sends what into the project; the newest event first."""
        return self._list(Source, "sources", "sources")

    def files(self) -> list[FileSource]:
        """Buckets and folders whose files become events of the project, and how far each is."""
        return self._list(FileSource, "files", "files")

    def watch_source(self, id: str, watched: bool) -> None:
        """Whether anybody is told when a source falls silent or its volume changes."""
        self._api.change("PATCH", self._path("sources", id), {"watched": watched})

    def keys(self) -> list[Key]:
        """The project's keys."""
        return self._list(Key, "keys", "keys")

    def create_key(self, kind: str, name: str | None = None) -> Key:
        """Makes a `write` or `secret` key; its `value` is told only now."""
        return read(Key, self._api.change("POST", self._path("keys"), _given(kind=kind, name=name)))

    def revoke_key(self, id: str) -> None:
        """Makes a key worthless."""
        self._api.change("DELETE", self._path("keys", id))

    def info(self) -> ProjectInfo:
        """Name, time zone, settings."""
        return read(ProjectInfo, self._api.get(self._path()))

    def change(
        self, *, session_timeout_min: float | None = None, limits: Mapping[str, int] | None = None
    ) -> ProjectInfo:
        """Changes settings; what is left out stays."""
        body = _given(session_timeout_min=session_timeout_min, limits=limits)
        return read(ProjectInfo, self._api.change("PATCH", self._path(), body))

    # ---------------------------------------------------------------------------------------------------------

    def _list(self, shape: type[T], path: str, member: str) -> list[T]:
        return [read(shape, item) for item in self._api.get(self._path(path))[member]]

    def _pages(self, shape: type[T], path: str, member: str, params: Mapping[str, Any]) -> Iterator[T]:
        return (read(shape, item) for item in self._api.pages(self._path(path), member, params))


def _given(**members: Any) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value is not None}


def _when(value: When | None) -> str | None:
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(dt.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return None if value is None else str(value)
