"""Many small requests at once: in order, few held, errors told."""

from threading import Barrier, Lock

import pytest

from emseg.store import ahead
from emseg.store.ahead import READERS


def test_results_come_in_order_and_as_many_are_asked_for_at_once_as_there_are_threads():
    """Kills requests one after the other (the barrier would never open), and results as they come."""
    together = Barrier(READERS)

    def work(number: int) -> int:
        together.wait(timeout=20)
        return number**2

    numbers = range(4 * READERS)
    assert list(ahead(work, numbers)) == [number**2 for number in numbers]


def test_few_results_are_held_however_slow_the_reader_is():
    """Kills a pool that reads all tables while the first is being added."""
    begun, lock = [], Lock()

    def work(number: int) -> int:
        with lock:
            begun.append(number)
        return number

    for done, number in enumerate(ahead(work, range(1000))):
        assert number == done
        assert len(begun) <= done + 2 * READERS


def test_the_first_error_ends_it():
    """Kills an error that is lost in a thread, and work that goes on after it."""
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 5:
            raise ValueError("five")
        return number

    seen = []
    with pytest.raises(ValueError, match="five"):
        seen.extend(ahead(work, range(10_000)))
    assert len(begun) <= 5 + 2 * READERS
    assert not list(ahead(work, ()))
