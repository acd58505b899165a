"""Many small requests at once.

Example: a store that answers after 20 ms gives 50 objects a second to one thread, and 1600 to thirty-two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")

READERS = 32
"""Threads that wait for small objects."""


def ahead(work: Callable[[T], U], things: Iterable[T]) -> Iterator[U]:
    """`work` of each thing, in their order, by `READERS` threads. No more than twice as many results are held at once.

    The first error ends it; what was begun by then is done to its end. One thing alone takes no thread.
    """
    first = list(islice(rest := iter(things), 2))
    if len(first) < 2:
        yield from map(work, first)
        return
    begun: deque[Future[U]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        for thing in chain(first, rest):
            begun.append(pool.submit(work, thing))
            if len(begun) == 2 * READERS:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
