"""Sealed documents: what is believed is what was written, under that key, as that kind, by this release."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.config.edits import Edit, EditKind, Edits
from emseg.errors import IntegrityError, PermanentError
from emseg.store.sealed import Form

KEY = "brain/edits/key1.json"
ADDRESS = f"s3://neurons/{KEY}"
FORM = Form("edits", Edits, 2, "Do it again", "Use the other release")
DOCUMENT = Edits(edits=(Edit(kind=EditKind.JOIN, first=16777219, second=5, why="one axon"),))
SEALED = FORM.seal(DOCUMENT, KEY)
OLD = Path(__file__).parents[1] / "data" / "stored_before"


def opened(data: bytes, key: str = KEY, form: Form[Edits] = FORM) -> Edits:
    return form.open(data, key, ADDRESS)


def test_a_document_comes_back_equal_and_equal_documents_are_equal_bytes():
    assert opened(SEALED) == DOCUMENT
    assert FORM.seal(DOCUMENT.model_copy(), KEY) == SEALED
    assert list(json.loads(SEALED)) == ["content", "key", "kind", "schema", "sha256"]


@pytest.mark.fault("F13")
def test_no_flipped_bit_is_believed():
    """Kills a checksum of the content alone: a flipped schema number would read as another release's document."""
    for at in range(len(SEALED)):
        for bit in range(8):
            bad = bytearray(SEALED)
            bad[at] ^= 1 << bit
            try:
                found = opened(bytes(bad))
            except IntegrityError:
                continue
            assert found == DOCUMENT  # a space for another space, say


@given(st.integers(0, len(SEALED) - 1), st.binary(max_size=3))
def test_no_cut_document_is_believed(length, more):
    if SEALED[:length] + more != SEALED:
        with refused(IntegrityError, ADDRESS):
            opened(SEALED[:length] + more)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"null", b"\xff\xfe", b'{"schema":2}', b"[" * 100_000])
def test_what_is_no_document_is_damaged(data):
    """Kills KeyError, UnicodeDecodeError or RecursionError out of a torn object."""
    form = Form("lease", Edit, 2, "Do it again", "Use the other release")
    with refused(IntegrityError, ADDRESS):
        form.open(data, KEY, ADDRESS)


@pytest.mark.fault("F13")
def test_a_whole_document_from_another_place_or_of_another_kind_is_not_believed():
    """Kills trust in a swap: both objects are whole, and each lies where the other was."""
    with refused(IntegrityError, ADDRESS, "brain/edits/key2.json"):
        opened(FORM.seal(DOCUMENT, "brain/edits/key2.json"))
    other = Form("notes", Edits, 2, "Do it again", "Use the other release")
    with refused(IntegrityError, ADDRESS, "notes"):
        opened(other.seal(DOCUMENT, KEY))


@pytest.mark.parametrize("schema", [1, 3, 99])
@pytest.mark.fault("F28")
def test_a_document_of_another_release_is_refused_by_its_number(schema):
    """Kills reading it as if nothing had changed, and setting it aside as damaged."""
    other = Form("edits", Edits, schema, "Do it again", "Use the other release")
    with refused(PermanentError, ADDRESS, f"schema {schema}", 2) as caught:
        opened(other.seal(DOCUMENT, KEY))
    assert caught.value.remedy == "Use the other release"


@pytest.mark.fault("F28")
def test_a_document_of_before_there_were_seals_is_refused_by_its_number():
    with refused(PermanentError, ADDRESS, "schema 1", 2):
        opened(DOCUMENT.model_dump_json().encode())


@pytest.mark.parametrize("plain", [{"another": 1}, {"edits": 1}, {"edits": [], "kind": "x"}])
def test_what_was_never_such_a_document_is_damaged_and_not_of_before(plain):
    """Kills an advice to look for an older release, given about any JSON that lies in the place of a document."""
    with refused(IntegrityError, ADDRESS):
        opened(json.dumps(plain).encode())


def test_what_json_cannot_keep_is_refused_when_it_is_written():
    """Kills documents that are written and can never be read again."""
    form = Form("figures", dict[str, float], 2, "Do it again", "Use the other release")
    with refused(PermanentError, KEY):
        form.seal({"vi": float("nan")}, KEY)
