"""Tables as DataFrames.

Guarantees: local dates are naive timestamps, instants are in UTC; integers beyond 2^53 stay exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

try:
    import pandas as pd
except ImportError as error:  # pragma: no cover (the tests have it)
    raise ImportError("DataFrames need pandas: pip install 'tallymark[dataframe]'") from error

from .tables import Table

# What SQL says a column is -> what pandas calls it. Everything else is left to pandas.
_SQL_TYPES = {"number": "Float64", "boolean": "boolean", "integer": "Int64"}


def frame(table: Table) -> pd.DataFrame:
    """This table; a column has the type that the server says, or that its values have."""
    columns = list(zip(*table.rows, strict=True)) if table.rows else [()] * len(table.columns)
    made = [_column(table, i, values) for i, values in enumerate(columns)]
    whole: pd.DataFrame = pd.concat(made, axis=1) if made else pd.DataFrame()
    whole.columns = pd.Index(table.columns)
    return whole


def _column(table: Table, index: int, values: Sequence[Any]) -> pd.Series[Any]:
    if table.types is None:
        return times(values) if table.columns[index] in table.times else _series(values, _dtype(values))
    kind = table.types[str(index)]
    if kind in ("timestamp", "date"):
        return times(values)
    if kind == "integer":
        # Beyond 2^53 the server writes them as text.
        values = [None if value is None else int(value) for value in values]
    return _series(values, _SQL_TYPES.get(kind, "object"))


def _series(values: Sequence[Any], dtype: str | None) -> pd.Series[Any]:
    made: pd.Series[Any] = pd.Series(list(values), dtype=dtype)
    return made


def _dtype(values: Sequence[Any]) -> str | None:
    """Lists of nothing have no type of their own."""
    return "object" if all(value is None for value in values) else None


def times(values: Sequence[Any]) -> pd.Series[Any]:
    """Labels of buckets and timestamps of SQL: local dates without a zone, everything else in UTC."""
    is_local = all(value is None or not _has_zone(value) for value in values)
    made: pd.Series[Any] = pd.to_datetime(pd.Series(values, dtype="object"), utc=not is_local, format="ISO8601")
    return made


def _has_zone(text: str) -> bool:
    return text.endswith("Z") or ("T" in text and any(sign in text[11:] for sign in "+-"))
