"""What an SDK says that it delivered is stored once, whatever happened on the way: the failures, the same for every SDK.

A program of the vendor's own SDK (`deliver.py`, `node/deliver.mjs`) is told over its standard input what to send, and
says over its standard output what the SDK reported. The test makes the trouble and judges by what is stored.
"""

import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

from conftest import WRITE_KEY, node
from door import Door, until

HERE = Path(__file__).resolve().parent
ONE_STEP = 20
FAILURES = [[503, 503], [429], ["cut"], ["lose the answer", "lose the answer"]]


class Program:
    """An SDK at work: told what to send, it says what the SDK reported."""

    def __init__(self, sdk, address, log, env):
        language, vendor = sdk.split("-", 1)
        command = {"python": [sys.executable, "deliver.py"], "node": [node(), "node/deliver.mjs"]}[language]
        self.log = open(log, "ab")
        self.process = subprocess.Popen(
            [*command, vendor, address, WRITE_KEY], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=env,
        )
        self.delivered, self.failed, self.told, self.taken = set(), set(), 0, 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            if not line.startswith("report "):
                continue
            _, what, *ids = line.split()
            if what == "taken":
                self.taken += 1
            else:
                {"delivered": self.delivered, "failed": self.failed}[what].update(ids)

    def send(self, ids):
        self.told += 1
        self.process.stdin.write(" ".join(ids) + "\n")
        self.process.stdin.flush()

    def wait_taken(self):
        """Until the SDK's calls have returned: those that only queue at once, the others after their request."""
        until(lambda: self.taken == self.told or self.process.poll() is not None, "a call of the SDK does not return")

    def close(self, seconds=120):
        """Lets the SDK finish what it has begun."""
        self.process.stdin.close()
        try:
            code = self.process.wait(seconds)
        finally:
            self.process.kill()
        self.reader.join(10)
        self.log.close()
        assert code == 0, Path(self.log.name).read_text()[-4000:]


def ids_of(sdk, n):
    """The same in every run."""
    return [str(uuid.uuid5(uuid.NAMESPACE_URL, f"{sdk}-{i}")) for i in range(n)]


def survive(server, folder, sdk, env, tls=False, keyed=True):
    """Sends through every kind of failure, and judges.

    `keyed`: the SDK takes an insert id, so that a program may send again what was not reported as delivered.
    """
    door = Door(server, folder if tls else None)
    log = folder / "sdk.log"
    if tls:
        env = {**env, "REQUESTS_CA_BUNDLE": str(door.cert)}
    address = door.host if tls else door.url
    ids = iter(ids_of(sdk, 1000))
    sent = []

    def send(n=ONE_STEP):
        batch = [next(ids) for _ in range(n)]
        sent.extend(batch)
        program.send(batch)

    def recover():
        # Something goes through again, so that one failure ends before the next begins. Not always the first: some
        # SDKs refuse calls for as long as Retry-After says.
        before = len(door.answers)
        for _ in range(20):
            send(1)
            program.wait_taken()
            if door.passed(before, seconds=5):
                return
        raise AssertionError(f"nothing goes through any more: {door.answers[before:]}")

    program = Program(sdk, address, log, env)
    try:
        send()
        recover()
        for steps in FAILURES:
            door.fail(*steps)
            send()
            door.wait_failed()
            recover()
        # Refused connections: for longer than a first attempt takes.
        door.shut()
        send()
        time.sleep(1.5)
        door.open()
        recover()
        for step in ("kill while it works", "kill, then answer"):
            door.fail(step)
            send()
            door.wait_failed()
            door.shut()
            send()
            server.start()
            door.open()
            recover()
        program.close()

        delivered, failed = program.delivered, program.failed
        print(f"{sdk}: {len(sent)} sent, {len(delivered)} reported as delivered, {len(failed)} as failed")
        assert not delivered & failed and delivered | failed <= set(sent)
        stored = beats(server)
        assert len(stored) == len(set(stored)), "nothing is there twice"
        assert delivered <= set(stored), "what the SDK reported as delivered is there"
        # Every kind of failure can be outlived by sending again; an SDK that never does still delivers the rest.
        assert len(delivered) >= 3 * ONE_STEP, (len(delivered), len(failed), len(sent))
        assert set(stored) <= set(sent)
        assert server.total("beat", "uniques") == len({ident[0] for ident in stored}), "sixteen users, as in the programs"

        unsure = [ident for ident in sent if ident not in delivered]
        if keyed and unsure:
            again = Program(sdk, address, log, env)
            again.send(unsure)
            again.close()
            assert again.delivered == set(unsure), (len(again.delivered), len(again.failed), len(unsure))
            stored = beats(server)
            assert sorted(stored) == sorted(sent), "sent again under its insert id, everything is there once"
            assert server.total("beat") == len(sent)
        return program
    finally:
        program.process.kill()
        door.shut()


def beats(server):
    identity = server.settle()
    assert identity["balanced"] and identity["dead"] == 0, identity
    return [event["properties"]["id"] for event in server.all_events() if event["event"] == "beat"]
