"""Analyses beside DuckDB and ClickHouse's engine: the same rows, the same machine, two threads each, one run.

    python bench/query/compare.py [--events 10000000] [--binary target/release/tallymark] [--tool PROGRAM]
                                  [--folder DIR] [--runs 7] [--warm] [--only funnel] [--out FILE]

Generates events, sends them through the front door, waits for compaction, loads the same rows into the others in
several table orders, checks that all give the same numbers, and asks everybody in turn. The decode floor is what it
costs our own reader to decode the columns that a question cannot do without, and to do nothing with them. Cold means:
the kernel's cache dropped, our server just started, the others' own caches forgotten. No answer is taken from what is kept
of earlier ones (`Cache-Control: no-cache`).
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import events
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import rivals
import rows
from server import Server

PATIENCE_S = 30  # spent at most on the repetitions of one question to one system


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--events", type=int, default=10_000_000)
    args.add_argument("--binary", default=os.environ.get("TALLYMARK_BIN", "target/release/tallymark"))
    args.add_argument("--tool", help="a program that decodes columns and does nothing with them; without it there is no decode floor")
    args.add_argument("--folder", help="where to keep generated events and loaded data for the next run")
    args.add_argument("--runs", type=int, default=7)
    args.add_argument("--warm", action="store_true", help="leave out cold times: where others keep the disk busy, what a restarted server looks through at its start disturbs the rest")
    args.add_argument("--only", default="", help="only rows with this in their name")
    args.add_argument("--settle", type=int, default=0, help="seconds to leave everybody alone before asking, so that what they do with their files in the background is over")
    args.add_argument("--out", help="write the table to this file, too")
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.folder or scratch)
        generated = folder / f"events-{args.events}"
        events.generate(args.events, generated)
        with Server(args.binary, folder) as server:
            taken = server.load(generated)
            if taken:
                print(f"acknowledged and processed in {taken:.0f} s ({args.events / taken:,.0f} events/s)", flush=True)
            others = [rivals.DuckDb(folder), rivals.ClickHouse(folder)]
            for other in others:
                began = time.monotonic()
                other.load(f"{generated}/d*.parquet")
                print(f"{other.name} {other.version} loaded in {time.monotonic() - began:.0f} s", flush=True)
            time.sleep(args.settle)
            report = measure(args, server, others, generated)
    print(report)
    if args.out:
        Path(args.out).write_text(report)


def measure(args, server, others, generated):
    person, actor = someone(server, others, generated)
    floor = Floor(args.tool, server.data) if args.tool else None
    lines = [
        "| question | Tallymark s | cold s | DuckDB s | cold s | ClickHouse s | cold s | vs DuckDB | vs ClickHouse | decode floor s | times the floor | same answer |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows.rows(person, actor):
        if args.only in row.name:
            lines.append(line(row, server, others, floor, args))
            print(lines[-1], flush=True)
    sizes = {"Tallymark": {"segments": server_bytes(server) / args.events}}
    sizes.update({other.name: other.bytes_per_event(args.events) for other in others})
    text = "\n".join(lines) + "\n\nBytes per event on disk: "
    return text + "; ".join(f"{name} " + ", ".join(f"{t} {b:.1f}" for t, b in s.items()) for name, s in sizes.items()) + "\n"


def line(row, server, others, floor, args):
    ask = {"Tallymark": lambda: ours(row, server)}
    for other, sqls in zip(others, (row.duck, row.click)):
        ask.update({(other.name, table): lambda other=other, sql=sql: other.ask(sql) for table, sql in sqls.items()})
    cold, found, refused = {}, {}, {}
    for who, run in ask.items():
        if not args.warm:
            forget(who, server, others)
        try:
            cold[who], found[who] = timed(run)
        except (ValueError, RuntimeError) as problem:
            refused[who] = str(problem)
    taken = {who: [] for who in found}
    floors = []
    for _ in range(args.runs):  # in turn, so that a busy minute of the machine meets everybody
        for who in found:
            if sum(taken[who]) < PATIENCE_S:
                taken[who].append(timed(ask[who])[0])
        if floor and not row.timeline:  # of one person's rows, no column has to be decoded
            floors.append(floor.of(row))
    median = {who: statistics.median(times) for who, times in taken.items()}
    best = {}
    for other in others:
        mine = [who for who in median if who[0] == other.name]
        best[other.name] = min(mine, key=median.get) if mine else None
    if "Tallymark" not in median:
        return f"| {row.name} | not answered: {refused['Tallymark'][:120]} |"
    own, least = median["Tallymark"], statistics.median(floors) if floors else None
    why = "".join(f"; {who[0]} {who[1]} failed: {text[:200]}" for who, text in refused.items())
    first = lambda who: "-" if args.warm else f"{cold[who]:.3f}"  # noqa: E731
    cells = [row.name, f"{own:.4f}", first("Tallymark")]
    for who in best.values():
        cells += [f"{median[who]:.4f} ({who[1]})", first(who)] if who else ["-", "-"]
    cells += [f"{median[who] / own:.1f}x" if who else "-" for who in best.values()]
    cells += [f"{least:.4f}", f"{own / least:.1f}"] if least else ["-", "-"]
    cells.append(verdict(row, found) + why)
    return "| " + " | ".join(cells) + " |"


def forget(who, server, others):
    """Nothing of earlier questions in any memory."""
    for other in others:
        other.forget()
    if who == "Tallymark":
        server.restart()
    rivals.drop_page_cache()


def verdict(row, found):
    own = row.ours(found["Tallymark"])
    for who, answer in found.items():
        if who != "Tallymark" and row.theirs(answer) != own:
            return f"NO ({who[0]} {who[1]}): {str(own)[:200]} / {str(row.theirs(answer))[:200]}"
    return "yes"


def ours(row, server):
    if row.timeline:
        return server.call("GET", f"projects/bench/persons/{row.query['person']}/timeline?limit=100")
    return server.ask(row.query)


class Floor:
    """Our own reader in a process of its own."""

    def __init__(self, tool, data):
        self.process = subprocess.Popen([tool, str(data), str(rivals.THREADS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def of(self, row):
        asked = {"events": row.events, "columns": row.needs, "from": events.BASE + row.since * events.DAY, "to": events.BASE + row.until * events.DAY}
        self.process.stdin.write(json.dumps({"floor": asked}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise SystemExit(answer["error"])
        return answer["seconds"]


def someone(server, others, generated):
    """A person with 300 to 400 events: the key here, the number elsewhere."""
    sql = "SELECT actor FROM act GROUP BY actor HAVING count(*) BETWEEN 300 AND 400 ORDER BY actor LIMIT 1"
    actor = others[0].ask(sql)[0][0]
    for file in sorted(Path(generated).glob("d*.parquet"), reverse=True):
        table = pq.read_table(file, columns=["actor", "user_id"])
        users = table.filter(pc.equal(table["actor"], pa.scalar(actor, pa.uint64())))["user_id"].drop_null()
        if len(users):
            found = server.call("GET", f"projects/bench/persons?q={users[0]}")["persons"]
            return next(p["person"] for p in found if str(users[0]) in p["user_ids"]), actor
    raise SystemExit("nobody has so many events")


def server_bytes(server):
    """Of all segments, those included that were replaced and not deleted yet."""
    return sum(f.stat().st_size for f in (server.data / "objects").rglob("*.parquet"))


def timed(run):
    began = time.perf_counter()
    answer = run()
    return time.perf_counter() - began, answer


if __name__ == "__main__":
    main()
