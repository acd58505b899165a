"""A thread that does something again and again while other work goes on: beats, renewals, progress."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def meanwhile(call: Callable[[], bool], every_s: float) -> Iterator[None]:
    """`call` every `every_s` seconds while the block runs, for as long as it says True.

    The first call comes after `every_s`. When the block is left, a call that was begun is waited for.
    """
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(every_s) and call():
            pass

    thread = threading.Thread(target=repeat, name="meanwhile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
