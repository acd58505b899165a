"""Markers: stored exactly, equal markers as equal bytes, and nothing damaged or foreign taken for one."""

import json
from hashlib import sha256

import lz4.frame
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.errors import IntegrityError, PermanentError
from emseg.store.manifest import manifest_bytes, read_manifest
from emseg.store.markers import Artefact, ItemMarker, PhaseMarker, content_digest, marker_bytes, read_marker

ADDRESS = "s3://neurons/medulla/marker.json"
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
FIGURES = st.dictionaries(
    NAMES, st.integers(-(2**64), 2**64) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
ARTEFACTS = st.builds(Artefact.of, NAMES, NAMES, st.binary(max_size=20))
ITEM_MARKERS = st.builds(ItemMarker, NAMES, NAMES, NAMES, NAMES, st.lists(ARTEFACTS, max_size=3).map(tuple), FIGURES)
MARKER = ItemMarker(
    "segment", "key1", "sv-00000001", "a1", (Artefact.of("labels", "k/labels", b"abc"),), {"bodies": 27, "vi": 0.5}
)


@given(ITEM_MARKERS)
def test_any_item_marker_comes_back_equal(marker):
    """Kills figures rounded through float64 (ids above 2^53) and ints that come back as floats."""
    again = read_marker(ItemMarker, marker_bytes(marker), ADDRESS)
    assert again == marker
    assert [type(v) for v in again.statistics.values()] == [type(again.statistics[k]) for k in again.statistics]


@given(NAMES, st.integers(0, 2**60), ARTEFACTS, FIGURES)
def test_any_phase_marker_comes_back_equal(name, items, manifest, results):
    """The same for the marker of a phase."""
    marker = PhaseMarker(name, name, name, items, sha256(b"x").hexdigest(), manifest, results)
    assert read_marker(PhaseMarker, marker_bytes(marker), ADDRESS) == marker


def test_the_stored_form_is_the_documented_one():
    """Pins the form by hand: a release that changes it must change the schema number."""
    content = (
        '{"artefacts":[{"key":"k/labels","name":"labels","sha256":"' + sha256(b"abc").hexdigest() + '","size":3}],'
        '"attempt":"a1","item":"sv-00000001","phase":"segment","phase_key":"key1","statistics":{"bodies":27,"vi":0.5}}'
    )
    digest = sha256(content.encode()).hexdigest()
    expected = f'{{"content":{content},"kind":"item","schema":2,"sha256":"{digest}"}}'
    assert marker_bytes(MARKER).decode() == expected


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), True, None, np.int64(3), [1], {"a": 1}])
def test_figures_that_json_cannot_keep_are_refused_when_written(figure):
    """Kills markers that are written and can never be read again."""
    with refused(PermanentError, "sv-1"):
        marker_bytes(ItemMarker("s", "k", "sv-1", "a", (), {"figure": figure}))


@pytest.mark.parametrize("schema", [0, 1, 99, -1])
def test_another_schema_is_refused_not_guessed_at(schema):
    """Kills reading a newer release's marker as if nothing had changed, or deleting it as damaged."""
    stored = json.loads(marker_bytes(MARKER)) | {"schema": schema}
    with refused(PermanentError, ADDRESS, f"schema {schema}", 2):
        read_marker(ItemMarker, json.dumps(stored).encode(), ADDRESS)


def test_every_flipped_bit_is_detected():
    """Kills markers without a checksum, where one flipped bit in a figure or a digest reads as another."""
    data = marker_bytes(MARKER)
    for at in range(len(data)):
        for bit in range(8):
            bad = bytearray(data)
            bad[at] ^= 1 << bit
            try:
                assert read_marker(ItemMarker, bytes(bad), ADDRESS) == MARKER
            except (IntegrityError, PermanentError):
                continue


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema":2}', b"[" * 100_000])
def test_what_is_no_marker_is_damaged(data):
    """Kills KeyError, UnicodeDecodeError or RecursionError out of a torn object."""
    with refused(IntegrityError, ADDRESS):
        read_marker(ItemMarker, data, ADDRESS)


def resealed(**changes: object) -> bytes:
    """MARKER with changed content and a right checksum: written so by somebody else's program."""
    content = json.loads(marker_bytes(MARKER))["content"] | changes
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    rest = {"content": content, "kind": "item", "schema": 2, "sha256": sha256(text.encode()).hexdigest()}
    return json.dumps(rest).encode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"more": 1}, "more"),
        ({"item": 7}, "item"),
        ({"artefacts": [{"name": "x"}]}, "artefacts.0.sha256"),
        ({"statistics": {"a": None}}, "statistics.a"),
        ({"artefacts": 1}, "artefacts"),
    ],
)
def test_fields_of_another_form_are_refused(changes, field):
    """Kills lenient readers: unknown fields, numbers as names, missing digests."""
    assert read_marker(ItemMarker, resealed(), ADDRESS) == MARKER
    with refused(IntegrityError, ADDRESS, field):
        read_marker(ItemMarker, resealed(**changes), ADDRESS)


def test_an_item_marker_is_not_taken_for_a_phase_marker():
    """Kills readers that ignore the kind."""
    with pytest.raises(IntegrityError):
        read_marker(PhaseMarker, marker_bytes(MARKER), ADDRESS)


def test_an_artefact_holds_only_its_own_bytes():
    """Kills a check of the size alone."""
    artefact = Artefact.of("labels", "k", b"abc")
    assert artefact.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    assert artefact.holds(b"abc")
    assert not artefact.holds(b"abd")
    assert not artefact.holds(b"")


@given(st.lists(ITEM_MARKERS, max_size=4, unique_by=lambda m: m.item), st.randoms(use_true_random=False), NAMES)
def test_the_content_digest_knows_nothing_of_order_attempts_keys_or_figures(markers, random, attempt):
    """Kills digests of the manifest's bytes: two runs with other attempts would never be equal."""
    again = [
        ItemMarker(
            m.phase, m.phase_key, m.item, attempt,
            tuple(Artefact(a.name, f"{attempt}/{a.key}", a.size, a.sha256) for a in reversed(m.artefacts)), {},
        )
        for m in markers
    ]  # fmt: skip
    random.shuffle(again)
    assert content_digest(again) == content_digest(markers)


@given(ITEM_MARKERS, ARTEFACTS)
def test_the_content_digest_sees_every_artefact_and_item(marker, extra):
    """Kills digests over names or sizes alone, and items without artefacts that leave no trace."""
    more = ItemMarker(
        marker.phase, marker.phase_key, marker.item, marker.attempt, (*marker.artefacts, extra), marker.statistics
    )
    other = ItemMarker(marker.phase, marker.phase_key, f"{marker.item}x", marker.attempt, (), {})
    digests = {content_digest(markers) for markers in ([], [marker], [more], [marker, other])}
    assert len(digests) == 4


@given(st.lists(ITEM_MARKERS, max_size=4, unique_by=lambda m: m.item))
def test_a_manifest_gives_back_its_markers_by_item(markers):
    """Kills manifests in the order of arrival; equal sets are equal bytes."""
    data = manifest_bytes(markers)
    assert read_manifest(data, ADDRESS) == sorted(markers, key=lambda m: m.item)
    assert manifest_bytes(markers[::-1]) == data


def test_what_is_no_manifest_is_damaged():
    """Kills lz4's and pydantic's own exceptions, bytes after the end, and frames that end early."""
    data = manifest_bytes([MARKER] * 50)
    other = lz4.frame.compress(b'[{"item": "sv-1"}]')
    for bad in (b"", data[:-1], data[: len(data) // 2], data + b"x", data + data, b"no frame at all", other):
        with refused(IntegrityError, ADDRESS):
            read_manifest(bad, ADDRESS)
