"""The dataclasses against the API description: a changed API without changed classes fails."""

import datetime as dt
import json
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from tallymark import books, records

DOCUMENT = json.loads((Path(__file__).resolve().parents[3] / "crates/edge/api/openapi.json").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
NAMES = {
    "StoredEvent": "EventBody",
    "ProjectInfo": "ProjectBody",
    "RecordOutcome": "OutcomeBody",
    "Preview": "PreviewedBody",
    "ReceiptOutcomes": "ReceiptOutcomes",
    "Component": "Component",
}
# What is in the description and deliberately not here.
LEFT_OUT = {"Ledger": {"conflicts"}}
SHAPES = [
    shape
    for module in (records, books)
    for shape in vars(module).values()
    if hasattr(shape, "__dataclass_fields__") and shape.__module__ == module.__name__
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.__name__)
def test_a_shape_is_that_of_the_description(shape):
    described = SCHEMAS[NAMES.get(shape.__name__, f"{shape.__name__}Body")]
    names = {name for name, _ in records.members(shape).values()}
    assert names == described["properties"].keys() - LEFT_OUT.get(shape.__name__, set())
    required = {
        records.members(shape)[f.name][0]
        for f in fields(shape)
        if f.default is MISSING and f.default_factory is MISSING
    }
    assert required <= set(described["required"])


def test_instants_nested_shapes_and_words_that_python_keeps():
    ledger = records.read(
        books.Ledger,
        {
            "commit": 3,
            "as_of": "2026-11-21T18:57:59.413Z",
            "identity": {
                **dict.fromkeys(["acknowledged", "visible"], 4),
                **dict.fromkeys(["duplicate", "filtered", "dead", "pending"], 0),
                "balanced": True,
                "pending_exact": True,
            },
            "skipped": [
                {
                    "lane": "live",
                    "partition": 1,
                    "from": 5,
                    "to": 9,
                    "by": "me",
                    "reason": "r",
                    "received_from": "2026-11-21T00:00:00.000Z",
                    "received_to": "2026-11-21T01:00:00.000Z",
                }
            ],
            "complete_through": None,
            "something_newer": 1,
        },
    )
    assert ledger.as_of == dt.datetime(2026, 11, 21, 18, 57, 59, 413_000, dt.timezone.utc)
    assert (ledger.skipped[0].from_, ledger.skipped[0].to) == (5, 9)
    assert ledger.identity.balanced
    assert ledger.complete_through is None
