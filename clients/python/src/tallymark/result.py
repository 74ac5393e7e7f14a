"""The answer to a query: what was asked for, and how far it can be trusted.

Guarantees: `raw` is the answer as it came; a DataFrame has the answer's numbers, unrounded.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import TallymarkError
from .records import Instant, instant, read
from .tables import Table, tables_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Gap:
    """Records that an answer does not count: passed by, unreadable, or not decided yet."""

    lane: str
    partition: int
    to: int
    count: int
    state: str
    received_from: Instant | None = None
    received_to: Instant | None = None
    reason: str | None = None
    from_: int = 0


@dataclass(frozen=True)
class Explanation:
    """What a query reads, instead of its answer."""

    text: str
    """In words."""
    raw: dict[str, Any]


class Result:
    """An answer. `result.to_dataframe()` is the table that the query asks for, `result.tables` are all of them."""

    def __init__(
        self,
        query: Mapping[str, Any],
        raw: dict[str, Any],
        explain: Callable[[Mapping[str, Any]], Explanation],
        served: str | None = None,
    ) -> None:
        self.query = dict(query)
        """What was asked."""
        self.raw = raw
        """The answer as it came."""
        self.served = served
        """How it came about: `computed`, `cached` or `patched`."""
        self._explain = explain
        self._tables: dict[str, Table] | None = None

    def __repr__(self) -> str:
        state = "complete" if self.complete else f"complete through {self.raw.get('complete_through')}"
        return f"<Result {self.query.get('type')}: {', '.join(self.tables)}; {state}>"

    def __getitem__(self, key: str) -> Any:
        return self.raw[key]

    @property
    def complete_through(self) -> dt.datetime | None:
        """Everything received before this instant is in the answer."""
        return instant(self.raw.get("complete_through"))

    @property
    def complete(self) -> bool:
        """No gap touches the range, and the range is over."""
        return bool(self.raw.get("complete"))

    @property
    def incomplete(self) -> tuple[bool, ...]:
        """For each bucket of the answer (one, if it has none), whether something may still come."""
        found = self.raw.get("incomplete", not self.complete)
        return tuple(found) if isinstance(found, list) else (bool(found),)

    @property
    def gaps(self) -> list[Gap]:
        """What the answer does not count."""
        return [read(Gap, gap) for gap in self.raw.get("gaps", [])]

    @property
    def restated(self) -> bool:
        """A period that was closed changed since."""
        return bool(self.raw.get("restated"))

    @property
    def as_of(self) -> dt.datetime | None:
        """The instant of the answer. With it, the same question has the same answer later."""
        return instant(self.raw.get("as_of"))

    @property
    def stale(self) -> dict[str, Any] | None:
        """Set if this is an answer from before the catalog was lost."""
        return self.raw.get("stale")

    def explain(self) -> Explanation:
        """What the query read; asks the server."""
        return self._explain(self.query)

    @property
    def tables(self) -> dict[str, Table]:
        """Every table of the answer by name; the first is the one that the query asks for."""
        if self._tables is None:
            try:
                self._tables = tables_of(str(self.query.get("type")), self.raw)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                message = f"this version cannot make a table of the answer ({error!r}); it is in `raw`"
                raise TallymarkError(message) from error
        return self._tables

    def table(self, name: str | None = None) -> Table:
        """One of the tables; without a name, the one that the query asks for."""
        if name is None:
            return next(iter(self.tables.values()))
        if name not in self.tables:
            raise KeyError(f"the answer has no table {name!r}; it has {', '.join(self.tables)}")
        return self.tables[name]

    def to_dataframe(self, name: str | None = None) -> pd.DataFrame:
        """A table as pandas' (`pip install 'tallymark[dataframe]'`)."""
        from .frames import frame  # noqa: PLC0415 (pandas is optional)

        return frame(self.table(name))
