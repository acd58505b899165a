"""Markers: stored exactly, equal markers as equal bytes, and nothing damaged or foreign taken for one."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.errors import IntegrityError, PermanentError
from emseg.store.manifest import content_digest
from emseg.store.markers import ITEM, PHASE, Artefact, ItemMarker, PhaseMarker

KEY = "medulla/marker.json"
ADDRESS = f"s3://neurons/{KEY}"
OLD = Path(__file__).parents[1] / "data" / "stored_before"
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
    again = item_of(ITEM.seal(marker, KEY))
    assert again == marker
    assert [type(v) for v in again.statistics.values()] == [type(again.statistics[k]) for k in again.statistics]


@given(NAMES, st.integers(0, 2**60), ARTEFACTS, FIGURES)
def test_any_phase_marker_comes_back_equal(name, items, manifest, results):
    """The same for the marker of a phase."""
    marker = PhaseMarker(name, name, name, items, sha256(b"x").hexdigest(), manifest, results)
    assert PHASE.open(PHASE.seal(marker, KEY), KEY, ADDRESS) == marker


def test_the_stored_form_is_the_documented_one():
    """Pins the form by hand: a release that changes it must change the schema number."""
    content = (
        f'{{"artefacts":[{{"index":null,"key":"k/labels","name":"labels","sha256":"{sha256(b"abc").hexdigest()}","size":3}}],'
        '"attempt":"a1","item":"sv-00000001","phase":"segment","phase_key":"key1","statistics":{"bodies":27,"vi":0.5}}'
    )
    body = f'{{"content":{content},"key":"{KEY}","kind":"item","schema":4'
    digest = sha256(f"{body}}}".encode()).hexdigest()
    assert ITEM.seal(MARKER, KEY).decode() == f'{body},"sha256":"{digest}"}}'


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), True, None, np.int64(3), [1], {"a": 1}])
def test_figures_that_json_cannot_keep_are_refused_when_written(figure):
    """Kills markers that are written and can never be read again."""
    with refused(PermanentError, "d/items/sv-1.json"):
        ITEM.seal(ItemMarker("s", "k", "sv-1", "a", (), {"figure": figure}), "d/items/sv-1.json")


@pytest.mark.parametrize("name", ["item", "phase"])
def test_a_marker_of_the_release_before_is_refused_by_its_number(name):
    """Kills reading it as damaged: it would be set aside, and what it marked be computed anew without a word."""
    data, form = (OLD / f"{name}_marker.json").read_bytes(), {"item": ITEM, "phase": PHASE}[name]
    with refused(PermanentError, ADDRESS, "schema 2", 4):
        form.open(data, KEY, ADDRESS)


def resealed(**changes: object) -> bytes:
    """MARKER with changed content and a right checksum: written so by somebody else's program."""
    content = json.loads(ITEM.seal(MARKER, KEY))["content"] | changes
    body = {"content": content, "key": KEY, "kind": "item", "schema": 4}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return json.dumps(body | {"sha256": sha256(text.encode()).hexdigest()}).encode()


def item_of(data: bytes) -> ItemMarker:
    return ITEM.open(data, KEY, ADDRESS)


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
    assert item_of(resealed()) == MARKER
    with refused(IntegrityError, ADDRESS, field):
        item_of(resealed(**changes))


def test_an_item_marker_is_not_taken_for_a_phase_marker():
    """Kills readers that ignore the kind."""
    with pytest.raises(IntegrityError):
        PHASE.open(ITEM.seal(MARKER, KEY), KEY, ADDRESS)


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
