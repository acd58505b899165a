"""Manifests: markers in the order of their items, however they came, and never all unpacked at once."""

from collections.abc import Iterator
from unittest import mock

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refusals import refused
from tests.store.test_markers import ADDRESS, ITEM_MARKERS, MARKER

from emseg.errors import IntegrityError
from emseg.store import ItemMarker, Markers, manifest, sums
from emseg.store.manifest import content_digest

SEVERAL = st.lists(ITEM_MARKERS, max_size=9, unique_by=lambda m: m.item)


@pytest.fixture(autouse=True)
def small_packs() -> Iterator[None]:
    """Two markers a pack, so that a few markers have the ends of packs."""
    with mock.patch.object(manifest, "PACK", 2):
        yield


@given(SEVERAL, st.integers(0, 9))
def test_markers_come_back_in_the_order_of_their_items(markers, cut):
    """Kills manifests in the order of arrival, markers lost at the ends of packs and runs, equal sets that differ."""
    by_item = sorted(markers, key=lambda m: m.item)
    packed = Markers.of(markers)
    assert list(packed) == by_item
    assert packed == by_item
    assert len(packed) == len(markers)
    assert [packed[number] for number in range(len(markers))] == by_item
    assert packed[1:cut] == by_item[1:cut]
    resumed = Markers.of([*by_item[cut:], *by_item[:cut]])
    assert resumed.parts == packed.parts
    assert Markers.stored(packed.parts, ADDRESS) == by_item


@given(SEVERAL, st.integers(0, 9))
def test_markers_of_two_tries_are_joined(markers, cut):
    """Kills an order of tries, and a try without a marker that hides the other."""
    joined = Markers.joined(Markers.of(markers[cut:]), Markers.of(markers[:cut]))
    assert joined.parts == Markers.of(markers).parts
    by_item = sorted(markers, key=lambda m: m.item)
    assert Markers.joined(Markers.of(by_item[cut:]), Markers.of(by_item[:cut])).parts == joined.parts
    assert Markers.joined() == []


def test_full_packs_in_order_are_joined_as_they_are():
    """Kills a resume of a million items that unpacks and packs again all that it found."""
    ten = [ItemMarker("s", "k", f"sv-{n}", "a", ()) for n in range(10)]
    several = [Markers.of(ten[6:]), Markers.of(ten[:2]), Markers.of(ten[2:6])]
    with mock.patch.object(manifest, "_packed", side_effect=AssertionError):
        assert list(Markers.joined(*several)) == ten


def test_figures_are_added_over_all_packs():
    markers = [ItemMarker("s", "k", f"sv-{n}", "a", (), {"n": n, "one": 1, "text": "x"}) for n in range(7)]
    assert sums(Markers.of(markers), ("n", "one")) == {"n": 21, "one": 7}
    assert sums([], ("n",)) == {"n": 0}


@given(SEVERAL)
def test_the_digest_is_that_of_the_unpacked_markers(markers):
    assert content_digest(Markers.of(markers)) == content_digest(markers)


def test_a_place_beyond_the_end_is_an_error():
    """Kills a last marker that stands for others."""
    packed = Markers.of([MARKER])
    assert packed[-1] == MARKER
    with pytest.raises(IndexError):
        packed[1]
    assert packed != [MARKER, MARKER]
    assert packed != [1]


def test_few_are_unpacked_at_once_where_they_come_in_order():
    """Kills a manifest of a million items that is a million objects."""
    alive = 0

    def counted(number: int) -> ItemMarker:
        nonlocal alive
        alive += 1
        return ItemMarker("segment", "key1", f"sv-{number:08d}", "a1", (), {})

    markers = (counted(number) for number in range(100))
    most = 0
    original = lz4.frame.compress

    def compress(data: bytes) -> bytes:
        nonlocal most, alive
        most, alive = max(most, alive), 0
        return original(data)

    with mock.patch.object(lz4.frame, "compress", compress):
        assert len(Markers.of(markers)) == 100
    assert most <= 3


def test_what_is_no_manifest_is_damaged():
    """Kills lz4's and pydantic's own exceptions, bytes after the end, and frames that end early."""
    (data,) = Markers.of([MARKER]).parts.values()
    other = lz4.frame.compress(b'[{"item": "sv-1"}]')
    for bad in (b"", data[:-1], data[: len(data) // 2], data + b"x", data + data, b"no frame at all", other):
        with refused(IntegrityError, ADDRESS):
            list(Markers.stored({"000000": bad}, ADDRESS))
