"""How fast a bucket of files becomes events, with kill -9 at random moments, beside `zcat | wc -l` of the same files.

    python bench/vacuum/run.py --objects 1000 --rows 5000 --kills 20
    python bench/vacuum/run.py --objects 100 --rows 5000 --kills 5 --folder     # without an S3 server

Prints one JSON document. Exit code 1 if a row is missing or there twice. The S3 server is moto, in Python: with it, a
part of what is measured is moto's own time.
"""

import argparse
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from conftest import Server, free_port  # noqa: E402

KEYS = {"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret"}


def make(folder, number, rows):
    """One file: events of a thousand devices over a day, as a product sends them."""
    dice = random.Random(number)
    path = Path(folder) / f"{number:05}.json.gz"
    with gzip.open(path, "wt", compresslevel=1) as file:
        for i in range(rows):
            at = 1767312000000 + dice.randrange(86_400_000)
            event = {"event": dice.choice(["view", "search", "cart", "buy"]), "time": at, "user_id": f"u{dice.randrange(100_000)}",
                     "properties": {"price": dice.randrange(10_000) / 100, "page": f"/p/{dice.randrange(500)}", "n": i}}
            file.write(json.dumps(event) + "\n")
    return path.stat().st_size


def zcat(folder):
    began = time.monotonic()
    counted = subprocess.run(["bash", "-c", f"zcat {folder}/*.json.gz | wc -l"], capture_output=True, text=True, check=True)
    return int(counted.stdout), time.monotonic() - began


def progress(server):
    done = server.cli("vacuum", "status", "--json", check=False)
    try:
        return json.loads(done.stdout)["bench"]
    except (ValueError, KeyError):
        return {"taken": 0, "rows": 0, "now": {}}


def take(server, objects, kills, dice):
    """Seconds until all is taken; kills on the way, at even shares of the work and random moments in them."""
    began = time.monotonic()
    at = sorted(dice.uniform(0.02, 0.95) * objects for _ in range(kills))
    done, killed = 0, []
    while done < objects:
        time.sleep(0.2)
        done = progress(server)["taken"]
        if at and done >= at[0]:
            at.pop(0)
            victim = dice.choice(["vacuum", "vacuum", "collect", "process"])
            if pid := server.pids().get(victim):
                os.kill(pid, signal.SIGKILL)
                killed.append(victim)
    return time.monotonic() - began, killed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", action="store_true", help="a folder instead of a bucket")
    args = parser.parse_args()
    dice = random.Random(args.seed)
    scratch = Path(tempfile.mkdtemp(prefix="tallymark-vacuum-"))
    files = scratch / "files"
    files.mkdir()
    moto = server = None
    try:
        with ProcessPoolExecutor() as pool:
            size = sum(pool.map(make, [files] * args.objects, range(args.objects), [args.rows] * args.objects, chunksize=8))
        lines, cat_s = zcat(files)
        env = {}
        where = f"file:{files}"
        if not args.folder:
            from moto.server import ThreadedMotoServer
            import boto3
            port = free_port()
            moto = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
            moto.start()
            env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", **KEYS}
            os.environ.update(env)
            s3 = boto3.client("s3", endpoint_url=env["AWS_ENDPOINT_URL"])
            s3.create_bucket(Bucket="bench", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
            for path in sorted(files.iterdir()):
                s3.put_object(Bucket="bench", Key=f"in/{path.name}", Body=path.read_bytes())
            where = "s3://bench/in"
        server = Server(scratch / "data", **env).start()
        server.cli("vacuum", "add", "bench", "--from", where, "--project", "shop", "--every", "1", "--settle", "0")
        acknowledged_s, killed = take(server, args.objects, args.kills, dice)
        began = time.monotonic()
        identity = server.settle(3600)
        stored = identity["visible"]
        report = {
            "objects": args.objects, "rows": lines, "bytes_packed": size, "from": "folder" if args.folder else "bucket",
            "kills": len(killed), "killed": killed, "acknowledged_s": round(acknowledged_s, 1),
            "rows_per_s": round(lines / acknowledged_s), "processed_after_s": round(time.monotonic() - began, 1),
            "zcat_s": round(cat_s, 2), "zcat_rows_per_s": round(lines / cat_s), "times_zcat": round(acknowledged_s / cat_s, 1),
            "visible": stored, "sent_again": identity["duplicate"], "balanced": identity["balanced"],
        }
        print(json.dumps(report, indent=1))
        return 0 if stored == lines and identity["balanced"] else 1
    finally:
        if server:
            server.stop()
        if moto:
            moto.stop()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
