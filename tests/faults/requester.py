"""A process of its own that asks a DVID server as a worker of a run does; whoever started it counts at the server.

    python requester.py URL LIMIT RUN THREADS SCALE

The store is that of the environment; all times of slots are those of production times SCALE. Says `ready`, and sends
from the next line until its input ends. Then it says how many requests it sent to the store.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import asdict
from typing import Any

from emseg.config.connections import DvidConnection, s3_connection
from emseg.dvid import DvidServer
from emseg.store import RequestSlots, S3Store, SlotBoard, SlotTimes

STANDSTILL_S = 1.5
"""How long a process of a busy machine may stand still between the look at its slot and the first byte it sends."""


def scaled(scale: float) -> SlotTimes:
    """The times of production, shorter alike; but a slot falls silent no earlier than a busy machine allows."""
    times = {name: scale * seconds for name, seconds in asdict(SlotTimes()).items()}
    return SlotTimes(**{**times, "silent_s": times["silent_s"] + STANDSTILL_S})


def main(url: str, limit: str, run: str, threads: str, scale: str) -> None:
    """Ask until the input ends."""
    store, sent, over = S3Store.open(s3_connection(os.environ), probe=False), [0], threading.Event()

    def counted(**_: Any) -> None:
        sent[0] += 1

    store._client.meta.events.register("before-send.s3", counted)
    slots = RequestSlots(SlotBoard(store, url, int(limit), f"medulla/{run}", scaled(float(scale))))
    server = DvidServer(DvidConnection(url=url), slots)

    def ask() -> None:
        while not over.is_set():
            server.get(f"/api/node/3f2a/{run}/raw")

    asking = [threading.Thread(target=ask) for _ in range(int(threads))]
    say("ready")
    sys.stdin.readline()
    for thread in asking:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in asking:
        thread.join()
    slots.close()
    say(str(sent[0]))


def say(text: str) -> None:
    """To whoever started this process."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
