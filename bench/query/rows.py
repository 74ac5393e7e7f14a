"""The questions, in the words of each system, and what of their answers must be equal."""

from dataclasses import dataclass, field

from events import BASE, DAY, DAYS
from server import day, span

THREE = ["view_item", "add_to_cart", "checkout"]
FIVE = ["app_open", "view_item", "add_to_cart", "checkout", "purchase"]
WEEK = 7 * DAY
AS_OF = "2026-06-01T00:00:00Z"


@dataclass
class Row:
    """One line of the table."""

    name: str
    query: dict
    ours: object  # of our answer
    duck: dict  # table order -> SQL
    click: dict
    theirs: object = list  # of the rows of both rivals
    needs: list = field(default_factory=lambda: ["subject", "time"])  # columns that nobody can do without
    events: list = None  # of these names; None = all
    since: int = 0  # first day read
    until: int = DAYS
    timeline: bool = False


def rows(person, actor):
    """All of them; `person` is the key of the one whose timeline is read, `actor` who that is elsewhere."""
    yield _uniques()
    yield _totals()
    yield _funnel("3-step funnel, 7 days, 30 days", THREE, DAYS - 30)
    yield _funnel("3-step funnel, 7 days, 90 days", THREE, 0)
    yield _funnel("5-step funnel by country, 90 days", FIVE, 0, "country")
    yield _retention()
    yield _percentiles()
    yield _timeline(person, actor)
    yield _next_events()
    yield _cohort()
    yield _undeclared()


def _ours(query, since=0, until=DAYS):
    return {**query, "range": span(since, until), "as_of": AS_OF}


def _both(sql, duck=("tim", "evt", "act"), click=("ph", "evt", "fun")):
    """SQL that both speak, with their own words for a day, a time and an exact distinct count."""
    at = lambda n: BASE + n * DAY  # noqa: E731
    d = {t: sql(t, "time // 86400000", lambda n: f"{at(n)}") for t in duck}
    c = {t: sql(f"b.{t}", "toUInt32(toDate(time))", lambda n: f"fromUnixTimestamp64Milli({at(n)}::Int64, 'UTC')") for t in click}
    return d, c


def _plain(answer):
    """Rows as lists of numbers and texts, whatever types a system gives them."""
    cell = lambda v: int(v) if isinstance(v, str) and v.lstrip("-").isdigit() else v  # noqa: E731
    return [[cell(v) for v in row] for row in answer]


def _uniques():
    duck, click = _both(
        lambda t, d, at: f"SELECT {d} AS d, count(DISTINCT actor) FROM {t} WHERE event = 'view_item' GROUP BY d ORDER BY d",
    )
    return Row(
        "daily uniques, 90 days", _ours({"type": "segmentation", "series": [{"event": "view_item"}]}),
        lambda a: a["series"][0]["values"], duck, click, lambda r: [n for _, n in _plain(r)], events=["view_item"],
    )  # fmt: skip


def _totals():
    def sql(t, d, at):
        top = f"SELECT country FROM {t} WHERE event = 'page_view' GROUP BY country ORDER BY count(*) DESC, country LIMIT 10"
        return (
            f"SELECT {d} AS d, CASE WHEN country IN ({top}) THEN country ELSE '$other' END AS b, count(*) FROM {t} "
            "WHERE event = 'page_view' GROUP BY d, b ORDER BY d, b"
        )

    duck, click = _both(sql)
    query = {"type": "segmentation", "series": [{"event": "page_view", "measure": "totals"}], "breakdown": [{"property": "country"}], "limit": 10}
    first = BASE // DAY

    def ours(a):
        cells = {(first + i, s["breakdown"]): n for s in a["series"] for i, n in enumerate(s["values"]) if n}
        return sorted([d, b, n] for (d, b), n in cells.items())

    return Row("totals by a property's top 10", _ours(query), ours, duck, click, lambda r: sorted(_plain(r)), ["time", "s:country"], ["page_view"])


def _funnel(name, steps, since, by=None):
    query = {"type": "funnel", "steps": [{"event": s} for s in steps], "window": {"n": 7, "unit": "day"}}
    names = ", ".join(f"'{s}'" for s in steps)
    low = BASE + since * DAY
    extra = f", {by}" if by else ""
    cte = [f"f0 AS (SELECT actor, event, time{extra}, CASE WHEN event = '{steps[0]}' THEN time END AS s1 FROM {{t}} WHERE event IN ({names}) AND time >= {low})"]
    for i in range(1, len(steps)):  # per step the latest start from which it is reached: the fastest exact SQL found
        cte.append(
            f"f{i} AS (SELECT * EXCLUDE (p), CASE WHEN event = '{steps[i]}' AND time - p <= {WEEK} THEN p END AS s{i + 1} FROM (SELECT *, max(s{i}) OVER "
            f"(PARTITION BY actor ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS p FROM f{i - 1}))"
        )
    reached = ", ".join(f"count(*) FILTER (r{i + 1})" for i in range(len(steps)))
    flags = ", ".join(f"bool_or(s{i + 1} IS NOT NULL) AS r{i + 1}" for i in range(len(steps)))
    label = f", arg_min({by}, time) FILTER (s1 IS NOT NULL) AS b" if by else ""
    duck = f"WITH {', '.join(cte)}, u AS (SELECT actor, {flags}{label} FROM f{len(steps) - 1} GROUP BY actor) SELECT " + (
        f"b, {reached} FROM u WHERE r1 GROUP BY b ORDER BY 2 DESC, b" if by else f"{reached} FROM u"
    )
    conditions = ", ".join(f"event = '{s}'" for s in steps)
    label = f", argMinIf({by}, time, event = '{steps[0]}') AS b" if by else ""
    levels = ", ".join(f"countIf(l >= {i + 1})" for i in range(len(steps)))
    click = (
        f"SELECT {{b}}{levels} FROM (SELECT windowFunnel({WEEK})(toUInt64(toUnixTimestamp64Milli(time)), {conditions}) AS l{label} FROM b.{{t}} "
        f"WHERE event IN ({names}) AND time >= fromUnixTimestamp64Milli({low}::Int64, 'UTC') GROUP BY actor)"
    )
    click += " WHERE l > 0 GROUP BY b ORDER BY 2 DESC, b" if by else ""
    if by:
        query.update(breakdown={"property": by}, limit=100)
        # Who does the first step twice in one millisecond in two countries does not exist: a country is the user's.
        ours = lambda a: sorted([g["breakdown"], *g["counts"]] for g in a["groups"])  # noqa: E731
        theirs = lambda r: sorted(_plain(r))  # noqa: E731
    else:
        ours, theirs = lambda a: a["counts"], lambda r: _plain(r)[0]  # noqa: E731
    needs = ["subject", "time", *([f"s:{by}"] if by else [])]
    return Row(
        name, _ours(query, since), ours, {t: duck.format(t=t) for t in ("tim", "evt", "act")},
        {t: click.format(t=t, b="b, " if by else "") for t in ("ph", "evt", "fun")}, theirs, needs, steps, since,
    )  # fmt: skip


def _retention():
    query = {
        "type": "retention", "start": {"event": "app_open"}, "return": {"event": "view_item"}, "interval": "day", "periods": 29,
        "cohort_by": "first_in_range",
    }  # fmt: skip
    low, mid, high = BASE, BASE + 30 * DAY, BASE + 60 * DAY
    duck = f"""WITH u AS (SELECT actor, bit_or(CASE WHEN event = 'app_open' AND time < {mid} THEN 1::BIGINT << ((time - {low}) // {DAY}) ELSE 0 END) AS s,
        bit_or(CASE WHEN event = 'view_item' THEN 1::BIGINT << ((time - {low}) // {DAY}) ELSE 0 END) AS r
        FROM {{t}} WHERE event IN ('app_open', 'view_item') AND time >= {low} AND time < {high} GROUP BY actor HAVING s != 0),
      f AS (SELECT r, bit_count(xor(s, s - 1)) - 1 AS f FROM u)
      SELECT n, count(*), count(*) FILTER ((r >> (f + n)) & 1 = 1) FROM f, range(1, 30) x(n) GROUP BY n ORDER BY n"""
    at = lambda ms: f"fromUnixTimestamp64Milli({ms}::Int64, 'UTC')"  # noqa: E731
    bit = f"bitShiftLeft(1::UInt64, toUInt8(dateDiff('day', toDate({at(low)}), toDate(time))))"
    click = f"""WITH u AS (SELECT actor, groupBitOrIf({bit}, event = 'app_open' AND time < {at(mid)}) AS s, groupBitOrIf({bit}, event = 'view_item') AS r
        FROM b.{{t}} WHERE event IN ('app_open', 'view_item') AND time >= {at(low)} AND time < {at(high)} GROUP BY actor HAVING s != 0)
      SELECT n, count(), countIf(bitTest(r, f + n)) FROM (SELECT r, bitCount(bitXor(s, s - 1)) - 1 AS f FROM u) ARRAY JOIN range(1, 30) AS n GROUP BY n ORDER BY n"""

    def ours(a):
        sizes = sum(c["size"] for c in a["cohorts"])
        return [[k, sizes, sum(c["values"][k] for c in a["cohorts"])] for k in range(1, 30)]

    return Row(
        "retention of 30 days", _ours(query, 0, 30), ours, {t: duck.format(t=t) for t in ("tim", "evt", "act")},
        {t: click.format(t=t) for t in ("ph", "evt", "fun")}, _plain, ["subject", "time"], ["app_open", "view_item"], 0, 60,
    )  # fmt: skip


def _percentiles():
    series = [{"event": "page_view", "measure": m, "property": "duration_ms"} for m in ("median", "p95")]
    duck, click = {}, {}
    for t in ("tim", "evt", "act"):
        duck[t] = f"SELECT time // {DAY} AS d, quantile_cont(duration_ms, 0.5), quantile_cont(duration_ms, 0.95) FROM {t} WHERE event = 'page_view' GROUP BY d ORDER BY d"
    for t in ("ph", "evt", "fun"):
        click[t] = f"SELECT toDate(time) AS d, quantileExactInclusive(0.5)(duration_ms), quantileExactInclusive(0.95)(duration_ms) FROM b.{t} WHERE event = 'page_view' GROUP BY d ORDER BY d"
    near = lambda v: round(float(v), 6)  # noqa: E731
    return Row(
        "median and 95th percentile, 90 days", _ours({"type": "segmentation", "series": series}),
        lambda a: [[near(x), near(y)] for x, y in zip(a["series"][0]["values"], a["series"][1]["values"])],
        duck, click, lambda r: [[near(x), near(y)] for _, x, y in r], ["time", "n:duration_ms"], ["page_view"],
    )  # fmt: skip


def _timeline(person, actor):
    duck = {t: f"SELECT * FROM {t} WHERE actor = {actor} ORDER BY time DESC LIMIT 100" for t in ("tim", "evt", "act")}
    click = {t: f"SELECT * EXCEPT (insert_id) FROM b.{t} WHERE actor = {actor} ORDER BY time DESC LIMIT 100" for t in ("ph", "evt", "fun")}
    return Row("timeline of one person, 100 events", {"person": person}, lambda a: [e["event"] for e in a["events"]], duck, click,
               lambda r: [row[0] for row in r], ["subject"], timeline=True)  # fmt: skip


def _next_events():
    query = {"type": "paths", "start": "view_item", "gap_by": "session", "collapse": False, "step_limit": 2, "measure": "totals"}

    def sql(t, d, at):
        over = "OVER (PARTITION BY actor, session_id ORDER BY time {}ROWS BETWEEN {})"
        lead = "leadInFrame(event)" if t.startswith("b.") else "lead(event)"
        following = over.format("", "CURRENT ROW AND 1 FOLLOWING")
        before = over.format("", "UNBOUNDED PRECEDING AND 1 PRECEDING")
        first = f"count(CASE WHEN event = 'view_item' THEN 1 END) {before}"
        blank = "nx != ''" if t.startswith("b.") else "nx IS NOT NULL"
        return (
            f"SELECT nx, count(*) AS c FROM (SELECT event, {lead} {following} AS nx, {first} AS n FROM {t} WHERE time >= {at(DAYS - 30)}) "
            f"WHERE event = 'view_item' AND n = 0 AND {blank} GROUP BY nx ORDER BY c DESC, nx"
        )

    duck, click = _both(sql)
    return Row(
        "next event after a start, by session, 30 days", _ours(query, DAYS - 30), lambda a: sorted([e["to"], e["count"]] for e in a["edges"]),
        duck, click, lambda r: sorted(_plain(r)), ["event", "subject", "time", "session_id"], None, DAYS - 30,
    )  # fmt: skip


def _cohort():
    did = lambda name, test: {"performed": name, "count": test, "window": {"during": span(30, 60)}}  # noqa: E731
    cohort = {"all": [did("view_item", ["gte", 3]), did("purchase", ["is", 0])]}
    query = {"type": "segmentation", "series": [{"event": "search"}], "interval": "none", "segment": [{"cohort": cohort}]}
    duck, click = _both(
        lambda t, d, at: f"""SELECT count(DISTINCT actor) FROM {t} WHERE event = 'search' AND time >= {at(60)} AND actor IN
        (SELECT actor FROM {t} WHERE event IN ('view_item', 'purchase') AND time >= {at(30)} AND time < {at(60)} GROUP BY actor
         HAVING sum(CASE WHEN event = 'view_item' THEN 1 ELSE 0 END) >= 3 AND sum(CASE WHEN event = 'purchase' THEN 1 ELSE 0 END) = 0)"""
    )
    return Row("uniques of a behavioural cohort", _ours(query, 60), lambda a: a["series"][0]["total"], duck, click, lambda r: _plain(r)[0][0],
               events=["view_item", "purchase", "search"], since=30)  # fmt: skip


def _undeclared():
    query = {"type": "segmentation", "series": [{"event": "view_item", "where": [{"property": "country", "op": "is", "value": "DE"}]}]}
    duck = {"js": f"SELECT time // {DAY} AS d, count(DISTINCT actor) FROM js WHERE event = 'view_item' AND props.country::VARCHAR = 'DE' GROUP BY d ORDER BY d"}
    click = {
        "ph": "SELECT toDate(time) AS d, count(DISTINCT actor) FROM b.ph WHERE event = 'view_item' AND JSONExtractString(properties, 'country') = 'DE' GROUP BY d ORDER BY d",
        "js": "SELECT toDate(time) AS d, count(DISTINCT actor) FROM b.js WHERE event = 'view_item' AND props.country::String = 'DE' GROUP BY d ORDER BY d",
    }
    return Row("uniques where an undeclared property is", _ours(query), lambda a: [n for n in a["series"][0]["values"] if n], duck, click,
               lambda r: [n for _, n in _plain(r)], ["subject", "time", "s:country"], ["view_item"])  # fmt: skip
