"""Recovered: the first publication after trouble, and no other."""

from __future__ import annotations

import pytest
from tests.memory_store import MemoryStore

from emseg.alerts import note_trouble, trouble_ended_by


@pytest.fixture
def store():
    return MemoryStore()


def test_the_first_publication_after_trouble_ends_it_and_no_other(alert, store):
    """Kills a message at every publication from then on, and one lost when the first callback was killed."""
    assert trouble_ended_by(store, "demo", "run-2") is None
    note_trouble(store, alert)
    found = trouble_ended_by(store, "demo", "run-2")
    assert found is not None
    assert (found.title, found.run, found.ended_by) == (alert.title, "run-1", "run-2")
    assert trouble_ended_by(store, "demo", "run-2") == found
    assert trouble_ended_by(store, "demo", "run-3") is None


def test_new_trouble_can_be_ended_anew_and_the_old_one_told_again_cannot(alert, store):
    """Kills trouble that is noted again by a second callback of a failure that is over."""
    note_trouble(store, alert)
    trouble_ended_by(store, "demo", "run-2")
    note_trouble(store, alert)
    assert trouble_ended_by(store, "demo", "run-3") is None
    note_trouble(store, alert.model_copy(update={"run": "run-4"}))
    assert trouble_ended_by(store, "demo", "run-5").run == "run-4"


def test_datasets_do_not_end_each_others_trouble(alert, store):
    note_trouble(store, alert)
    assert trouble_ended_by(store, "other", "run-2") is None


@pytest.mark.parametrize("beaten", ["noting", "ending"])
def test_who_loses_a_race_looks_again(beaten, alert, store):
    """Kills a write that is given up: trouble forgotten, or ended by two runs."""
    note_trouble(store, alert.model_copy(update={"run": "run-0"}))
    plain = store.replace_if

    def late(key, data, version):
        store.replace_if = plain
        trouble_ended_by(store, "demo", "rival")
        return plain(key, data, version)

    store.replace_if = late
    if beaten == "noting":
        note_trouble(store, alert)
        assert trouble_ended_by(store, "demo", "run-2").run == "run-1"
    else:
        assert trouble_ended_by(store, "demo", "run-2") is None
