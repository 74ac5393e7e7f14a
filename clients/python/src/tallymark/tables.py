"""Answers to queries as tables: one tidy row per point.

Guarantees: an answer without rows has its columns nevertheless; a number is as the server wrote it.
Deliberately not here: pandas (`frames`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Table:
    """Rows with named columns. `times` are columns of instants or local dates."""

    columns: tuple[str, ...]
    rows: list[Row]
    times: frozenset[str] = frozenset()
    types: Mapping[str, str] | None = None
    """For SQL: what the server says each column is."""

    def dicts(self) -> list[dict[str, Any]]:
        """Each row with its names."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def tables_of(kind: str, answer: Json) -> dict[str, Table]:
    """The tables of an answer to a query of this type; the first is the one that was asked for."""
    if "actors" in answer and "size" in answer:
        return {"actors": _records(("person", "name"), answer["actors"])}
    return _MAKERS[kind](answer)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]], times: Iterable[str] = ("time",)) -> Table:
    return Table(tuple(columns), [tuple(row) for row in rows], frozenset(times) & frozenset(columns))


def _records(columns: Sequence[str], records: Iterable[Json]) -> Table:
    records = list(records)
    more = sorted({key for record in records for key in record} - set(columns))
    names = (*columns, *more)
    return _table(names, ([record.get(name) for name in names] for record in records))


def _groups(answer: Json) -> list[Json]:
    """The answer itself, or one per value of its breakdown."""
    found = answer.get("groups")
    return list(found) if found is not None else [answer]


def _labels(parts: Iterable[Json]) -> tuple[list[str], Callable[[Json], list[Any]]]:
    """The columns of a breakdown: none, one, or one per dimension; and how a part fills them."""
    labels = [part["breakdown"] for part in parts if "breakdown" in part]
    if not labels:
        return [], lambda _: []
    width = max((len(label) for label in labels if isinstance(label, list)), default=1)
    if width == 1:
        return ["breakdown"], lambda part: [_only(part.get("breakdown"))]

    def fill(part: Json) -> list[Any]:
        label = part.get("breakdown")
        # What is left over has one name for all dimensions.
        return list(label) if isinstance(label, list) else [label] * width

    return [f"breakdown_{i + 1}" for i in range(width)], fill


def _only(label: Any) -> Any:
    return label[0] if isinstance(label, list) else label


# -- one function per type of query -----------------------------------------------------------------------


def _segmentation(answer: Json) -> dict[str, Table]:
    periods = [("range", answer)]
    if "compare" in answer:
        periods.append(("compare", answer["compare"]))
    names, fill = _labels(series for _, part in periods for series in part["series"])
    spread = any(
        isinstance(v, Mapping) for _, part in periods for s in part["series"] for v in [*s["values"], s["total"]]
    )
    period = ["period"] if len(periods) > 1 else []
    value = ["frequency", "value"] if spread else ["value"]

    def points() -> Iterator[Row]:
        for label, part in periods:
            for series in part["series"]:
                start = [*([label] if period else []), series["key"], *fill(series)]
                if not part["buckets"]:
                    yield from ((*start, None, *v, None) for v in _spread(series["total"], spread))
                for time, got, lacking in zip(part["buckets"], series["values"], part["incomplete"], strict=True):
                    yield from ((*start, time, *v, lacking) for v in _spread(got, spread))

    def totals() -> Iterator[Row]:
        for label, part in periods:
            for series in part["series"]:
                start = [*([label] if period else []), series["key"], *fill(series)]
                yield from ((*start, *v) for v in _spread(series["total"], spread))

    return {
        "points": _table([*period, "series", *names, "time", *value, "incomplete"], points()),
        "totals": _table([*period, "series", *names, *value], totals()),
    }


def _spread(value: Any, spread: bool) -> list[tuple[Any, ...]]:
    """A number; or, of the measure `frequency`, how many did it how often."""
    if not spread:
        return [(value,)]
    if isinstance(value, Mapping):
        return [(int(often), many) for often, many in value.items()]
    return [(None, value)]


def _funnel(answer: Json) -> dict[str, Table]:
    groups = _groups(answer)
    names, fill = _labels(groups)
    if "buckets" in answer:
        ends = [answer["buckets"], answer["open"], answer["incomplete"]]
        rows = (
            (*fill(group), time, entered, converted, rate, is_open, lacking)
            for group in groups
            for time, is_open, lacking, entered, converted, rate in zip(
                *ends, group["entered"], group["converted"], group["rate"], strict=True
            )
        )
        columns = [*names, "time", "entered", "converted", "rate", "open", "incomplete"]
        return {"points": _table(columns, rows)}
    return {
        "steps": _table(
            [*names, "step", "reached", "dropped", "rate", "rate_from_start", "avg_s", "median_s"],
            ((*fill(group), *step) for group in groups for step in _steps(group)),
        ),
        "total_time": _records(
            names, ({**dict(zip(names, fill(g), strict=True)), **(g.get("total_time") or {})} for g in groups)
        ),
        "histogram": _table(
            [*names, "from_s", "to_s", "count"],
            ((*fill(g), b["from_s"], b["to_s"], b["count"]) for g in groups for b in g.get("histogram") or []),
        ),
    }


def _steps(group: Json) -> Iterator[Row]:
    reached = group["reached"]
    for i, (n, dropped, took) in enumerate(zip(reached, group["dropped"], group["step_times"], strict=True)):
        before = reached[i - 1] if i else n
        rates = (_share(n, before), _share(n, reached[0]))
        yield (i + 1, n, dropped, *rates, *((took or {}).get(name) for name in ("avg_s", "median_s")))


def _share(n: float, of: float) -> float | None:
    return n / of if of else None


def _retention(answer: Json) -> dict[str, Table]:
    if "median_days" in answer:
        return _usage(answer)
    groups = _groups(answer)
    names, fill = _labels(groups)

    def cells() -> Iterator[Row]:
        for group in groups:
            for cohort in group["cohorts"]:
                size = cohort["size"]
                for offset, (n, whole) in enumerate(zip(cohort["values"], cohort["complete"], strict=True)):
                    share = None if n is None else _share(n, size)
                    yield (*fill(group), cohort["cohort"], size, offset, n, share, not whole)

    overall = ((*fill(g), offset, rate) for g in groups for offset, rate in enumerate(g["overall"]))
    columns = [*names, "cohort", "size", "offset", "value", "rate", "incomplete"]
    return {
        "cohorts": _table(columns, cells(), ["cohort"]),
        "overall": _table([*names, "offset", "rate"], overall),
    }


def _usage(answer: Json) -> dict[str, Table]:
    pairs = zip(answer["counts"], answer["share"], strict=True)
    return {"usage": _table(["days", "value", "share"], ((i, n, share) for i, (n, share) in enumerate(pairs, 1)))}


def _lists(series: Sequence[str]) -> Callable[[Json], dict[str, Table]]:
    """Answers that are one list of numbers per name, over the same buckets."""

    def make(answer: Json) -> dict[str, Table]:
        groups = _groups(answer)
        names, fill = _labels(groups)
        rows = (
            (name, *fill(group), time, value, lacking)
            for group in groups
            for name in series
            for time, value, lacking in zip(answer["buckets"], group[name], answer["incomplete"], strict=True)
        )
        made = {"points": _table(["series", *names, "time", "value", "incomplete"], rows)}
        if all("total" in group for group in groups):
            totals = ((name, *fill(g), value) for g in groups for name, value in g["total"].items())
            made["totals"] = _table(["series", *names, "value"], totals)
        if any("histogram" in group for group in groups):
            bars = ({**dict(zip(names, fill(g), strict=True)), **bar} for g in groups for bar in g["histogram"])
            made["histogram"] = _records([*names, "bar", "from_s", "sessions", "users"], bars)
        return made

    return make


def _stickiness(answer: Json) -> dict[str, Table]:
    def bars(part: Json) -> Iterator[Row]:
        return ((i, n, share) for i, (n, share) in enumerate(zip(part["counts"], part["share"], strict=True), 1))

    made = {"bars": _table(["intervals", "value", "share"], bars(answer))}
    if "periods" in answer:
        rows = ((p["period"], *bar, p["incomplete"]) for p in answer["periods"] for bar in bars(p))
        made["periods"] = _table(["period", "intervals", "value", "share", "incomplete"], rows, ["period"])
    return made


def _paths(answer: Json) -> dict[str, Table]:
    places = {
        name: _table(["step", "item", "count"], answer.get(name, [])) for name in ("nodes", "dropoffs", "truncated")
    }
    return {"edges": _records(["step", "from", "to", "count", "avg_s"], answer["edges"]), **places}


def _cohort(answer: Json) -> dict[str, Table]:
    if "buckets" in answer:
        rows = zip(answer["buckets"], answer["values"], answer["incomplete"], strict=True)
        return {"points": _table(["time", "value", "incomplete"], rows)}
    return {"members": _table(["member"], ((member,) for member in answer["members"]))}


def _personas(answer: Json) -> dict[str, Table]:
    clusters = list(enumerate(answer["clusters"], 1))
    means = ((i, c["size"], c["share"], e["event"], e["mean"], e["z"]) for i, c in clusters for e in c["events"])
    plain = ({"cluster": i, **{k: v for k, v in c.items() if k != "events"}} for i, c in clusters)
    return {
        "events": _table(["cluster", "size", "share", "event", "mean", "z"], means),
        "clusters": _records(["cluster", "size", "share"], plain),
    }


def _realtime(answer: Json) -> dict[str, Table]:
    return {
        "points": _lists(["totals", "uniques"])(answer)["points"],
        "events": _records(["event", "totals", "uniques"], answer["events"]),
    }


def _sql(answer: Json) -> dict[str, Table]:
    columns = tuple(column["name"] for column in answer["columns"])
    types = {str(i): column["type"] for i, column in enumerate(answer["columns"])}
    return {"rows": Table(columns, [tuple(row) for row in answer["rows"]], types=types)}


def _list(name: str, member: str, columns: Sequence[str]) -> Callable[[Json], dict[str, Table]]:
    return lambda answer: {name: _records(columns, answer[member])}


_LIFECYCLE = ["new", "returning", "resurrecting", "dormant", "pulse"]
_SESSIONS = [
    "sessions",
    "users",
    "total_s",
    "avg_s",
    "median_s",
    "per_user",
    "events_per_session",
    "bounced",
    "bounce_rate",
]
_MAKERS: dict[str, Callable[[Json], dict[str, Table]]] = {
    "segmentation": _segmentation,
    "funnel": _funnel,
    "retention": _retention,
    "lifecycle": _lists(_LIFECYCLE),
    "stickiness": _stickiness,
    "sessions": _lists(_SESSIONS),
    "paths": _paths,
    "cohort": _cohort,
    "composition": _list("rows", "rows", ["breakdown", "actors", "share"]),
    "ltv": _list("days", "days", ["day", "actors", "payers", "revenue", "arpu", "arppu"]),
    "engagement": _list("events", "events", ["event", "actors", "x", "y"]),
    "personas": _personas,
    "realtime": _realtime,
    "sql": _sql,
}
