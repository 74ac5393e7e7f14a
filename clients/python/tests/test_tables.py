"""Answers as tables and as DataFrames, per type of query. The answers are those of a real server, shortened."""

import pandas as pd
import pytest

from tallymark import Result, TallymarkError


def result(kind, **raw):
    envelope = {
        "as_of": "2026-11-21T18:57:59.093Z",
        "complete_through": "2026-11-21T18:57:57.977Z",
        "complete": False,
        "gaps": [],
        "restated": False,
        "identity_version": 1,
    }
    return Result({"type": kind}, {**raw, **envelope}, explain=lambda _: None)


DAYS = {"buckets": ["2026-11-20", "2026-11-21"], "incomplete": [False, True]}


def test_segmentation_one_row_per_point():
    r = result(
        "segmentation",
        **DAYS,
        series=[
            {"key": "A", "breakdown": "DE", "values": [1, 2], "total": 3},
            {"key": "B", "breakdown": "DE", "values": [None, 0.5], "total": 0.5},
        ],
    )
    df = r.to_dataframe()
    assert list(df.columns) == ["series", "breakdown", "time", "value", "incomplete"]
    assert df["time"].tolist() == [pd.Timestamp("2026-11-20"), pd.Timestamp("2026-11-21")] * 2
    assert df["value"].tolist()[:2] == [1, 2]
    assert pd.isna(df["value"][2])
    assert df["incomplete"].tolist() == [False, True, False, True]
    assert r.table("totals").rows == [("A", "DE", 3), ("B", "DE", 0.5)]


def test_segmentation_without_breakdown_and_without_buckets():
    r = result("segmentation", buckets=[], incomplete=[], series=[{"key": "A", "values": [], "total": 20}])
    assert r.table().dicts() == [{"series": "A", "time": None, "value": 20, "incomplete": None}]
    assert pd.isna(r.to_dataframe()["time"][0])
    assert r.to_dataframe("totals").to_dict("list") == {"series": ["A"], "value": [20]}


def test_segmentation_by_several_properties():
    r = result(
        "segmentation",
        **DAYS,
        series=[
            {"key": "A", "breakdown": ["DE", "pro"], "values": [1, 2], "total": 3},
            {"key": "A", "breakdown": "$other", "values": [4, 5], "total": 9},
        ],
    )
    assert r.table("totals").dicts() == [
        {"series": "A", "breakdown_1": "DE", "breakdown_2": "pro", "value": 3},
        {"series": "A", "breakdown_1": "$other", "breakdown_2": "$other", "value": 9},
    ]


def test_segmentation_beside_an_earlier_range_and_frequencies():
    series = [{"key": "A", "values": [{"1": 4}, {}], "total": {"1": 1, "3": 2}}]
    r = result("segmentation", **DAYS, series=series, compare={**DAYS, "series": series})
    rows = r.table().dicts()
    assert [row["period"] for row in rows] == ["range", "compare"]
    assert (rows[0]["frequency"], rows[0]["value"]) == (1, 4)
    assert r.table("totals").rows == [
        ("range", "A", 1, 1),
        ("range", "A", 3, 2),
        ("compare", "A", 1, 1),
        ("compare", "A", 3, 2),
    ]


FUNNEL = {
    "counts": [10, 8, 2],
    "reached": [10, 8, 2],
    "dropped": [2, 6, 0],
    "step_times": [None, {"avg_s": 151.5, "median_s": 86}, {"avg_s": 2, "median_s": 2}],
    "total_time": {"avg_s": 345, "median_s": 345, "p90_s": 400},
}


def test_funnel_one_row_per_step():
    df = result("funnel", **FUNNEL).to_dataframe()
    assert df["step"].tolist() == [1, 2, 3]
    assert df["reached"].tolist() == [10, 8, 2]
    assert df["dropped"].tolist() == [2, 6, 0]
    assert df["rate"].tolist() == [1, 0.8, 0.25]
    assert df["rate_from_start"].tolist() == [1, 0.8, 0.2]
    assert df["median_s"].tolist()[1:] == [86, 2]
    assert pd.isna(df["avg_s"][0])


def test_funnel_groups_histogram_and_over_time():
    bars = [{"from_s": 0, "to_s": 60, "count": 2}]
    r = result("funnel", groups=[{"breakdown": "DE", **FUNNEL, "histogram": bars}])
    assert r.table().columns[0] == "breakdown"
    assert [row[0] for row in r.table().rows] == ["DE"] * 3
    assert r.table("histogram").rows == [("DE", 0, 60, 2)]
    assert r.table("total_time").dicts() == [{"breakdown": "DE", "avg_s": 345, "median_s": 345, "p90_s": 400}]
    over = result("funnel", **DAYS, open=[False, True], entered=[4, 2], converted=[1, 1], rate=[0.25, 0.5])
    assert over.to_dataframe().columns.tolist() == ["time", "entered", "converted", "rate", "open", "incomplete"]
    assert over.table().rows[1] == ("2026-11-21", 2, 1, 0.5, True, True)
    assert result("funnel", **{**FUNNEL, "reached": [0, 0, 0]}).table().rows[1][3] is None


def test_retention_cohort_by_offset():
    cohorts = [
        {"cohort": "2026-11-20", "size": 2, "values": [2, 1], "complete": [True, True]},
        {"cohort": "2026-11-21", "size": 0, "values": [0, None], "complete": [True, False]},
    ]
    r = result("retention", overall=[1, 0.5], cohorts=cohorts)
    df = r.to_dataframe()
    assert list(df.columns) == ["cohort", "size", "offset", "value", "rate", "incomplete"]
    assert len(df) == 4
    assert df["offset"].tolist() == [0, 1, 0, 1]
    assert df["cohort"].iloc[0] == pd.Timestamp("2026-11-20")
    assert df["rate"].tolist()[:2] == [1, 0.5]
    assert df["rate"].isna().tolist() == [False, False, True, True]
    assert df["incomplete"].tolist() == [False, False, False, True]
    assert r.table("overall").rows == [(0, 1), (1, 0.5)]
    grouped = result("retention", groups=[{"breakdown": b, "overall": [1], "cohorts": cohorts} for b in ("DE", "FR")])
    assert len(grouped.table().rows) == 8
    assert grouped.table("overall").rows == [("DE", 0, 1), ("FR", 0, 1)]
    usage = result("retention", actors=4, median_days=1.5, counts=[1, 4], share=[0.25, 1])
    assert usage.table().rows == [(1, 1, 0.25), (2, 4, 1)]


def test_lists_of_numbers_become_series():
    names = ("new", "returning", "resurrecting", "dormant", "pulse")
    df = result("lifecycle", **DAYS, **{name: [i, None] for i, name in enumerate(names)}).to_dataframe()
    assert df.columns.tolist() == ["series", "time", "value", "incomplete"]
    assert df[df["incomplete"] == False]["value"].tolist() == [0, 1, 2, 3, 4]  # noqa: E712
    assert df["series"].unique().tolist() == list(names)
    measures = (
        "sessions",
        "users",
        "total_s",
        "avg_s",
        "median_s",
        "per_user",
        "events_per_session",
        "bounced",
        "bounce_rate",
    )
    one = {**{m: [1, 2] for m in measures}, "total": dict.fromkeys(measures, 3)}
    bars = [{"bar": 0, "from_s": 0, "sessions": 2, "users": 1}]
    r = result("sessions", **DAYS, groups=[{"breakdown": "DE", **one, "histogram": bars}])
    assert len(r.table().rows) == 18
    assert r.table("totals").rows[0] == ("sessions", "DE", 3)
    assert r.table("histogram").rows == [("DE", 0, 0, 2, 1)]
    now = result(
        "realtime",
        buckets=["2026-11-21T18:57+01:00"],
        incomplete=[True],
        totals=[40],
        uniques=[10],
        total={"totals": 40, "uniques": 10},
        events=[{"event": "view", "totals": 20, "uniques": 10}],
    )
    assert now.to_dataframe()["time"].tolist() == [pd.Timestamp("2026-11-21T17:57Z")] * 2
    assert now.table("events").rows == [("view", 20, 10)]


def test_hours_of_a_day_with_two_offsets_are_instants():
    labels = ["2025-11-02T01:00-04:00", "2025-11-02T01:00-05:00"]
    r = result(
        "segmentation", buckets=labels, incomplete=[False, False], series=[{"key": "A", "values": [1, 2], "total": 3}]
    )
    assert r.to_dataframe()["time"].tolist() == [pd.Timestamp("2025-11-02T05:00Z"), pd.Timestamp("2025-11-02T06:00Z")]


def test_stickiness():
    r = result("stickiness", counts=[0, 10], share=[0, 1], incomplete_=True)
    assert r.to_dataframe().to_dict("list") == {"intervals": [1, 2], "value": [0, 10], "share": [0, 1]}
    r = result(
        "stickiness",
        counts=[0, 5],
        share=[0, 1],
        periods=[{"period": "2026-11-16", "counts": [0, 10], "share": [0, 1], "incomplete": True}],
    )
    assert r.table("periods").rows == [("2026-11-16", 1, 0, 0, True), ("2026-11-16", 2, 10, 1, True)]
    assert r.to_dataframe("periods")["period"].iloc[0] == pd.Timestamp("2026-11-16")


def test_the_others():
    edge = {"step": 1, "from": "view", "to": "buy", "count": 3, "avg_s": None}
    paths = result("paths", edges=[edge], nodes=[[1, "view", 10]], dropoffs=[[1, "view", 7]], truncated=[], segments=2)
    assert paths.table().rows == [(1, "view", "buy", 3, None)]
    assert paths.table("dropoffs").rows == [(1, "view", 7)]
    assert paths.to_dataframe("truncated").columns.tolist() == ["step", "item", "count"]
    cohort = result("cohort", size=2, members=["u0", "u1"])
    assert cohort.table().rows == [("u0",), ("u1",)]
    assert result("cohort", **DAYS, values=[1, 2]).table().rows[1] == ("2026-11-21", 2, True)
    rows = [{"breakdown": "DE", "actors": 5, "share": 0.5}]
    assert result("composition", rows=rows, total=5).table().rows == [("DE", 5, 0.5)]
    days = [{"day": 0, "actors": 10, "payers": 4, "revenue": 84, "arpu": 8.4, "arppu": 21}]
    assert result("ltv", actors=10, days=days).table().dicts() == days
    points = [{"event": "buy", "actors": 10, "x": 1, "y": 2}]
    assert result("engagement", active=10, cross={"x": 1, "y": 1}, events=points).table().dicts() == points
    clusters = [{"size": 10, "share": 1, "events": [{"event": "view", "mean": 2, "z": 0}]}]
    personas = result("personas", actors=10, clusters=clusters)
    assert personas.table().rows == [(1, 10, 1, "view", 2, 0)]
    assert personas.table("clusters").rows == [(1, 10, 1)]


def test_the_actors_behind_a_number_whatever_was_asked():
    r = result("funnel", size=1, next=None, actors=[{"person": "p", "name": "u0"}])
    assert r.table().dicts() == [{"person": "p", "name": "u0"}]


def test_sql_types():
    columns = [
        {"name": name, "type": kind}
        for name, kind in [
            ("n", "integer"),
            ("n", "integer"),
            ("x", "number"),
            ("b", "boolean"),
            ("t", "timestamp"),
            ("local", "timestamp"),
            ("d", "date"),
            ("s", "text"),
            ("l", "list"),
        ]
    ]
    full = [
        1,
        "9007199254740993",
        0.1,
        True,
        "2026-11-17T00:00:04.000Z",
        "2026-11-17T00:00:04.000",
        "2024-01-01",
        "a",
        [1],
    ]
    df = result("sql", columns=columns, rows=[full, [None] * 9], truncated=False).to_dataframe()
    assert df.columns.tolist() == ["n", "n", "x", "b", "t", "local", "d", "s", "l"]
    assert df.iloc[0, 1] == 9007199254740993, "exact beyond what a float holds"
    assert df["x"].iloc[0] == 0.1
    assert df["b"].iloc[0] is True or bool(df["b"].iloc[0])
    assert df["t"].iloc[0] == pd.Timestamp("2026-11-17T00:00:04Z")
    assert df["local"].iloc[0] == pd.Timestamp("2026-11-17T00:00:04")
    assert df["d"].iloc[0] == pd.Timestamp("2024-01-01")
    assert df["l"].iloc[0] == [1]
    assert df.iloc[1].isna().all()
    empty = result("sql", columns=columns, rows=[], truncated=False).to_dataframe()
    assert empty.shape == (0, 9)
    assert str(empty["t"].dtype).startswith("datetime64")
    assert result("sql", columns=[], rows=[]).to_dataframe().shape == (0, 0)


def test_the_envelope():
    gap = {
        "lane": "live",
        "partition": 1,
        "from": 5,
        "to": 9,
        "count": 4,
        "state": "skipped",
        "reason": "poison",
        "received_from": "2026-11-21T00:00:00.000Z",
        "received_to": "2026-11-21T00:00:01.000Z",
    }
    r = result("segmentation", **DAYS, series=[])
    r.raw["gaps"] = [gap]
    assert r.complete_through == pd.Timestamp("2026-11-21T18:57:57.977Z")
    assert r.as_of == pd.Timestamp("2026-11-21T18:57:59.093Z")
    assert (r.complete, r.restated, r.stale, r.incomplete) == (False, False, None, (False, True))
    assert (r.gaps[0].from_, r.gaps[0].to, r.gaps[0].state) == (5, 9, "skipped")
    assert repr(r) == "<Result segmentation: points, totals; complete through 2026-11-21T18:57:57.977Z>"
    assert result("cohort", size=0, members=[]).incomplete == (True,)
    with pytest.raises(KeyError, match="points, totals"):
        r.table("point")


def test_an_answer_that_this_version_does_not_know():
    r = result("tarot", cards=[1])
    with pytest.raises(TallymarkError, match="it is in `raw`"):
        r.to_dataframe()
    assert r.raw["cards"] == [1]
