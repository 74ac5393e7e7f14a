"""Generated product events, the same for every system: one Parquet file per UTC day, rows in the order of arrival.

Users differ widely in how much they do; a session is a walk over 30 event names that contains a shopping chain, so
that funnels lose people the way real ones do. Three per cent of the users are anonymous first: their early events
carry only a device id, and `actor` says who they turn out to be. Everything follows from the seed.
"""

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

NAMES = [
    "app_open", "view_item", "add_to_cart", "checkout", "purchase", "search", "scroll", "click", "page_view", "signup",
    "login", "logout", "share", "like", "comment", "follow", "video_play", "video_pause", "video_end",
    "notification_open", "settings_open", "profile_view", "upload", "download", "invite_sent", "subscription_start",
    "subscription_cancel", "error_shown", "support_open", "feature_tour",
]  # fmt: skip
COUNTRIES = (
    "US IN BR DE GB FR JP ID MX TR IT ES CA KR PL NL AU AR VN TH PH EG NG PK BD ZA SE BE CH AT PT CZ RO GR HU IL AE SA "
    "CL CO PE UA NO DK FI IE SG MY HK TW NZ KE MA DZ TN EC UY BG HR RS"
).split()
PLATFORMS = ["web", "ios", "android", "server"]
PLANS = ["free", "pro", "team", "enterprise"]
VARIANTS = ["control", "a", "b", "c", "d", "e", None]
CITIES = [f"city_{i:04d}" for i in range(2000)]
VERSIONS = [f"{4 + i // 10}.{i % 10}.{(i * 7) % 5}" for i in range(40)]
REFERRERS = [f"https://ref{i:03d}.example.net/" for i in range(500)]
PAGES = [f"https://shop.example.com/c/{i % 97}/item-{(i * 2654435761) % 1000003}" for i in range(200_000)]
TEXTS = ["platform", "country", "city", "app_version", "plan", "referrer", "page_url", "variant"]
NUMBERS = ["duration_ms", "amount"]

BASE = 1_767_225_600_000  # 2026-01-01
DAY = 86_400_000
DAYS = 90
LONGEST = 64  # events of a session


def generate(events, folder, seed=1):
    """Writes `folder/dNN.parquet` unless they are there."""
    folder = Path(folder)
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    world = _World(events, seed)
    ends = np.searchsorted(world.time, np.arange(1, DAYS + 1) * DAY)
    first = 0
    for day, end in enumerate(ends):
        if end > first:
            table = world.table(seed, day, slice(first, end))
            pq.write_table(table, folder / f"d{day:02d}.parquet", compression="zstd", compression_level=1)
        first = end
    (folder / "done").write_text("")
    print(f"generated {len(world.time):,} events of {len(np.unique(world.user)):,} users in {time.perf_counter() - began:.0f} s", flush=True)


class _World:
    def __init__(self, events, seed):
        g = np.random.default_rng(seed)
        users = events // 50
        activity = np.minimum(g.pareto(1.3, users) + 0.15, 400.0)
        start = np.where(g.random(users) < 0.6, 0.0, g.random(users) * DAYS)
        life = np.minimum(DAYS - start, g.exponential(60, users) + 0.2)
        rate = activity * life
        sessions = g.poisson(rate * (events / 8.0) / rate.sum() * 1.02)
        never = sessions == 0
        sessions[never] = g.random(never.sum()) < 0.5
        self.platform = np.searchsorted(np.cumsum([0.45, 0.25, 0.27, 0.03]), g.random(users)).clip(0, 3)
        self.country = np.searchsorted(_zipf(len(COUNTRIES), 1.0), g.random(users)).clip(0, 59)
        self.city = (self.country * 33 + np.searchsorted(_zipf(33, 0.8), g.random(users))) % 2000
        self.plan = np.searchsorted(np.cumsum([0.8, 0.13, 0.05, 0.02]), g.random(users)).clip(0, 3)
        self.variant = np.minimum(g.integers(0, 12, users), 6)
        self.anonymous = g.random(users) < 0.03
        self.known_at = (start + g.random(users) * life * 0.5) * DAY
        self._walk(g, np.repeat(np.arange(users, dtype=np.uint32), sessions), start, life, events)

    def _walk(self, g, of_user, start, life, events):
        count = len(of_user)
        day = start[of_user] + g.random(count) * life[of_user]
        begins = (np.floor(day) * DAY + (g.normal(15, 4.5, count) % 24.0) * 3_600_000).astype(np.int64)
        length = np.minimum(g.geometric(1 / 8.0, count), LONGEST).astype(np.int16)
        steps = np.cumsum(_transitions(), axis=1)
        steps[:, -1] = 1.0
        flat = (steps + np.arange(len(NAMES))[:, None]).ravel()
        offset = np.zeros(count, np.int64)
        offset[1:] = np.cumsum(length[:-1], dtype=np.int64)
        name, moment = np.empty(int(length.sum()), np.uint8), np.empty(int(length.sum()), np.int64)
        current = np.where(g.random(count) < 0.7, 0, np.where(g.random(count) < 0.5, 10, 8)).astype(np.uint8)
        clock, alive = begins.copy(), np.arange(count)
        for place in range(LONGEST):
            alive = alive[length[alive] > place]
            if not len(alive):
                break
            if place:
                draw = current[alive] + g.random(len(alive))
                current[alive] = (np.searchsorted(flat, draw, side="right") % len(NAMES)).astype(np.uint8)
                clock[alive] += (g.exponential(35_000, len(alive)) + 200).astype(np.int64)
            name[offset[alive] + place], moment[offset[alive] + place] = current[alive], clock[alive]
        session = np.repeat(np.arange(count, dtype=np.uint32), length)
        keep = np.flatnonzero((moment >= 0) & (moment < DAYS * DAY))
        if len(keep) > events:  # thinned at random to exactly as many as were asked for
            keep = np.sort(g.choice(keep, events, replace=False, shuffle=False))
        keep = keep[np.argsort(moment[keep], kind="stable")]
        self.name, self.time, self.session = name[keep], moment[keep], session[keep]
        self.user = of_user[self.session]

    def table(self, seed, day, rows):
        g = np.random.default_rng([seed, day])
        user, name, moment = self.user[rows], self.name[rows], self.time[rows]
        n = len(user)
        anonymous = self.anonymous[user]
        unknown = anonymous & (moment < self.known_at[user])
        user_id = pc.binary_join_element_wise("user-", pa.array(user).cast(pa.string()), "")
        device = splitmix(user ^ np.uint32(0x5BD1E995)) >> np.uint64(20)
        device_id = pc.binary_join_element_wise("anon-", pa.array(device).cast(pa.string()), "")
        version = np.clip((day / DAYS * 30 + g.exponential(4, n)), 0, 39).astype(np.uint8)
        page = np.searchsorted(_zipf(len(PAGES), 0.85), g.random(n)).clip(0, len(PAGES) - 1).astype(np.int32)
        referrer = np.searchsorted(_zipf(len(REFERRERS), 1.1), g.random(n)).clip(0, len(REFERRERS) - 1)
        duration = np.round(g.lognormal(6.2, 1.1, n)).astype(np.int32)
        amount = np.round(g.lognormal(3.4, 0.9, n), 2)
        pick = lambda words, at: pa.array(words, pa.string()).take(pa.array(at))  # noqa: E731
        none = pa.scalar(None, pa.string())
        return pa.table({
            "insert_id": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), n, [None, pa.py_buffer(g.bytes(16 * n))]),
            "event": pick(NAMES, name),
            "time": pa.array(moment + BASE),
            "actor": pa.array(splitmix(user)),
            "user_id": pc.if_else(pa.array(unknown), none, user_id),
            "device_id": pc.if_else(pa.array(anonymous), device_id, none),
            "session_id": pa.array(splitmix(self.session[rows] ^ np.uint32(0xA5A5A5A5)) >> np.uint64(12)),
            "platform": pick(PLATFORMS, self.platform[user]),
            "country": pick(COUNTRIES, self.country[user]),
            "city": pick(CITIES, self.city[user]),
            "app_version": pick(VERSIONS, version),
            "plan": pick(PLANS, self.plan[user]),
            "referrer": pick(REFERRERS, referrer),
            "page_url": pick(PAGES, page),
            "variant": pick(VARIANTS, self.variant[user]),
            "duration_ms": pa.array(duration, mask=g.random(n) >= 0.6),
            "amount": pa.array(amount, mask=(name != 4) & (name != 3)),
        })  # fmt: skip


def splitmix(x):
    """A 64-bit hash of small numbers."""
    x = x.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def properties(table):
    """The ten properties of every row as the inside of a JSON object, each followed by a comma."""
    text = lambda name: pc.coalesce(pc.binary_join_element_wise(f'"{name}":"', table[name], '",', ""), "")  # noqa: E731
    number = lambda name: pc.coalesce(  # noqa: E731
        pc.binary_join_element_wise(f'"{name}":', table[name].cast(pa.string()), ",", ""), ""
    )
    return pc.binary_join_element_wise(*map(text, TEXTS), *map(number, NUMBERS), "")


def native(table):
    """Every row as an event of the native API."""
    digits = np.frombuffer(table["insert_id"].combine_chunks().buffers()[1], np.uint8)[: 16 * len(table)].tobytes().hex()
    insert_id = pa.array(np.frombuffer(digits.encode(), "S32")).cast(pa.string())
    optional = lambda name: pc.coalesce(pc.binary_join_element_wise(f'"{name}":"', table[name], '",', ""), "")  # noqa: E731
    return pc.binary_join_element_wise(
        '{"event":"', table["event"], '","time":', table["time"].cast(pa.string()), ",", optional("user_id"),
        optional("device_id"), '"insert_id":"', insert_id, '","session_id":"', table["session_id"].cast(pa.string()),
        '","properties":{', properties(table), '"lib":"web"}}', "",
    )  # fmt: skip


def _zipf(n, s):
    weight = 1.0 / np.arange(1, n + 1) ** s
    return np.cumsum(weight / weight.sum())


def _transitions():
    weight = 1.0 / (np.arange(len(NAMES)) + 2.0) ** 0.9
    weight[8], weight[7], weight[6] = 0.9, 0.7, 0.6
    weight[4], weight[3], weight[9] = 0.002, 0.01, 0.01
    steps = np.tile(weight / weight.sum(), (len(NAMES), 1))
    chain = [(0, 1, .25), (0, 8, .2), (5, 1, .45), (1, 2, .12), (2, 3, .35), (3, 4, .55), (16, 17, .2), (17, 18, .3), (9, 29, .5), (10, 0, .4)]  # fmt: skip
    for a, b, p in chain:
        steps[a] *= 1 - p
        steps[a, b] += p
    return steps
